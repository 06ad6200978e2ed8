"""REST look-ups of single markets: those that vanished, closed, or never sent a book."""

from collections import OrderedDict
from collections.abc import Callable

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gatherer.core.backoff import Backoff
from gatherer.core.markets.table import MarketTable
from gatherer.errors import RestError
from gatherer.interfaces import IExchangeRest
from gatherer.registry.periodic import PeriodicTask
from gatherer.values import MarketChange, MarketRow

BATCH = 300
"""Tickers in one request: so many are known to work (protocol section 6)."""

GATHER_SECONDS = 1.0
"""Seconds to wait for other markets, which share the request."""

REFUSED = frozenset({200, 400, 413, 414, 422})
"""HTTP statuses that are about the tickers of a request: its answer cannot be read, or it is refused. To send the same
request again does not help. Without its odd ticker it works."""


class _Pause:
    """The growing wait after failures."""

    def __init__(self, clock: IReactorTime, random: Callable[[], float]) -> None:
        self._clock = clock
        self._backoff = Backoff(5.0, 120.0, 2.0, 0.2, random)
        self._until = float("-inf")

    def left(self) -> float:
        """Seconds until the next request may be sent; negative if that was earlier."""
        return self._until - self._clock.seconds()

    def begin(self) -> float:
        """A request failed; seconds to wait."""
        wait = self._backoff.next()
        self._until = self._clock.seconds() + wait
        return wait

    def end(self) -> None:
        """A request succeeded."""
        self._backoff.reset()


class LookUps:
    """Asks REST about the markets that the table has queued, and passes the resulting changes on.

    A market that is missing from the answer to a batch is asked for alone, by another task: its request may take
    minutes to fail, and the batches do not wait for it.
    """

    _log = Logger()

    def __init__(
        self,
        rest: IExchangeRest,
        clock: IReactorTime,
        wall: Callable[[], int],
        table: MarketTable,
        pass_on: Callable[[list[MarketChange]], None],
        random: Callable[[], float],
    ) -> None:
        self._rest = IExchangeRest(rest)
        self._clock = clock
        self._wall = wall
        self._table = table
        self._pass_on = pass_on
        self._batches = PeriodicTask(clock, "market look-up", self._ask_batches)
        self._batch_pause = _Pause(clock, random)
        self._alone: OrderedDict[str, None] = OrderedDict()  # a plain dict searches for its first key
        """Markets to ask for alone."""
        self._singles = PeriodicTask(clock, "look-up of one market", self._ask_singles)
        self._single_pause = _Pause(clock, random)

    def wake(self) -> None:
        """Ask soon, if there is anything to ask; not before the wait after a failure is over."""
        if self._table.lookups_waiting():
            self._batches.run_within(max(GATHER_SECONDS, self._batch_pause.left()))

    def stop(self) -> Deferred[None]:
        """Fires with None when no request is open."""
        return gatherResults([self._batches.stop(), self._singles.stop()]).addCallback(lambda _: None)

    async def _ask_batches(self) -> float | None:
        while tickers := self._table.take_lookups(BATCH):
            try:
                await self._ask(tickers)
            except RestError as error:
                self._table.look_up(tickers)  # those already answered are asked again: that does no harm
                wait = self._batch_pause.begin()
                self._log.warn("look-up failed: {error}; again in {wait:.0f} s", error=error, wait=wait)
                return wait
            except Exception:  # a bug of ours must not make the table forget them
                self._table.look_up(tickers)
                raise
            self._batch_pause.end()
        return None

    async def _ask(self, tickers: list[str]) -> None:
        asked_at = self._clock.seconds()
        missing = dict.fromkeys(tickers)
        try:
            async for page in self._rest.markets(tickers=tickers, multivariate="include"):
                for row in page:
                    missing.pop(row.ticker, None)
                self._conclude([(row.ticker, row) for row in page], asked_at)
        except RestError as error:
            if error.status not in REFUSED:
                raise
            self._log.warn("look-up of {count} markets: {error}", count=len(tickers), error=error)
            if len(tickers) > 1:  # one odd ticker must not hold up the others
                middle = len(tickers) // 2
                await self._ask(tickers[:middle])
                await self._ask(tickers[middle:])
                return
        # A row may also be missing because it could not be read: only a 404 says that a market is gone.
        self._alone.update(missing)
        if self._alone:
            self._singles.run_within(max(0.0, self._single_pause.left()))

    async def _ask_singles(self) -> float | None:
        while self._alone:
            ticker, _ = self._alone.popitem(last=False)
            try:
                await self._ask_alone(ticker)
            except RestError as error:
                self._alone[ticker] = None  # after the others
                wait = self._single_pause.begin()
                self._log.warn(
                    "look-up of {ticker} failed: {error}; again in {wait:.0f} s", ticker=ticker, error=error, wait=wait
                )
                return wait
            self._single_pause.end()
        return None

    async def _ask_alone(self, ticker: str) -> None:
        asked_at = self._clock.seconds()
        try:
            row = await self._rest.market(ticker)
        except RestError as error:
            if error.status not in REFUSED:
                raise
            # The exchange answered, but not with a market that can be read. The next walk asks again.
            self._log.warn("{ticker} stays as it is: {error}", ticker=ticker, error=error)
            return
        self._conclude([(ticker, row)], asked_at)

    def _conclude(self, answers: list[tuple[str, MarketRow | None]], asked_at: float) -> None:
        now = self._wall() / 1e9
        changes: list[MarketChange] = []
        for ticker, row in answers:
            changes += self._table.looked_up(ticker, row, asked_at, now)
        self._pass_on(changes)
