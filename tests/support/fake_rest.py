"""A REST side. The test decides its markets, failures and pauses."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from gatherer.errors import RestError
from gatherer.interfaces import IExchangeRest
from gatherer.values import ExchangeStatus, MarketRow

FILTERS = {"initialized": "unopened", "active": "open", "inactive": "paused"}


@implementer(IExchangeRest)
class FakeRest:
    """Serves `rows` in pages of `page_size`; while `failing`, every request fails; while `held`, none is answered."""

    def __init__(self, *rows: MarketRow, page_size: int = 2) -> None:
        self.rows = {row.ticker: row for row in rows}
        self.page_size = page_size
        self.status = ExchangeStatus(True, True)
        self.failing = False
        self.failing_from_page: int | None = None
        self.held: list[Deferred[None]] | None = None
        self.unreadable: set[str] = set()
        self.refused: set[str] = set()
        """Tickers whose requests get HTTP 400."""
        self.broken: set[str] = set()
        """Tickers that no list names, and whose own requests get HTTP 500."""
        self.asked: list[str] = []
        self.errors: Counter[str] = Counter()

    def put(self, *rows: MarketRow) -> None:
        """Add or replace markets."""
        self.rows.update((row.ticker, row) for row in rows)

    async def exchange_status(self) -> ExchangeStatus:
        await self._request("status")
        return self.status

    async def markets(
        self, status: str | None = None, multivariate: str = "exclude", tickers: Sequence[str] | None = None
    ) -> AsyncIterator[list[MarketRow]]:
        if self.refused.intersection(tickers or ()):
            self.asked.append(f"tickers {len(tickers or ())} refused")
            raise RestError("markets", "no such name", 400)
        what = status if tickers is None else "tickers " + ",".join(tickers)
        rows = [row for row in self.rows.values() if self._fits(row, status, tickers)]
        for number, begin in enumerate(range(0, max(1, len(rows)), self.page_size)):
            await self._request(f"{what}", number)
            yield rows[begin : begin + self.page_size]

    async def market(self, ticker: str) -> MarketRow | None:
        await self._request(f"market {ticker}")
        if ticker in self.broken:
            raise RestError("market", "out of order", 500)
        if ticker in self.unreadable | self.refused:
            self.errors["market"] += 1
            raise RestError("market", "unreadable", 200)
        return self.rows.get(ticker)

    def close(self) -> Deferred[None]:
        return succeed(None)

    def _fits(self, row: MarketRow, status: str | None, tickers: Sequence[str] | None) -> bool:
        if row.ticker in self.unreadable | self.broken:
            return False
        if tickers is not None:
            return row.ticker in tickers
        return status is None or FILTERS.get(row.status, "closed") == status

    async def _request(self, what: str, page: int = 0) -> None:
        self.asked.append(what)
        if self.held is not None:
            held: Deferred[None] = Deferred()
            self.held.append(held)
            await held
        if self.failing or (self.failing_from_page is not None and page >= self.failing_from_page):
            self.errors[what.split()[0]] += 1
            raise RestError(what, "out of order", 503)
