"""The whole service in memory: registry, manager, connections, sessions; the simulated exchange; one clock."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from twisted.logger import globalLogPublisher

from gatherer.app.service import Gatherer
from gatherer.simulator.exchange import Exchange
from gatherer.simulator.markets.market import Status
from tests.support.audit import Auditor
from tests.support.catalogue_rest import CatalogueRest
from tests.support.disk_router import DiskRouter
from tests.support.heap_clock import HeapClock
from tests.support.memory_client import Heart, Wire
from tests.support.pool import HEARTBEAT, START, Pool
from tests.support.recording import LoggedBugs, RecordedRegistry

PERIODIC = {
    "SocketTimers._no_ping": "the watchdog of each open socket",
    "PoolBalancer._look": "the rates of the connections",
    "PeriodicTask._run": "the walks and the status of the exchange",
    "MarketRegistry._tick": "the next opening or closing time",
    "Heart._beat": "the exchange's pings",
    "Flusher._segment_aged": "the end of a segment",
    "ErrorLog._summarize": "the next line about a kind of error",
}
"""Timers that may stay on the clock while nothing happens."""

MAX_STOP = 10.0
"""Seconds after which a supervisor kills."""
CLOSING = 400.0
"""Seconds after its silent close in which a market must be dropped."""


@dataclass(frozen=True)
class Size:
    """The size of the service, and the delays."""

    markets: int = 12
    unopened: int = 0
    multivariate: int = 0
    churn: float = 0.0
    books: int = 2
    pairs: int = 1
    capacity: int = 100
    batch_size: int = 4
    on_gap: str = "snapshot"
    rehome_after: float = 120.0
    balance_share: float = 0.05
    latency: float = 0.02
    rest_latency: float = 0.3
    page_size: int = 5
    reconcile_interval: float = 300.0
    seed: int = 7
    start: float = START


class MemoryService(Pool):
    """`run` lets time pass on both sides. Every method of the parts may be called between two runs."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.failed: list[str] = []
        self._log = LoggedBugs()
        globalLogPublisher.addObserver(self._log)
        super().__init__(
            size.books, size.markets, size.capacity, size.batch_size, size.on_gap, size.pairs, min_healthy=1,
            rehome_after=size.rehome_after, balance_share=size.balance_share,
        )  # fmt: skip
        self.gatherer = Gatherer(self.router, self.rest, self.manager, self.registry, self.clock, self.failed.append)
        self._next_tick = size.start + 1.0

    def make_clock(self) -> HeapClock:
        return HeapClock(self.size.start)

    def make_exchange(self, markets: int) -> Exchange:
        size = self.size
        return Exchange(
            markets, size.seed, size.start, unopened=size.unopened, multivariate=size.multivariate, churn=size.churn,
            clock=self.clock,
        )  # fmt: skip

    def make_router(self) -> Auditor:
        self.capture = DiskRouter(self.clock)
        return Auditor(self.capture)

    def make_rest(self) -> CatalogueRest:
        """The REST side of the registry."""
        return CatalogueRest(self.exchange, self.clock, self.size.rest_latency, self.size.page_size)

    def make_registry(self) -> "RecordedRegistry":
        self.rest = self.make_rest()
        return RecordedRegistry(
            self.rest, self.clock, self.wall, reconcile_interval=self.size.reconcile_interval, random=lambda: 0.5
        )

    def make_wire(self) -> Wire:
        heart = Heart(self.clock, HEARTBEAT)
        return Wire(self.clock, self.exchange, heart, self.size.latency, on_delivery=self.router.delivery)

    # -- time --------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let time pass. The exchange looks at its own clock once a second."""
        end = self.clock.seconds() + seconds
        while self._next_tick <= end:
            self.clock.run_until(self._next_tick)
            self.exchange.advance(self._next_tick)
            self._next_tick += 1.0
        self.clock.run_until(end)
        self.exchange.advance(end)

    def step(self, seconds: float = 0.0) -> None:
        self.run(seconds)

    def start(self) -> "MemoryService":
        """Dial, walk, subscribe."""
        self.gatherer.startService()
        self.run(0.0)
        return self

    def stop(self, disk: str = "") -> None:
        """Stop. No call may be left on the clock. `disk` is how the disk is spoiled before; then the service may fail
        because of the capture, within the promised time."""
        try:
            done: list[object] = []
            if disk:
                self.capture.spoil(disk)
            self.gatherer.stopService().addBoth(done.append)
            self.exchange.cancel_delayed()
            self.run(MAX_STOP if disk else self.size.latency)
            self.router.check_all()
            left = self.clock.getDelayedCalls()
            failed, self.failed = self.failed, []
            assert done == [None], f"stopped with {done}"
            assert left == [], f"left behind: {left}"
            assert disk or not failed, failed
            found = [*self.faults(), *self.capture.check(is_complete=not failed)]
            assert not found, found
        finally:
            globalLogPublisher.removeObserver(self._log)

    def calm(self) -> None:
        """End all faults. Their damage stays until the service repairs it."""
        self.capture.heal()
        self.rest.calm()
        self.wire.duplicate.clear()
        self.wire.nameless.clear()
        self.exchange.faults.clear()

    def cut_all(self) -> None:
        """Like a deploy of the exchange. With its sockets the service forgets the limits of code 26."""
        self.exchange.faults.cut(count=len(self.clients))

    def channel_of(self, conn_id: int) -> str:
        """What a connection subscribes to."""
        return str(next(c.role.channel for c in self.manager.connections() if c.conn_id == conn_id))

    # -- what must be true -------------------------------------------------------------------

    def trading(self) -> set[str]:
        """Markets that trade on the exchange, without combinations."""
        return self._with(Status.ACTIVE)

    def paused(self) -> set[str]:
        """Markets that usually come back."""
        return self._with(Status.INACTIVE)

    def _with(self, status: Status) -> set[str]:
        listing = self.exchange.listing
        markets = (listing.markets[index] for index in listing.with_status(status))
        return {market.ticker for market in markets if not market.event.multivariate}

    def faults(self) -> list[str]:
        """Errors that may never occur."""
        found = [*self._log.bugs, *self.failed, *self.router.faults]
        if hasattr(self.registry, "recorder"):
            found += [*self.registry.recorder.faults, *self.registry.recorder.differences()]
        return found + list(self._misplaced()) + list(self._without_deadline())

    def _misplaced(self) -> Iterator[str]:
        """At most one connection wants a market, the allocator agrees, and no connection has too many. A market that
        leaves a connection gently is wanted there too, for a while."""
        places, leaving = Counter[str](), self.manager._placement._handovers
        for connection in self.manager.connections():
            wanted = [ticker for ticker in connection.wanted if leaving.source(ticker) != connection.conn_id]
            places.update(wanted)
            if len(wanted) > self.size.capacity:
                yield f"{connection.conn_id} wants {len(wanted)} markets, {self.size.capacity} fit"
            for ticker in wanted:
                if self.allocator.where(ticker) != connection.conn_id:
                    yield f"{ticker} on {connection.conn_id}, allocated to {self.allocator.where(ticker)}"
        yield from (f"{ticker} wanted {count} times" for ticker, count in places.items() if count > 1)
        if hasattr(self.registry, "recorder"):
            reported, placed = self.registry.recorder.reported, places.keys() | set(self.manager._placement.unplaced)
            if reported != placed:
                yield f"reported but not wanted: {reported - placed}; wanted but not reported: {placed - reported}"

    def _without_deadline(self) -> Iterator[str]:
        pending = sum(c.status().pending for c in self.manager.connections())
        timeouts = sum("timeItOut" in repr(call) for call in self.clock.getDelayedCalls())
        if pending != timeouts:
            yield f"{pending} commands pending, {timeouts} deadlines"

    def differences(self) -> list[str]:
        """Errors that may not remain when everything is quiet."""
        return [*self.faults(), *self._unequal(), *self._unfinished(), *self._bookless(), *self._timers()]

    def _unequal(self) -> Iterator[str]:
        copies, active, trading = self.subscribed(), set(self.registry.active()), self.trading()
        yield from self.false_beliefs()
        yield from (f"{ticker} subscribed {count} times" for ticker, count in copies.items() if count > 1)
        placed = active - set(self.manager._placement.unplaced)
        if set(copies) != placed:
            yield f"not subscribed: {placed - set(copies)}, subscribed but not wanted: {set(copies) - placed}"
        if not trading <= active:
            yield f"trading but not active: {trading - active}"
        over = {ticker for ticker in active - trading - self.paused() if not self._just_closed(ticker)}
        if over:
            yield f"active but neither trading nor paused: {over}"

    def _just_closed(self, ticker: str) -> bool:
        """A close sends no event. The registry asks after a grace time, and again if it gets no answer."""
        market = self.exchange.market(ticker)
        return market.status is Status.CLOSED and market.close_ts > self.clock.seconds() - CLOSING

    def _unfinished(self) -> Iterator[str]:
        status = self.manager.status()
        for key in ("owed", "pending", "rejected"):
            if count := getattr(status, key):
                yield f"{key} is {count}"
        if self.manager._placement.twice:
            yield f"{self.manager._placement.twice} markets leave their connection and do not get away"
        if status.divergence != status.unplaced:
            yield f"divergence is {status.divergence}"
        if status.unplaced and (room := self._room()):
            yield f"{status.unplaced} unplaced although there is room on {room}"
        if status.healthy != len(status.connections):
            yield f"{status.healthy} of {len(status.connections)} healthy"

    def _room(self) -> list[int]:
        """Connections with room for another market, by the limits that code 26 revealed."""
        load, capacity = self.allocator.load, self.allocator._capacity
        return [conn_id for conn_id in capacity if load(conn_id) < capacity[conn_id]]

    def is_full(self) -> bool:
        """Whether there are more markets than the connections may take by their settings."""
        return len(self.registry.active()) >= self.size.books * self.size.capacity

    def false_beliefs(self) -> list[str]:
        """Connections that have nothing left to do although the exchange holds something else. Time does not
        repair this, so it is always an error."""
        return [text for c in self.manager.connections() for text in self._believes(c, self.session_of(c.conn_id))]

    def _believes(self, connection: Any, session: Any) -> Iterator[str]:
        status, name = connection.status(), f"connection {connection.conn_id}"
        if session is None or status.pending or status.divergence or not connection.is_live:
            return
        held = session.on_channel(connection.role.channel)
        if session.is_half_open:
            yield f"{name} takes a dead socket for alive"
        elif connection.role.is_global:
            if held is None:
                yield f"{name} has no channel and does not know"
        elif (has := set() if held is None else set(held.markets)) != connection.wanted - set(
            connection._planner.rejected
        ):
            yield f"{name} believes it is settled, but has {has} instead of {connection.wanted}"

    def _bookless(self) -> Iterator[str]:
        connections: list[Any] = self.manager.connections()
        for connection in connections:
            if connection.wanted and connection.is_live:
                missing = connection.wanted - self.router.account(connection.conn_id).books.keys()
                if missing:
                    yield f"no book of {missing} on {connection.conn_id}"
                stale = connection.wanted & self.router.account(connection.conn_id).suspect
                if stale and self.size.on_gap == "snapshot":
                    yield f"no fresh book of {stale} on {connection.conn_id} after a gap"
                if connection._planner.recoveries._recoveries:
                    yield f"gaps without their books on {connection.conn_id}"

    def _timers(self) -> Iterator[str]:
        for call in self.clock.getDelayedCalls():
            if getattr(call.func, "__qualname__", "") not in PERIODIC:
                yield f"a timer is left: {call}"

    def settle(self, seconds: float = 1600.0) -> list[str]:
        """Wait until one moment without errors, for this time at most. Returns the errors that remain."""
        self.calm()
        self.run(60.0)  # late replies, and the watchdog
        found: list[str] = []
        for _ in range(int(seconds / 200)):
            found = self.false_beliefs() or self.differences()
            if not found or self.false_beliefs():
                break
            self.run(200.0)
        return found
