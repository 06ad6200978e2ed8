"""The pool of connections: who carries which market, and whether the pool does its job."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.core.interfaces import IAllocator
from gatherer.core.layout import Role, Slot, dial_order
from gatherer.core.messages import Change, MarketChange
from gatherer.core.refusals import Refusals
from gatherer.errors import NoCapacity, StartupFailed, UpgradeRefused
from gatherer.interfaces import (
    IConnection,
    IConnectionManager,
    IConnectionOwner,
    IMarketChangeListener,
    IMarketRegistry,
)
from gatherer.rehoming import Rehoming

UNNOTICED = 60.0
"""Seconds a socket can be dead at most before its silence is noticed: twice the usual `ping_timeout`."""
MOST_MOVES = 10_000
"""Moves that `explain` remembers."""


@implementer(IConnectionManager, IMarketChangeListener, IConnectionOwner)
class ConnectionManager(MultiService):
    """Acts on the registry's changes in the same call, so there is no queue that could overflow: a change is
    an edit of a set, and the sockets are pulled towards the sets in their own time."""

    _log = Logger()

    def __init__(
        self, plan: Sequence[Slot], make_connection: Callable[[Slot, Any], Any], allocator: Any, registry: Any,
        clock: IReactorTime, capacity: int, min_healthy: int, start_timeout: float,
        rehome_after: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self._allocator = IAllocator(allocator)
        self._registry = IMarketRegistry(registry)
        self._clock = clock
        self._capacity = capacity
        self._min_healthy = min(min_healthy, len(plan))
        self._start_timeout = start_timeout
        self._connections: dict[int, Any] = {slot.conn_id: IConnection(make_connection(slot, self)) for slot in plan}
        self._unplaced: OrderedDict[str, None] = OrderedDict()  # a dict finds its first again by a search
        self._refusals = Refusals()
        self._rehoming = Rehoming(clock, rehome_after, self._rehome)
        self._moves: deque[dict[str, Any]] = deque(maxlen=MOST_MOVES)
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
        super().startService()

    def stopService(self) -> Deferred[Any]:
        """See `IConnectionManager`."""
        self._cancel_deadline()
        self._rehoming.stop()
        self._waiting = []
        return super().stopService()

    def when_ready(self) -> Deferred[None]:
        """See `IConnectionManager`."""
        ready: Deferred[None] = Deferred()
        self._waiting.append(ready)
        self._tell_if_ready()
        return ready

    def connections(self) -> list[Any]:
        """See `IConnectionManager`."""
        return [self._connections[conn_id] for conn_id in sorted(self._connections)]

    def status(self) -> dict[str, Any]:
        """See `IConnectionManager`."""
        connections = [connection.status() for connection in self.connections()]
        sums = {key: sum(c[key] for c in connections) for key in ("wanted", "held", "owed", "pending", "rejected")}
        return {
            "connections": connections, "healthy": len(self._live), "min_healthy": self._min_healthy,
            "alarm": self._refusals.alarm, "unplaced": len(self._unplaced),
            "markets": sums["wanted"] + len(self._unplaced),
            "divergence": sum(c["divergence"] for c in connections) + len(self._unplaced), **sums,
        }  # fmt: skip

    def explain(self, ticker: str) -> dict[str, Any]:
        """See `IConnectionManager`."""
        conn_id = self._allocator.where(ticker)
        connection = None if conn_id is None else self._connections[conn_id].describe(ticker)
        moves = [move for move in self._moves if move["ticker"] == ticker]
        why = moves[-1]["why"] if moves else "least loaded when it was added"
        return {
            "ticker": ticker, "registry": self._registry.describe(ticker), "unplaced": ticker in self._unplaced,
            "connection": connection, "why_there": None if connection is None else why, "moves": moves,
        }  # fmt: skip

    # -- IMarketChangeListener ----------------------------------------------------------------

    def markets_changed(self, changes: Sequence[MarketChange]) -> None:
        """See `IMarketChangeListener`."""
        for change in changes:
            if change.change is Change.ADD:
                self._place(change.ticker)
            elif change.change is Change.REMOVE:
                self._remove(change.ticker)
            else:
                self._refresh(change.ticker)
        self._place_the_unplaced()

    # -- IConnectionOwner ---------------------------------------------------------------------

    def connection_changed(self, connection: Any) -> None:
        """See `IConnectionOwner`."""
        conn_id, live = connection.conn_id, connection.is_live
        if connection.role is Role.ORDERBOOK:
            self._allocator.set_available(conn_id, live)
            (self._rehoming.up if live or not self.running else self._rehoming.down)(connection)
        if live != (conn_id in self._live):
            (self._live.add if live else self._live.discard)(conn_id)
            if self.running:
                self._flipped(connection, live)
        self._tell_if_ready()

    def upgrade_refused(self, error: UpgradeRefused) -> None:
        """See `IConnectionOwner`."""
        alarm = self._refusals.refused(error.status, error.body, error.clock_skew)
        if alarm is not None:
            self._log.critical("ALARM: {alarm}", alarm=alarm)

    def upgrade_accepted(self) -> None:
        """See `IConnectionOwner`."""
        if self._refusals.accepted():
            self._log.info("upgrades are accepted again")

    def lifecycle(self, payloads: list[bytes]) -> None:
        """See `IConnectionOwner`."""
        self._registry.lifecycle_messages(payloads)

    def lifecycle_gap(self) -> None:
        """See `IConnectionOwner`. The other leg may have them, but a walk is cheap and certain."""
        self._registry.lifecycle_missed()

    def silent(self, tickers: list[str]) -> None:
        """See `IConnectionOwner`."""
        self._log.warn("{n} markets sent no book although asked twice, first {first}", n=len(tickers), first=tickers[0])
        for ticker in tickers:
            self._registry.market_missed(ticker)

    def over_limit(self, connection: Any, tickers: list[str], capacity: int) -> None:
        """See `IConnectionOwner`. The limit holds until the connection is made anew."""
        self._log.warn(
            "connection {conn_id} takes no more than {capacity} markets: moving {n}",
            conn_id=connection.conn_id, capacity=capacity, n=len(tickers),
        )  # fmt: skip
        self._allocator.set_capacity(connection.conn_id, capacity)
        for ticker in tickers:
            self._move(connection, ticker, "market limit")

    # -- helpers ------------------------------------------------------------------------------

    def _place(self, ticker: str) -> None:
        try:
            conn_id = self._allocator.assign(ticker)
        except NoCapacity as error:
            if not self._unplaced:
                self._log.error("no connection for {ticker}: {error}; it waits", ticker=ticker, error=error)
            self._unplaced[ticker] = None
        else:
            self._connections[conn_id].want(ticker)

    def _place_the_unplaced(self) -> None:
        while self._unplaced:
            ticker = next(iter(self._unplaced))
            try:
                conn_id = self._allocator.assign(ticker)
            except NoCapacity:
                return
            self._unplaced.popitem(last=False)
            self._connections[conn_id].want(ticker)

    def _move(self, connection: Any, ticker: str, why: str) -> None:
        """From a connection to the least loaded other one, or to those that wait."""
        self._allocator.release(ticker)
        connection.unwant(ticker, moved=True)
        self._place(ticker)
        self._moves.append({
            "ticker": ticker, "at": self._clock.seconds(), "from": connection.conn_id,
            "to": self._allocator.where(ticker), "why": why,
        })  # fmt: skip

    def _rehome(self, connection: Any) -> None:
        moved = 0
        for ticker in list(connection.wanted):
            if not self._allocator.has_room():
                break
            self._move(connection, ticker, f"connection {connection.conn_id} down too long")
            moved += 1
        if moved:
            self._log.warn(
                "connection {conn_id} stays down: {moved} of its markets moved to the others",
                conn_id=connection.conn_id, moved=moved,
            )  # fmt: skip

    def _remove(self, ticker: str) -> None:
        self._unplaced.pop(ticker, None)
        conn_id = self._allocator.release(ticker)
        if conn_id is not None:
            self._connections[conn_id].unwant(ticker)

    def _refresh(self, ticker: str) -> None:
        conn_id = self._allocator.where(ticker)
        if conn_id is not None:
            self._connections[conn_id].refresh(ticker)

    def _flipped(self, connection: Any, live: bool) -> None:
        if connection.role is Role.LIFECYCLE:
            self._lifecycle_flipped(connection.conn_id, live)
        elif connection.role is Role.ORDERBOOK and live:
            self._allocator.set_capacity(connection.conn_id, self._capacity)
            self._place_the_unplaced()

    def _lifecycle_flipped(self, conn_id: int, live: bool) -> None:
        """A leg may have been dead for `ping_timeout` before that is noticed. So the loss of one is none of messages
        only if another leg has been live for longer than that."""
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
        elif self._clock.seconds() - min(self._lifecycle_since.values()) < UNNOTICED:
            self._registry.lifecycle_missed()

    def _is_ready(self) -> bool:
        has_lifecycle = any(c.role is Role.LIFECYCLE for c in self._connections.values())
        return len(self._live) >= self._min_healthy and (not has_lifecycle or bool(self._lifecycle_since))

    def _tell_if_ready(self) -> None:
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
