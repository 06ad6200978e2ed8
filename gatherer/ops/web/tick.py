"""What the status page and `gatherer top` show of one moment: a pure function of the status.

`docs/status-page.md` describes every name; a test holds the two together.
"""

from typing import Any

from msgspec import Struct

from gatherer import __version__
from gatherer.interfaces import ConnectionStatus, GathererStatus
from gatherer.ops.web.trends import Rates
from gatherer.values import Facts

COLUMNS = (
    "id", "role", "state", "wanted", "held", "owed", "rate", "age", "gaps", "reconnects", "dial_in",
)  # fmt: skip
"""Of a connection, as `docs/status-page.md` says: rows instead of objects are a third of the bytes."""
POOL = (
    "wanted",
    "held",
    "owed",
    "without_book",
    "pending",
    "rejected",
    "unplaced",
    "moving",
    "moves",
    "divergence",
    "markets",
    "alarm",
)
REGISTRY = (
    "markets_total", "active_markets", "last_sync", "reconcile_duration", "exchange_active", "trading_active",
    "lifecycle_events", "rest_errors",
)  # fmt: skip
ROUTER = (
    "received", "written", "dropped", "dropped_markers", "backlog", "buffer_messages", "bytes_written", "segments",
    "segment", "write_errors", "trouble",
)  # fmt: skip
HEALTH = ("ok", "status", "pause")
MAX_TEXTS = 10
"""Of each kind that the verdicts give."""
MAX_TEXT = 300
"""Characters of any text in it."""
MAX_KINDS = 20
"""Entries of a count by kind; those with the highest count."""


def tick(now: float, status: GathererStatus, rates: Rates) -> Facts:
    """`now` in Unix seconds. Bounded: under 30 KB as JSON for 150 connections, whatever the exchange sends."""
    pool, health, ready = status.pool, status.health, status.readiness
    return {
        "at": round(now, 1),
        "version": __version__,
        "health": {
            **_chosen(health, HEALTH), "problems": _texts(health.problems), "warnings": _texts(health.warnings)
        },
        "ready": {"ok": ready.ok, "missing": _texts(ready.missing)},
        "pool": {
            "connections": len(pool.connections),
            "live": sum(each.is_live for each in pool.connections),
            "least": pool.min_healthy,
            "books": pool.books,
            "gaps": sum(each.gaps for each in pool.connections),
            "reconnects": sum(each.reconnects for each in pool.connections),
            "draining": pool.draining,
            **_chosen(pool, POOL),
        },
        "registry": _chosen(status.registry, REGISTRY),
        "router": _chosen(status.router, ROUTER),
        "columns": COLUMNS,
        "connections": [_row(now, each, rates) for each in pool.connections],
    }  # fmt: skip


def _row(now: float, each: ConnectionStatus, rates: Rates) -> list[object]:
    last, dial_in = each.last_message, each.next_dial_in
    return [
        each.conn_id, each.role, each.state, each.wanted, each.held, each.owed, round(rates.of(each.conn_id), 1),
        None if last is None else max(0.0, round(now - last, 1)),
        each.gaps, each.reconnects,
        None if dial_in is None else max(0.0, round(dial_in, 1)),
    ]  # fmt: skip


def _chosen(status: Struct, names: tuple[str, ...]) -> Facts:
    return {name: _bounded(getattr(status, name)) for name in names}


def _texts(texts: list[str]) -> list[str]:
    return [_bounded(text) for text in texts[:MAX_TEXTS]]


def _bounded(value: Any) -> Any:
    """A field of a status, whatever its type: texts are cut, counts by kind are the largest, floats are rounded."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
    if isinstance(value, dict):
        most = sorted(value.items(), key=lambda item: -item[1])[:MAX_KINDS]
        return {str(name)[:40]: count for name, count in most}
    if isinstance(value, float):
        return round(value, 3)
    return value
