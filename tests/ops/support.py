"""Parts that have nothing but a status, and statuses of the shape the real parts give."""

from typing import Any

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogPublisher
from zope.interface import implementer

from gatherer.core.histograms import Measurements
from gatherer.interfaces import (
    ConnectionStatus,
    IConnectionManager,
    IMarketRegistry,
    IMessageRouter,
    PoolStatus,
    RegistryStatus,
    RouterStatus,
)
from gatherer.ops.health import HealthService
from gatherer.ops.web.event_log import EventLog
from tests.support.wall import wall_of


@implementer(IConnectionManager)
class StubManager(Service):
    """A pool of two."""

    admin: Any = None

    def __init__(self) -> None:
        self.figures: dict[str, Any] = {
            "connections": [connection(1, "ticker"), connection(7, "orderbook_delta", wanted=200, held=199, owed=0)],
            "markets": 200,
            "divergence": 1,
            "healthy": 2,
            "min_healthy": 2,
            "held": 199,
            "owed": 0,
            "without_book": 0,
            "pending": 2,
            "rejected": 0,
            "unplaced": 0,
            "alarm": None,
            "wanted": 200,
            "paused_since": None,
            "draining": [],
        }
        self.known: set[str] = set()
        self.parts: list[Any] = []

    def when_ready(self) -> Deferred[None]:
        """At once."""
        return succeed(None)

    def connections(self) -> list[Any]:
        """Those the test gives."""
        return self.parts

    def status(self) -> PoolStatus:
        """What the test wants."""
        return pool_status(self.figures)

    def explain(self, ticker: str) -> dict[str, Any]:
        """Of markets the test knows, that they wait for a place."""
        return {"ticker": ticker, "registry": None, "connection": None, "unplaced": ticker in self.known}


class StubConnection:
    """What the page about one connection asks for."""

    def __init__(self, conn_id: int, wanted: list[str]) -> None:
        self.conn_id = conn_id
        self.wanted = dict.fromkeys(wanted).keys()
        self.last_error = "cut"

    def status(self) -> ConnectionStatus:
        """As of any other."""
        return connection_status(connection(self.conn_id, "orderbook_delta"))


@implementer(IMarketRegistry)
class StubRegistry:
    """Knows 300 markets."""

    def __init__(self) -> None:
        self.figures: dict[str, Any] = {
            "markets_total": 300,
            "active_markets": 200,
            "lifecycle_events": {"created": 5, "settled": 2},
            "reconcile_duration": 12.5,
            "rest_errors": {"/markets": 3},
            "last_sync": 1795380000.0,
            "exchange_active": True,
            "trading_active": False,
            "unknown_statuses": {},
            "reconcile_interval": 300.0,
            "shards": [],
        }

    def start(self, listener: Any) -> Deferred[int]:
        """At once."""
        return succeed(200)

    def stop(self) -> Deferred[None]:
        """At once."""
        return succeed(None)

    def lifecycle_messages(self, batch: list[bytes]) -> None:
        """Not heard."""

    def lifecycle_missed(self) -> None:
        """Not heard."""

    def clock_stepped(self) -> None:
        """Nothing follows."""

    def market_missed(self, ticker: str) -> None:
        """Not heard."""

    def active(self) -> set[str]:
        """None."""
        return set()

    def describe(self, ticker: str) -> None:
        """Never heard of it."""

    def status(self) -> RegistryStatus:
        """What the test wants."""
        return registry_status(self.figures)


@implementer(IMessageRouter)
class StubRouter:
    """Has written 90 of 100."""

    def __init__(self) -> None:
        self.figures: dict[str, Any] = {
            "kind": "stub",
            "received": 100,
            "written": 90,
            "dropped": 4,
            "dropped_by_connection": {"7": 4},
            "backlog": 6,
            "bytes_written": 1234,
            "segments": 2,
            "write_errors": 1,
            "trouble": None,
        }

    def start(self) -> None:
        """Nothing to take."""

    def deliver(self, batch: list[Any]) -> int:
        """Not kept."""
        return 0

    def mark(self, marker: Any) -> int:
        """Not kept."""
        return 0

    def backlog(self) -> int:
        """As in the status."""
        return int(self.figures["backlog"])

    def close(self) -> Deferred[None]:
        """At once."""
        return succeed(None)

    def status(self) -> RouterStatus:
        """What the test wants."""
        return router_status(self.figures)


@implementer(ILogObserver)
class Remembering:
    """Keeps the events."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self._events = events

    def __call__(self, event: dict[str, Any]) -> None:
        """Keep it."""
        self._events.append(event)


def make_health(
    manager: Any, registry: Any, router: Any, clock: Any = None, frozen_after: float = 120.0
) -> HealthService:
    """Of these parts, not started; real and monotonic time are the clock's."""
    clock = Clock() if clock is None else clock
    return HealthService(clock, wall_of(clock), clock.seconds, Measurements(), manager, registry, router, frozen_after)


def make_events() -> EventLog:
    """With a log of its own, which says nothing."""
    return EventLog(LogPublisher())


def pool_status(figures: dict[str, Any]) -> PoolStatus:
    """Of figures as a test writes them down; a part that is missing is a ValidationError."""
    return msgspec.convert(figures, PoolStatus)


def registry_status(figures: dict[str, Any]) -> RegistryStatus:
    """See `pool_status`."""
    return msgspec.convert(figures, RegistryStatus)


def router_status(figures: dict[str, Any]) -> RouterStatus:
    """See `pool_status`."""
    return msgspec.convert(figures, RouterStatus)


def connection_status(figures: dict[str, Any]) -> ConnectionStatus:
    """See `pool_status`."""
    return msgspec.convert(figures, ConnectionStatus)


def connection(conn_id: int, role: str, **figures: Any) -> dict[str, Any]:
    """The figures of one live connection."""
    return {
        "conn_id": conn_id,
        "role": role,
        "state": "live",
        "wanted": 0,
        "held": 0,
        "owed": 0,
        "without_book": 0,
        "divergence": 0,
        "rejected": 0,
        "pending": 1,
        "subscriptions": 1,
        "received": 50,
        "forwarded": 45,
        "bytes_received": 13_000,
        "gaps": 1,
        "skipped": 3,
        "repeats": 2,
        "snapshots": 0,
        "strays": 0,
        "reconnects": 2,
        "recoveries": 0,
        "last_recovery": 0.0,
        "replies": 0,
        "reply_seconds": 0.0,
        "errors": {},
        "ws_errors": {},
        "unknown_types": {},
        "last_ping": 1795380240.0 + conn_id,
        "last_message": 1795380241.0 + conn_id,
        "next_dial_in": None,
        **figures,
    }
