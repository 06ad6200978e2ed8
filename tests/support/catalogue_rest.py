"""REST with the simulated exchange's answers, without HTTP: slow, in short pages, on request failing or old."""

from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from zope.interface import implementer

from gatherer.core.wire.rest_bodies import MarketPage, decode_market, decode_page, decode_status
from gatherer.errors import RestError
from gatherer.interfaces import IExchangeRest
from gatherer.simulator.exchange import Exchange
from gatherer.simulator.markets.market import SimulatedMarket
from gatherer.simulator.rest.filters import STATUSES, market_filter, read_cursor, write_cursor
from gatherer.values import ExchangeStatus, MarketRow

FILTER_OF = {status.value: word for word, statuses in STATUSES.items() for status in statuses}


@implementer(IExchangeRest)
class CatalogueRest:
    """Each request takes `latency` seconds and meets the first of `fates`: None for an answer, or an HTTP status
    (0: no answer at all). While `down` is set, all fail with that status. A page that fails ends its walk."""

    def __init__(self, exchange: Exchange, clock: Any, latency: float, page_size: int) -> None:
        self._exchange = exchange
        self._clock = clock
        self.latency = latency
        self._page_size = page_size
        self.errors: Counter[str] = Counter()
        self.fates: deque[int | None] = deque()
        self.down: int | None = None
        self.odd: dict[str, int] = {}
        """Markets that no list has, and the HTTP status of their own requests (200: it cannot be read)."""
        self.requests = 0
        self.walks = 0
        """How many began."""
        self.stale_answers = 0
        self._old: dict[str, MarketRow] = {}
        self._old_answers = 0

    # -- what can go wrong ---------------------------------------------------------------------

    def remember(self) -> None:
        """Take a copy of all rows, for `answer_from_memory`."""
        markets = self._exchange.listing.markets
        rows = (self._row(market) for market in markets if not market.event.multivariate)
        self._old = {row.ticker: row for row in rows}

    def answer_from_memory(self, times: int) -> None:
        """The next lists of markets come from the copy."""
        self._old_answers = times if self._old else 0

    def calm(self) -> None:
        """End all faults."""
        self.fates.clear()
        self.odd.clear()
        self.down = None
        self._old_answers = 0

    # -- IExchangeRest -------------------------------------------------------------------------

    async def exchange_status(self) -> ExchangeStatus:
        await self._request("status")
        return decode_status(200, self._exchange.rest.get("/exchange/status", {}).body)

    async def markets(
        self, status: str | None = None, multivariate: str = "exclude", tickers: Sequence[str] | None = None
    ) -> AsyncIterator[list[MarketRow]]:
        query = {"limit": [str(self._page_size)]}
        if status is not None:
            query["status"] = [status]
            self.walks += status == "unopened"
        if multivariate != "include":
            query["mve_filter"] = [multivariate]
        if tickers is not None:
            query["tickers"] = [",".join(tickers)]
        while True:
            await self._request("markets")
            if self._old_answers:
                self._old_answers -= 1
                self.stale_answers += 1
                yield [row for row in self._old.values() if _fits(row, status, tickers)]
                return
            page = self._page(query)
            yield [row for row in page.rows if row.ticker not in self.odd] if self.odd else page.rows
            if not page.cursor:
                return
            query["cursor"] = [page.cursor]

    async def market(self, ticker: str) -> MarketRow | None:
        await self._request("market")
        if ticker in self.odd:
            raise RestError("market", "an odd market", self.odd[ticker])
        answer = self._exchange.rest.get(f"/markets/{ticker}", {})
        return decode_market(answer.status, answer.body)

    def close(self) -> Deferred[None]:
        return succeed(None)

    # -- helpers -------------------------------------------------------------------------------

    def _page(self, query: dict[str, list[str]]) -> MarketPage:
        return decode_page(200, self._exchange.rest.get("/markets", query).body)

    @staticmethod
    def _row(market: SimulatedMarket) -> MarketRow:
        times = (datetime.fromtimestamp(moment, UTC) for moment in (market.open_ts, market.close_ts))
        return MarketRow(market.ticker, market.status.value, *times)

    async def _request(self, endpoint: str) -> None:
        self.requests += 1
        await deferLater(self._clock, self.latency)
        fate = self.fates.popleft() if self.fates else None
        fate = self.down if fate is None else fate
        if fate is not None:
            self.errors[endpoint] += 1
            raise RestError(endpoint, "out of order", fate or None)


@implementer(IExchangeRest)
class ListingRest(CatalogueRest):
    """The same answers without JSON: a day has some hundred walks over thousands of markets."""

    def __init__(self, exchange: Exchange, clock: Any, latency: float, page_size: int) -> None:
        super().__init__(exchange, clock, latency, page_size)
        self._rows: dict[tuple[int, str, int, int], MarketRow] = {}

    def _page(self, query: dict[str, list[str]]) -> MarketPage:
        listing = self._exchange.listing
        candidates, wanted = market_filter(query, listing)
        found: list[MarketRow] = []
        for market in listing.after(candidates, read_cursor(query)):
            if len(found) == self._page_size:
                return MarketPage(found, write_cursor(market.index), [])
            if wanted(market):
                found.append(self._cached(market))
        return MarketPage(found, "", [])

    def _cached(self, market: SimulatedMarket) -> MarketRow:
        key = (market.index, market.status.value, market.open_ts, market.close_ts)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = self._row(market)
        return row


def _fits(row: MarketRow, status: str | None, tickers: Sequence[str] | None) -> bool:
    if tickers is not None:
        return row.ticker in tickers
    return status is None or FILTER_OF.get(row.status, "closed") == status
