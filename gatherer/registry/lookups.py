"""REST look-ups of single markets: those that vanished, closed, or never sent a book."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
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


class LookUps:
    """Asks REST about the markets that the table has queued, and passes the resulting changes on."""

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
        self._task = PeriodicTask(clock, "market look-up", self._ask_all)
        self._backoff = Backoff(5.0, 120.0, 2.0, 0.2, random)
        self._not_before = float("-inf")

    def wake(self) -> None:
        """Ask soon, if there is anything to ask; not before the wait after a failure is over."""
        if self._table.lookups_waiting():
            self._task.run_within(max(GATHER_SECONDS, self._not_before - self._clock.seconds()))

    def stop(self) -> Deferred[None]:
        """Fires with None when no request is open."""
        return self._task.stop()

    async def _ask_all(self) -> float | None:
        while tickers := self._table.take_lookups(BATCH):
            try:
                await self._ask(tickers)
            except RestError as error:
                self._table.look_up(tickers)  # those already answered are asked again: that does no harm
                wait = self._backoff.next()
                self._not_before = self._clock.seconds() + wait
                self._log.warn("look-up failed: {error}; again in {wait:.0f} s", error=error, wait=wait)
                return wait
            self._backoff.reset()
        return None

    async def _ask(self, tickers: list[str]) -> None:
        asked_at = self._clock.seconds()
        missing = dict.fromkeys(tickers)
        async for page in self._rest.markets(tickers=tickers, multivariate="include"):
            for row in page:
                missing.pop(row.ticker, None)
            self._conclude([(row.ticker, row) for row in page], asked_at)
        # A row may also be missing because it could not be read: only a 404 says that a market is gone.
        for ticker in missing:
            await self._ask_alone(ticker)

    async def _ask_alone(self, ticker: str) -> None:
        asked_at = self._clock.seconds()
        try:
            row = await self._rest.market(ticker)
        except RestError as error:
            if error.status != 200:
                raise
            # The answer came but is unreadable: one odd market must not hold up the others. The next walk asks again.
            self._log.warn("{ticker} stays as it is: {error}", ticker=ticker, error=error)
            return
        self._conclude([(ticker, row)], asked_at)

    def _conclude(self, answers: list[tuple[str, MarketRow | None]], asked_at: float) -> None:
        now = self._wall() / 1e9
        changes: list[MarketChange] = []
        for ticker, row in answers:
            changes += self._table.looked_up(ticker, row, asked_at, now)
        self._pass_on(changes)
