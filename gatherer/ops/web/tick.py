"""What the status page and `gatherer-top` show of one moment: a pure function of the parts' statuses.

`docs/status-page.md` describes every name; a test holds the two together.
"""

from typing import Any

from gatherer import __version__
from gatherer.ops.web.trends import Rates

Status = dict[str, Any]

COLUMNS = (
    "id", "role", "state", "wanted", "held", "owed", "rate", "age", "gaps", "reconnects", "dial_in",
)  # fmt: skip
"""Of a connection, as `docs/status-page.md` says: rows instead of objects are a third of the bytes."""
POOL = ("wanted", "held", "owed", "pending", "rejected", "unplaced", "divergence", "markets", "alarm")
REGISTRY = (
    "markets_total", "active_markets", "last_sync", "reconcile_duration", "exchange_active", "trading_active",
    "lifecycle_events", "rest_errors",
)  # fmt: skip
ROUTER = (
    "received", "written", "dropped", "backlog", "buffer_messages", "bytes_written", "segments", "segment",
    "write_errors", "trouble",
)  # fmt: skip
HEALTH = ("ok", "status", "pause")
MAX_TEXTS = 10
"""Of each kind that the verdicts give."""
MAX_TEXT = 300
"""Characters of any text in it."""
MAX_KINDS = 20
"""Entries of a count by kind; those with the highest count."""


def tick(
    now: float, manager: Status, registry: Status, router: Status, rates: Rates, health: Status, ready: Status
) -> Status:
    """`now` in Unix seconds. Bounded: under 30 KB as JSON for 150 connections, whatever the exchange sends."""
    connections = manager["connections"]
    live = sum(each["state"] == "live" for each in connections)
    return {
        "at": round(now, 1),
        "version": __version__,
        "health": {**_chosen(health, HEALTH), **_texts(health, "problems", "warnings")},
        "ready": {"ok": ready["ok"], **_texts(ready, "missing")},
        "pool": {
            "connections": len(connections),
            "live": live,
            "least": manager["min_healthy"],
            "books": manager["held"] - manager["owed"],
            "gaps": sum(each["gaps"] for each in connections),
            "reconnects": sum(each["reconnects"] for each in connections),
            "draining": manager.get("draining", []),
            **_chosen(manager, POOL),
        },
        "registry": _chosen(registry, REGISTRY),
        "router": _chosen(router, ROUTER),
        "columns": COLUMNS,
        "connections": [_row(now, each, rates) for each in connections],
    }


def _row(now: float, each: Status, rates: Rates) -> list[Any]:
    last, dial_in = each["last_message"], each["next_dial_in"]
    return [
        each["conn_id"], each["role"], each["state"], each["wanted"], each["held"], each["owed"],
        round(rates.of(each["conn_id"]), 1),
        None if last is None else max(0.0, round(now - last, 1)),
        each["gaps"], each["reconnects"],
        None if dial_in is None else max(0.0, round(dial_in, 1)),
    ]  # fmt: skip


def _chosen(status: Status, names: tuple[str, ...]) -> Status:
    return {name: _bounded(status.get(name)) for name in names}


def _texts(verdict: Status, *names: str) -> Status:
    return {name: [_bounded(text) for text in verdict[name][:MAX_TEXTS]] for name in names}


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
    if isinstance(value, dict):
        most = sorted(value.items(), key=lambda item: -item[1])[:MAX_KINDS]
        return {str(name)[:40]: count for name, count in most}
    if isinstance(value, float):
        return round(value, 3)
    return value
