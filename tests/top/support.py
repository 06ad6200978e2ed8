"""The events of a made-up gatherer."""

import json
from typing import Any

from gatherer.top.state import DashboardState
from tests.ops.support import connection


def tick(count: int = 150, **row: Any) -> dict[str, Any]:
    """A tick of so many connections, made by the real code; `row` changes the last one."""
    from gatherer.ops.web.tick import tick as make_tick
    from gatherer.ops.web.trends import Rates

    roles = ["ticker"] * 2 + ["trade"] * 2 + ["market_lifecycle"] * 2 + ["orderbook_delta"] * 144
    connections = [connection(i, roles[i - 1], wanted=35, held=35) for i in range(1, count + 1)]
    connections[-1].update(row)
    manager = {
        "connections": connections, "markets": 35 * count, "held": 35 * count, "owed": 0, "min_healthy": count,
    }  # fmt: skip
    health = {"ok": True, "status": "ok", "problems": [], "warnings": [], "pause": None}
    ready = {"ok": True, "missing": []}
    router = {"backlog": 12, "dropped": 0}
    value = make_tick(1_795_380_300.0, manager, {}, router, Rates(), health, ready)
    more = {"sample": None, "events": [[1, 1_795_380_299.0, "warn", "orderbook_delta-7 lost", 7]]}
    return dict(json.loads(json.dumps({**value, **more})))


def dashboard(value: dict[str, Any] | None = None, at: float = 100.0) -> DashboardState:
    """The state after one tick."""
    state = DashboardState()
    state.take("history", {"columns": ["at", "messages", "megabytes", "backlog"], "rows": [[1.0, 812.0, 0.2, 5]]}, at)
    state.take("tick", tick() if value is None else value, at)
    return state
