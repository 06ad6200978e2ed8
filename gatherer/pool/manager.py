"""The pool of connections: who carries which market, and whether the pool does its job."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.core.auth_alarm import AuthAlarm
from gatherer.core.layout import Slot, dial_order
from gatherer.errors import StartupFailed, UpgradeRefused
from gatherer.interfaces import (
    IAllocator,
    IConnection,
    IConnectionManager,
    IConnectionOwner,
    IMarketChangeListener,
    IMarketRegistry,
    PoolStatus,
)
from gatherer.pool.admin import PoolAdmin
from gatherer.pool.balancing import PoolBalancer
from gatherer.pool.placement import Placement
from gatherer.values import Change, Facts, MarketChange, Role

MAX_UNNOTICED = 60.0
"""Seconds that a socket can be dead before its silence is noticed: twice the usual `ping_timeout`."""


@implementer(IConnectionManager, IMarketChangeListener, IConnectionOwner)
class ConnectionManager(MultiService):
    """Acts on the registry's changes in the same call, so there is no queue that could overflow: a change is
    an edit of a set, and each session brings its socket to that set in its own time."""

    _log = Logger()

    def __init__(
        self, plan: Sequence[Slot], make_connection: Callable[[Slot, IConnectionOwner], IConnection],
        allocator: IAllocator, registry: IMarketRegistry, clock: IReactorTime, wall: Callable[[], int], capacity: int,
        min_healthy: int, start_timeout: float, rehome_after: float = 0.0, batch: int = 500, balance_share: float = 0.0,
    ) -> None:  # fmt: skip
        """`wall` gives Unix time in ns; the numbers are those of the settings."""
        super().__init__()
        self._registry = IMarketRegistry(registry)
        self._clock = clock
        self._min_healthy = min(min_healthy, len(plan))
        self._start_timeout = start_timeout
        self._connections: dict[int, IConnection] = {
            slot.conn_id: IConnection(make_connection(slot, self)) for slot in plan
        }
        books = {conn_id: each for conn_id, each in self._connections.items() if each.role is Role.ORDERBOOK}
        self._placement = Placement(books, allocator, clock, wall, capacity, rehome_after)
        self.admin = PoolAdmin(self._connections, self._placement, clock, wall)
        self._balancer = PoolBalancer(books, self._placement, clock, self._is_paused, batch, balance_share)
        self._auth = AuthAlarm()
        self._live: set[int] = set()
        self._lifecycle_was_down = False
        self._lifecycle_since: dict[int, float] = {}
        self._waiting: list[Deferred[None]] = []
        self._deadline: IDelayedCall | None = None
        for slot in dial_order(tuple(plan)):
            self.addService(self._connections[slot.conn_id])

    # -- IConnectionManager -------------------------------------------------------------------

    def startService(self) -> None:
        """See `IConnectionManager`."""
        self._deadline = self._clock.callLater(self._start_timeout, self._took_too_long)
        self._balancer.start()
        super().startService()

    def stopService(self) -> Deferred[Any]:
        """See `IConnectionManager`. Fires with whatever `MultiService` gives."""
        self._cancel_deadline()
        self._placement.stop()
        self._balancer.stop()
        self.admin.stop()
        self._waiting = []
        return super().stopService()

    def when_ready(self) -> Deferred[None]:
        """See `IConnectionManager`."""
        ready: Deferred[None] = Deferred()
        self._waiting.append(ready)
        self._fire_if_ready()
        return ready

    def connections(self) -> list[IConnection]:
        """See `IConnectionManager`."""
        return [self._connections[conn_id] for conn_id in sorted(self._connections)]

    def status(self) -> PoolStatus:
        """See `IConnectionManager`."""
        draining, unplaced = self.admin.draining, len(self._placement.unplaced)
        connections = [replace(c.status(), draining=c.conn_id in draining) for c in self.connections()]
        wanted = sum(c.wanted for c in connections)
        return PoolStatus(
            connections=connections,
            healthy=len(self._live),
            min_healthy=self._min_healthy,
            alarm=self._auth.alarm,
            unplaced=unplaced,
            markets=wanted + unplaced - self._placement.twice,
            divergence=sum(c.divergence for c in connections) + unplaced,
            wanted=wanted,
            held=sum(c.held for c in connections),
            owed=sum(c.owed for c in connections),
            without_book=sum(c.without_book for c in connections),
            pending=sum(c.pending for c in connections),
            rejected=sum(c.rejected for c in connections),
            paused_since=self.admin.paused_since,
            draining=draining,
            moving=self._placement.twice,
            moves={reason.value: count for reason, count in self._placement.moved.items()},
        )

    def explain(self, ticker: str) -> Facts:
        """See `IConnectionManager`."""
        conn_id = self._placement.where(ticker)
        connection: Facts | None = None
        if conn_id is not None:
            connection = {
                **self._connections[conn_id].describe(ticker), "draining": conn_id in self._placement.draining
            }  # fmt: skip
        return {
            "ticker": ticker, "registry": self._registry.describe(ticker), "connection": connection,
            "paused_since": self.admin.paused_since, **self._placement.explain(ticker),
        }  # fmt: skip

    # -- IMarketChangeListener ----------------------------------------------------------------

    def markets_changed(self, changes: Sequence[MarketChange]) -> None:
        """See `IMarketChangeListener`."""
        for change in changes:
            if change.change is Change.ADD:
                self._placement.add(change.ticker)
            elif change.change is Change.REMOVE:
                self._placement.remove(change.ticker)
                self._balancer.rates.forget(change.ticker)
            else:
                self._placement.refresh(change.ticker)
        self._placement.use_room()

    def carries(self, ticker: str) -> bool:
        """See `IMarketChangeListener`."""
        conn_id = self._placement.where(ticker)
        return ticker in (self._placement.unplaced if conn_id is None else self._connections[conn_id].wanted)

    def carried(self) -> Iterator[str]:
        """See `IMarketChangeListener`."""
        for connection in self.connections():
            yield from tuple(connection.wanted)
        yield from tuple(self._placement.unplaced)

    # -- IConnectionOwner ---------------------------------------------------------------------

    def connection_changed(self, connection: IConnection) -> None:
        """See `IConnectionOwner`."""
        conn_id, live = connection.conn_id, connection.is_live
        if connection.role is Role.ORDERBOOK:
            self._placement.set_live(connection, live, bool(self.running))
        if live != (conn_id in self._live):
            (self._live.add if live else self._live.discard)(conn_id)
            if self.running:
                self._flipped(connection, live)
        self.admin.connection_changed(connection)
        self._fire_if_ready()

    def upgrade_refused(self, error: UpgradeRefused) -> None:
        """See `IConnectionOwner`."""
        alarm = self._auth.refused(error.status, error.body, error.clock_skew)
        if alarm is not None:
            self._log.critical("ALARM: {alarm}", alarm=alarm)

    def upgrade_accepted(self) -> None:
        """See `IConnectionOwner`."""
        if self._auth.accepted():
            self._log.info("upgrades are accepted again")

    def lifecycle(self, payloads: list[bytes]) -> None:
        """See `IConnectionOwner`."""
        self._registry.lifecycle_messages(payloads)

    def lifecycle_gap(self) -> None:
        """See `IConnectionOwner`. The other connection may have them, but a walk is cheap and certain."""
        self._registry.lifecycle_missed()

    def silent(self, tickers: list[str]) -> None:
        """See `IConnectionOwner`."""
        self._log.warn(
            "{n} markets sent no book although asked twice, first {first}: they are asked for again and again",
            n=len(tickers), first=tickers[0],
        )  # fmt: skip
        for ticker in tickers:
            self._registry.market_missed(ticker)

    def over_limit(self, connection: IConnection, tickers: list[str], capacity: int) -> None:
        """See `IConnectionOwner`. The limit holds until the connection is made anew."""
        self._log.warn(
            "connection {conn_id} takes no more than {capacity} markets: moving {n}",
            conn_id=connection.conn_id, capacity=capacity, n=len(tickers),
        )  # fmt: skip
        self._placement.over_limit(connection, tickers, capacity)

    # -- helpers ------------------------------------------------------------------------------

    def _flipped(self, connection: IConnection, live: bool) -> None:
        if connection.role is Role.LIFECYCLE:
            self._lifecycle_flipped(connection.conn_id, live)
        elif connection.role is Role.ORDERBOOK and live:
            self._placement.came_back(connection)

    def _lifecycle_flipped(self, conn_id: int, live: bool) -> None:
        """A connection can be dead for `ping_timeout` before that is noticed. So losing one costs no messages only if
        the other has been live for longer than that."""
        if live:
            self._lifecycle_since[conn_id] = self._clock.seconds()
            if self._lifecycle_was_down:
                self._lifecycle_was_down = False
                self._registry.lifecycle_missed()
            return
        self._lifecycle_since.pop(conn_id, None)
        if not self._lifecycle_since:
            self._lifecycle_was_down = True
            self._log.error("no lifecycle connection is up: changes of markets are missed until one is")
        elif self._clock.seconds() - min(self._lifecycle_since.values()) < MAX_UNNOTICED:
            self._registry.lifecycle_missed()

    def _is_paused(self) -> bool:
        return self.admin.paused_since is not None

    def _is_ready(self) -> bool:
        has_lifecycle = any(c.role is Role.LIFECYCLE for c in self._connections.values())
        return len(self._live) >= self._min_healthy and (not has_lifecycle or bool(self._lifecycle_since))

    def _fire_if_ready(self) -> None:
        if self._waiting and self._is_ready():
            self._cancel_deadline()
            waiting, self._waiting = self._waiting, []
            for ready in waiting:
                ready.callback(None)

    def _took_too_long(self) -> None:
        self._deadline = None
        if self._is_ready():
            return
        reasons = Counter(c.last_error for c in self._connections.values() if not c.is_live)
        reason, count = reasons.most_common(1)[0]
        error = StartupFailed(
            f"{len(self._live)} of {len(self._connections)} connections live after {self._start_timeout:.0f} s, "
            f"{self._min_healthy} needed with a lifecycle channel among them; {count} of the others say: {reason}"
        )
        waiting, self._waiting = self._waiting, []
        for ready in waiting:
            ready.errback(Failure(error))

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
