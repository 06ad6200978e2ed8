"""The events of a made-up gatherer."""

from typing import Any

import msgspec
from msgspec.structs import replace

from gatherer.top.state import DashboardState
from tests.ops.support import StubManager, StubRegistry, StubRouter, connection, make_health


def tick(count: int = 150, **row: Any) -> dict[str, Any]:
    """A tick of so many connections, made by the real code; `row` changes the last one."""
    from gatherer.ops.web.tick import tick as make_tick
    from gatherer.ops.web.trends import Rates

    roles = ["ticker"] * 2 + ["trade"] * 2 + ["market_lifecycle"] * 2 + ["orderbook_delta"] * 144
    connections = [connection(i, roles[i - 1], wanted=35, held=35) for i in range(1, count + 1)]
    connections[-1].update(row)
    manager, registry, router = StubManager(), StubRegistry(), StubRouter()
    manager.figures.update(
        connections=connections, markets=35 * count, held=35 * count, owed=0, min_healthy=count, divergence=0
    )
    router.figures.update(backlog=12, dropped=0)
    status = make_health(manager, registry, router).status()
    health = replace(status.health, status="ok", problems=[], warnings=[])
    ready = replace(status.readiness, ok=True, missing=[])
    value = make_tick(1_795_380_300.0, replace(status, health=health, readiness=ready), Rates())
    more = {"sample": None, "events": [[1, 1_795_380_299.0, "warn", "orderbook_delta-7 lost", 7]]}
    return dict(msgspec.json.decode(msgspec.json.encode({**value, **more})))


def dashboard(value: dict[str, Any] | None = None, at: float = 100.0) -> DashboardState:
    """The state after one tick."""
    state = DashboardState()
    state.take("history", {"columns": ["at", "messages", "megabytes", "backlog"], "rows": [[1.0, 812.0, 0.2, 5]]}, at)
    state.take("tick", tick() if value is None else value, at)
    return state
