"""Which markets exist and which to carry: REST walks, lifecycle events, timers and look-ups around `MarketTable`."""

import random as standard_random
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from gatherer.core.backoff import Backoff
from gatherer.core.markets.table import MarketTable
from gatherer.core.wire.lifecycle import decode_lifecycle
from gatherer.errors import LocalProtocolError, RemoteProtocolError, RestError
from gatherer.interfaces import IExchangeRest, IMarketChangeListener, IMarketRegistry, RegistryStatus
from gatherer.registry.exchange_status import ExchangeStatusPoller
from gatherer.registry.lookups import LookUps
from gatherer.registry.periodic import PeriodicTask
from gatherer.values import Change, Facts, MarketChange, MarketRow

WALKED = ("open", "unopened")
"""The filters of a walk, in turn: what is open already can be subscribed first."""

MIN_GAP = 30.0
"""Seconds between two walks at least, however many events are missed."""

PROGRESS_SECONDS = 10.0
"""Seconds between two log lines of a walk, which takes minutes."""

CHUNK = 500
"""Rows or changes handled in one reactor turn: together with the listener's work a few milliseconds."""


class _Life(Enum):
    """A registry is started at most once, and not after its end."""

    NEW = "new"
    RUNNING = "running"
    STOPPED = "stopped"


@implementer(IMarketRegistry)
class MarketRegistry:
    """See `IMarketRegistry`. Timers follow the clock of the reactor, which may be monotonic. The exchange's opening and
    closing times are compared with the wall clock."""

    _log = Logger()

    def __init__(
        self,
        rest: IExchangeRest,
        clock: IReactorTime,
        wall: Callable[[], int],
        reconcile_interval: float = 300.0,
        status_interval: float = 60.0,
        multivariate: str = "exclude",
        random: Callable[[], float] = standard_random.random,
        table: MarketTable | None = None,
    ) -> None:
        """`wall` gives Unix time in ns; intervals are in seconds; `multivariate` as in `IExchangeRest.markets`."""
        self._rest = IExchangeRest(rest)
        self._clock = clock
        self._wall = wall
        self._reconcile_interval = reconcile_interval
        self._multivariate = multivariate
        self._table = table or MarketTable()
        self._listener: IMarketChangeListener | None = None
        self._life = _Life.NEW
        self._first_walk: Deferred[int] = Deferred()
        self._timer: IDelayedCall | None = None
        self._due: float | None = None
        self._walks = PeriodicTask(clock, "market walk", self._walk)
        self._lookups = LookUps(self._rest, clock, wall, self._table, self._table_changed, random)
        self._exchange = ExchangeStatusPoller(self._rest, clock, status_interval)
        self._walk_backoff = Backoff(5.0, 120.0, 2.0, 0.2, random)
        self._missed = False
        self._walk_ended = float("-inf")
        self._duration: float | None = None
        self._last_sync: float | None = None
        self._events: Counter[str] = Counter()

    def start(self, listener: IMarketChangeListener) -> Deferred[int]:
        if self._life is not _Life.NEW:
            raise LocalProtocolError("the registry was started twice, or after its end")
        self._listener = IMarketChangeListener(listener)
        self._life = _Life.RUNNING
        self._table_changed([MarketChange(ticker, Change.ADD) for ticker in self._table.active()])
        self._exchange.start()
        self._walks.run_within()
        return self._first_walk

    def set_intervals(self, reconcile: float, status: float) -> None:
        """Seconds between two walks and between two looks at the exchange's status, from now on."""
        self._reconcile_interval = reconcile
        if self._life is _Life.RUNNING and not self._walks.busy:
            self._walks.run_within(reconcile)
        self._exchange.set_interval(status)

    def stop(self) -> Deferred[None]:
        before, self._life = self._life, _Life.STOPPED
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if before is _Life.RUNNING and not self._first_walk.called:
            self._first_walk.cancel()
        ends = [part.stop() for part in (self._walks, self._lookups, self._exchange)]
        return gatherResults(ends).addCallback(lambda _: None)

    def lifecycle_messages(self, batch: list[bytes]) -> None:
        if self._life is _Life.STOPPED:
            return
        now, at = self._now(), self._clock.seconds()
        changes: list[MarketChange] = []
        for data in batch:
            changes += self._lifecycle(data, now, at)
        self._table_changed(changes)

    def lifecycle_missed(self) -> None:
        self._missed = True  # pages that were read before may be out of date, so the walk under way is not enough
        if self._life is _Life.RUNNING and not self._walks.busy:
            self._walks.run_within(max(0.0, self._walk_ended + MIN_GAP - self._clock.seconds()))

    def clock_stepped(self) -> None:
        self._due = None  # the timer was set by the clock as it was before
        self._table_changed([])

    def market_missed(self, ticker: str) -> None:
        # The next walk is not enough: it lists open markets, and only a look-up says what became of this one.
        self._table.look_up([ticker])
        self._table_changed([])

    def active(self) -> AbstractSet[str]:
        return self._table.active()

    def describe(self, ticker: str) -> Facts | None:
        facts = self._table.describe(ticker)
        if facts is not None and facts["last_event_at"] is not None:
            facts["last_event_at"] += self._now() - self._clock.seconds()
        return facts

    def status(self) -> RegistryStatus:
        return RegistryStatus(
            markets_total=len(self._table),
            active_markets=len(self._table.active()),
            lifecycle_events=dict(self._events),
            unknown_statuses=dict(self._table.unknown_statuses),
            reconcile_duration=self._duration,
            reconcile_interval=self._reconcile_interval,
            rest_errors=dict(self._rest.errors),
            last_sync=self._last_sync,
            exchange_active=self._exchange.exchange_active,
            trading_active=self._exchange.trading_active,
            shards=self._exchange.shards(),
        )

    # Changes

    def _pass_on(self, changes: Sequence[MarketChange]) -> None:
        """Pass changes to the listener. There is none before `start`, which passes all that is active by then."""
        if not changes or self._listener is None or self._life is not _Life.RUNNING:
            return
        try:
            self._listener.markets_changed(changes)
        except Exception:  # a broken listener must not end the walk that feeds it
            self._log.failure("the listener failed on {count} market changes", count=len(changes))

    def _table_changed(self, changes: Sequence[MarketChange]) -> None:
        """Pass the changes on; then set the timer to the next due time and start look-ups."""
        self._pass_on(changes)
        if self._life is not _Life.RUNNING:
            return
        self._lookups.wake()
        due = self._table.next_due()
        if self._timer is not None and due != self._due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and due is not None:
            self._due = due
            self._timer = self._clock.callLater(max(0.0, due - self._now()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._table_changed(self._table.tick(self._now(), CHUNK))

    def _now(self) -> float:
        """Unix time in seconds."""
        return self._wall() / 1e9

    async def _breathe(self) -> None:
        """Let the reactor do other work."""
        await deferLater(self._clock, 0)

    # Events

    def _lifecycle(self, data: bytes, now: float, at: float) -> list[MarketChange]:
        try:
            kind, event = decode_lifecycle(data)
        except RemoteProtocolError as error:
            self._count("undecodable")
            self._log.debug("{error}", error=error)
            return []
        self._count(kind)
        if event is None or (self._multivariate == "exclude" and event.ticker.startswith("KXMVE")):
            return []
        return self._table.lifecycle(event, now, at)

    def _count(self, kind: str) -> None:
        """At most 50 names: they come from the network and become metric labels."""
        self._events[kind if kind in self._events or len(self._events) < 50 else "other"] += 1

    # Walks

    async def _walk(self) -> float:
        """One reconciliation; seconds until the next. A walk that fails makes no market vanish."""
        started = self._clock.seconds()
        self._missed = False
        try:
            rows = await self._read_all(started)
        except RestError as error:
            wait = self._walk_backoff.next()
            self._log.warn("market walk failed: {error}; again in {wait:.0f} s", error=error, wait=wait)
            self._walk_ended = self._clock.seconds()
            return wait
        await self._sweep()
        self._walk_done(rows, started)
        return MIN_GAP if self._missed else self._reconcile_interval

    async def _read_all(self, started: float) -> int:
        """Feed every page to the table; the number of rows."""
        self._table.walk_started(started)
        rows, logged = 0, started
        for status in WALKED:
            async for page in self._rest.markets(status=status, multivariate=self._multivariate):
                await self._take_rows(page)
                rows += len(page)
                if (now := self._clock.seconds()) - logged >= PROGRESS_SECONDS:
                    logged = now
                    self._progress(status, rows, now - started)
        return rows

    def _progress(self, status: str, rows: int, seconds: float) -> None:
        self._log.info(
            "walking {status} markets: {rows} rows in {seconds:.0f} s, {rate:.0f} rows/s, {active} active",
            status=status,
            rows=rows,
            seconds=seconds,
            rate=rows / seconds,
            active=len(self._table.active()),
        )

    async def _take_rows(self, page: list[MarketRow]) -> None:
        for begin in range(0, len(page), CHUNK):
            await self._breathe()  # the turn so far has decoded the page
            self._table_changed(self._table.rows(page[begin : begin + CHUNK], self._now()))

    async def _sweep(self) -> None:
        for _ in self._table.walk_finished():
            await self._breathe()
        self._table_changed([])

    def _walk_done(self, rows: int, started: float) -> None:
        self._walk_backoff.reset()
        self._walk_ended, self._last_sync = self._clock.seconds(), self._now()
        self._duration = self._walk_ended - started
        self._log.info(
            "market walk done: {rows} rows in {seconds:.1f} s, {active} active markets",
            rows=rows,
            seconds=self._duration,
            active=len(self._table.active()),
        )
        if not self._first_walk.called:
            self._first_walk.callback(len(self._table.active()))
