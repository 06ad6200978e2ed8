"""Which markets exist and which to carry: REST walks, lifecycle events, timers and look-ups around `MarketTable`."""

import random as standard_random
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from gatherer.core.backoff import Backoff
from gatherer.core.markets.table import MarketTable
from gatherer.core.wire.lifecycle import decode_lifecycle
from gatherer.errors import LocalProtocolError, RemoteProtocolError, RestError
from gatherer.interfaces import IExchangeRest, IMarketChangeListener, IMarketRegistry, RegistryStatus
from gatherer.registry.exchange_status import ExchangeStatusPoller
from gatherer.registry.handover import Handover
from gatherer.registry.lookups import LookUps
from gatherer.registry.periodic import PeriodicTask
from gatherer.registry.walk import CHUNK, FIRST_WALK, WALK, ListReader, breathe
from gatherer.values import Facts, LifecycleEvent, MarketChange, MarketRow

MIN_GAP = 30.0
"""Seconds between two walks at least, however many events are missed."""

MAX_TIMER = 60.0
"""Seconds until the timer looks at the wall clock again, at most. The reactor's clock may be another one, and small
differences between the two add up."""


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
        self._handover = Handover(self._table.active())
        self._life = _Life.NEW
        self._first_walk: Deferred[int] = Deferred()
        self._timer: IDelayedCall | None = None
        self._due: float | None = None
        self._walks = PeriodicTask(clock, "market walk", self._walk)
        self._lists = ListReader(self._rest, clock, multivariate, self._take_rows, self._table.active())
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
        self._handover.begin(listener)
        self._life = _Life.RUNNING
        self._table_changed([])
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
        self._handover.end()
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
            overlooked=self._table.overlooked,
            repaired=self._handover.repaired,
        )

    # Changes

    def _table_changed(self, changes: Sequence[MarketChange]) -> None:
        """Pass the changes on; then set the timer to the next due time and start look-ups."""
        self._handover.pass_on(changes)
        if self._life is not _Life.RUNNING:
            return
        self._lookups.wake()
        due = self._table.next_due()
        if self._timer is not None and due != self._due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and due is not None:
            self._due = due
            self._timer = self._clock.callLater(min(max(0.0, due - self._now()), MAX_TIMER), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._table_changed(self._table.tick(self._now(), CHUNK))

    def _now(self) -> float:
        """Unix time in seconds."""
        return self._wall() / 1e9

    # Events

    def _lifecycle(self, data: bytes, now: float, at: float) -> list[MarketChange]:
        try:
            kind, event = decode_lifecycle(data)
        except RemoteProtocolError as error:
            self._count("undecodable")
            self._log.debug("{error}", error=error)
            return []
        self._count(kind)
        if event is None or not self._is_ours(event):
            return []
        return self._table.lifecycle(event, now, at)

    def _is_ours(self, event: LifecycleEvent) -> bool:
        """Whether a walk would list the market: events of others come on the same channel."""
        if self._multivariate == "include":
            return True
        return event.ticker.startswith("KXMVE") == (self._multivariate == "only")

    def _count(self, kind: str) -> None:
        """At most 50 names: they come from the network and become metric labels."""
        self._events[kind if kind in self._events or len(self._events) < 50 else "other"] += 1

    # Walks

    async def _walk(self) -> float:
        """One reconciliation; seconds until the next. A walk that fails makes no market vanish."""
        started, overlooked = self._clock.seconds(), self._table.overlooked
        self._missed = False
        self._table.walk_started(started, self._now())
        try:
            rows = await self._lists.read(WALK if self._first_walk.called else FIRST_WALK)
        except RestError as error:
            wait = self._walk_backoff.next()
            self._log.warn("market walk failed: {error}; again in {wait:.0f} s", error=error, wait=wait)
            self._walk_ended = self._clock.seconds()
            return wait
        await self._sweep()
        self._walk_done(rows, started)
        if (found := self._table.overlooked - overlooked) > 0:
            self._log.warn("{found} open markets were in no earlier walk and in no event: walking again", found=found)
        return MIN_GAP if self._missed or found else self._reconcile_interval

    def _take_rows(self, rows: list[MarketRow]) -> None:
        self._table_changed(self._table.rows(rows, self._now()))

    async def _sweep(self) -> None:
        """Look up what vanished, and compare with what the connections carry."""
        for _ in self._table.walk_finished():
            await breathe(self._clock)
        self._table_changed([])
        for _ in self._handover.compare():
            await breathe(self._clock)

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
