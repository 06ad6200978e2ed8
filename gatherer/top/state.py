"""What `/live` tells, as values, and what a watcher knows of it all. Pure.

A gatherer of another version may tell something else, and another server anything: that is a `DashboardError`, never a
surprise while a frame is drawn.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

MAX_SAMPLES = 300
MAX_EVENTS = 200
STALE_AFTER = 3.0
"""Seconds without a tick before it is said."""

LATEST = 1e11
"""Unix seconds that a calendar still has."""


class DashboardError(Exception):
    """What came is not what a gatherer of this version sends."""


@dataclass(frozen=True, slots=True)
class Connection:
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
class Event:
    """One line of the journal."""

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
    told: tuple[str, ...]
    live: int
    books: int
    markets: int
    gaps: int
    reconnects: int
    backlog: int
    dropped: int


@dataclass(slots=True)
class DashboardState:
    """Everything heard so far. Times of hearing are the caller's monotonic seconds."""

    figures: Figures | None = None
    connections: tuple[Connection, ...] = ()
    samples: deque[dict[str, float]] = field(default_factory=lambda: deque(maxlen=MAX_SAMPLES))
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=MAX_EVENTS))
    heard_at: float | None = None
    lost: str | None = None
    """Why there is no connection to the gatherer, if there is none."""
    _columns: tuple[str, ...] = ()

    def take(self, name: str, value: Any, now: float) -> None:
        """One event of `/live`. Unknown ones are left alone. `DashboardError` changes nothing that is drawn."""
        try:
            if name == "history":
                self._columns = tuple(value["columns"])
                self.samples = deque((self._sample(row) for row in value["rows"]), MAX_SAMPLES)
            elif name == "events":
                self.events = deque((_event(row) for row in value["rows"]), MAX_EVENTS)
            elif name == "tick":
                self._tick(value, now)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise DashboardError(f"its {name[:20]!a} is not what this version knows: {error!a}") from error

    def silence(self, now: float) -> float | None:
        """Seconds without news, once that is worth a word."""
        if self.heard_at is None:
            return None
        silent = now - self.heard_at
        return silent if silent > STALE_AFTER or self.lost is not None else None

    def _tick(self, value: dict[str, Any], now: float) -> None:
        figures = _figures(value)
        rows, draining = value["connections"], set(value["pool"]["draining"])
        connections = tuple(_connection(dict(zip(value["columns"], row, strict=True)), draining) for row in rows)
        news = [_event(row) for row in value["events"]]
        if value["sample"] is not None and self._columns:
            sample = self._sample(value["sample"])
            if not self.samples or sample["at"] > self.samples[-1]["at"]:
                self.samples.append(sample)
        last = self.events[-1].id if self.events else 0
        self.events.extend(event for event in news if event.id > last)
        self.figures, self.connections, self.heard_at, self.lost = figures, connections, now, None

    def _sample(self, row: list[float]) -> dict[str, float]:
        return {name: float(number) for name, number in zip(self._columns, row, strict=True)}


def _figures(value: dict[str, Any]) -> Figures:
    health, ready, pool, router = value["health"], value["ready"], value["pool"], value["router"]
    pause = [f"a pause of the exchange: {health['pause']}"] if health["pause"] else []
    told = [*health["problems"], *health["warnings"], *pause, *ready["missing"]]
    return Figures(
        at=_moment(value["at"]), version=str(value["version"]), status=str(health["status"]), ready=bool(ready["ok"]),
        told=tuple(dict.fromkeys(map(str, told))), live=int(pool["live"]), books=int(pool["books"]),
        markets=int(pool["markets"]), gaps=int(pool["gaps"]), reconnects=int(pool["reconnects"]),
        backlog=int(router["backlog"]), dropped=int(router["dropped"]),
    )  # fmt: skip


def _connection(row: dict[str, Any], draining: set[int]) -> Connection:
    def optional(name: str) -> float | None:
        return None if row[name] is None else float(row[name])

    numbers = {name: int(row[name]) for name in ("id", "wanted", "held", "owed", "gaps", "reconnects")}
    return Connection(
        role=str(row["role"]), state=str(row["state"]), rate=float(row["rate"]), age=optional("age"),
        dial_in=optional("dial_in"), draining=row["id"] in draining, **numbers,
    )  # fmt: skip


def _event(row: list[Any]) -> Event:
    number, at, level, text, _ = row
    return Event(int(number), _moment(at), str(level), str(text))


def _moment(at: Any) -> float:
    if not 0 <= float(at) < LATEST:
        raise ValueError(f"no Unix time: {at}")
    return float(at)
