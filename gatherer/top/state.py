"""The events of `/live` as values, and the state that they add up to. Pure.

A gatherer of another version, or another server, may send anything. What does not fit raises `DashboardError` when it
arrives, so that drawing never fails. `Any` here is decoded JSON that is not checked yet.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from gatherer.errors import GathererError

MAX_SAMPLES = 300
MAX_EVENTS = 200
STALE_AFTER = 3.0
"""Seconds without a tick until the page says so."""
LATEST = 1e11
"""The last Unix second that is shown: `datetime` has no year above 9999."""


class DashboardError(GathererError):
    """An event is not one that a gatherer of this version sends."""


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """One row of a tick."""

    id: int
    role: str
    state: str
    wanted: int
    held: int
    owed: int
    rate: float
    age: float | None
    gaps: int
    reconnects: int
    dial_in: float | None
    draining: bool

    @property
    def kind(self) -> str:
        """`live`, `loading` (books are due), `dialing`, `waiting` (for the next dial) or `stopped`."""
        if self.state == "live":
            return "loading" if self.owed else "live"
        return {"backoff": "waiting", "idle": "stopped", "stopped": "stopped"}.get(self.state, "dialing")


@dataclass(frozen=True, slots=True)
class EventLine:
    """One line of the event log."""

    id: int
    at: float
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Figures:
    """One tick, without its connections."""

    at: float
    version: str
    status: str
    ready: bool
    problems: tuple[str, ...]
    """Problems, warnings, a pause of the exchange, and what is missing until the service is ready."""
    live: int
    books: int
    markets: int
    gaps: int
    reconnects: int
    backlog: int
    dropped: int


@dataclass(slots=True)
class DashboardState:
    """Everything received so far. Times of arrival are the caller's monotonic seconds."""

    figures: Figures | None = None
    connections: tuple[ConnectionRow, ...] = ()
    samples: deque[dict[str, float]] = field(default_factory=lambda: deque(maxlen=MAX_SAMPLES))
    events: deque[EventLine] = field(default_factory=lambda: deque(maxlen=MAX_EVENTS))
    received_at: float | None = None
    lost: str | None = None
    """Why the connection to the gatherer is lost; None while it is up."""
    _columns: tuple[str, ...] = ()

    def take(self, name: str, value: Any, now: float) -> None:
        """Take one event of `/live`. Ignores unknown names. Raises `DashboardError`, and then nothing drawn changes."""
        try:
            if name == "history":
                self._columns = tuple(value["columns"])
                self.samples = deque((self._sample(row) for row in value["rows"]), MAX_SAMPLES)
            elif name == "events":
                self.events = deque((_event(row) for row in value["rows"]), MAX_EVENTS)
            elif name == "tick":
                self._tick(value, now)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise DashboardError(f"this version does not know its {name[:20]!a}: {error!a}") from error

    def silence(self, now: float) -> float | None:
        """Seconds since the last tick if they are too many or the connection is lost, otherwise None."""
        if self.received_at is None:
            return None
        silent = now - self.received_at
        return silent if silent > STALE_AFTER or self.lost is not None else None

    def _tick(self, value: dict[str, Any], now: float) -> None:
        figures = _figures(value)
        rows, draining = value["connections"], set(value["pool"]["draining"])
        connections = tuple(_connection(dict(zip(value["columns"], row, strict=True)), draining) for row in rows)
        events = [_event(row) for row in value["events"]]
        if value["sample"] is not None and self._columns:
            sample = self._sample(value["sample"])
            if not self.samples or sample["at"] > self.samples[-1]["at"]:
                self.samples.append(sample)
        last = self.events[-1].id if self.events else 0
        self.events.extend(event for event in events if event.id > last)
        self.figures, self.connections, self.received_at, self.lost = figures, connections, now, None

    def _sample(self, row: list[float]) -> dict[str, float]:
        return {name: float(number) for name, number in zip(self._columns, row, strict=True)}


def _figures(value: dict[str, Any]) -> Figures:
    health, ready, pool, router = value["health"], value["ready"], value["pool"], value["router"]
    pause = [f"a pause of the exchange: {health['pause']}"] if health["pause"] else []
    problems = [*health["problems"], *health["warnings"], *pause, *ready["missing"]]
    return Figures(
        at=_moment(value["at"]), version=str(value["version"]), status=str(health["status"]), ready=bool(ready["ok"]),
        problems=tuple(dict.fromkeys(map(str, problems))), live=int(pool["live"]), books=int(pool["books"]),
        markets=int(pool["markets"]), gaps=int(pool["gaps"]), reconnects=int(pool["reconnects"]),
        backlog=int(router["backlog"]), dropped=int(router["dropped"]),
    )  # fmt: skip


def _connection(row: dict[str, Any], draining: set[int]) -> ConnectionRow:
    def optional(name: str) -> float | None:
        return None if row[name] is None else float(row[name])

    numbers = {name: int(row[name]) for name in ("id", "wanted", "held", "owed", "gaps", "reconnects")}
    return ConnectionRow(
        role=str(row["role"]), state=str(row["state"]), rate=float(row["rate"]), age=optional("age"),
        dial_in=optional("dial_in"), draining=row["id"] in draining, **numbers,
    )  # fmt: skip


def _event(row: list[Any]) -> EventLine:
    number, at, level, text, _ = row
    return EventLine(int(number), _moment(at), str(level), str(text))


def _moment(at: Any) -> float:
    if not 0 <= float(at) < LATEST:
        raise ValueError(f"not a Unix time: {at}")
    return float(at)
