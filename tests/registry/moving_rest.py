"""REST lists whose markets move between any two pages, with three kinds of cursors."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from zope.interface import implementer

from gatherer.interfaces import IExchangeRest
from gatherer.values import ExchangeStatus, MarketRow

FILTERS = {"unopened": "initialized", "open": "active"}
PAGE_SECONDS = 1.0
INDEX, TICKER, POSITION = "index", "ticker", "position"
"""A page begins behind a market in the order of listing, behind a ticker, or at a place in the list of the moment. Only
with the last can a market change its page because another one leaves."""


@dataclass(slots=True)
class MovingMarket:
    """The truth about one market."""

    ticker: str
    index: int
    status: str
    open_ts: float
    close_ts: float


@dataclass
class MovingExchange:
    """Moves markets. `announce` gets the events (kind, ticker, times): opening and closing at their time have none."""

    clock: Any
    announce: Callable[..., object]
    markets: dict[str, MovingMarket] = field(default_factory=dict)

    def add(self, ticker: str, status: str, opens_in: float, closes_in: float = 900.0) -> None:
        """List a market without an event."""
        now = self.clock.seconds()
        self.markets[ticker] = MovingMarket(ticker, len(self.markets), status, now + opens_in, now + closes_in)

    def trading(self) -> set[str]:
        """The markets to carry."""
        return {market.ticker for market in self.markets.values() if market.status == "active"}

    def pass_time(self) -> None:
        """What happens by the clock happens without an event."""
        now = self.clock.seconds()
        for market in self.markets.values():
            if market.status == "initialized" and market.open_ts <= now:
                market.status = "active"
            if market.status in ("active", "inactive") and market.close_ts <= now:
                market.status = "closed"

    def move(self, verb: str, ticker: str, seconds: float) -> None:
        """One move, if the market can make it."""
        market, now = self.markets.get(ticker), self.clock.seconds()
        if market is None:
            if verb == "create":
                self.add(ticker, "initialized", seconds)
                market = self.markets[ticker]
                self.announce("created", ticker, open_ts=market.open_ts, close_ts=market.close_ts)
        elif verb == "pause" and market.status == "active":
            market.status = "inactive"
            self.announce("deactivated", ticker)
        elif verb == "resume" and market.status == "inactive":
            market.status = "active"
            self.announce("activated", ticker)
        elif verb == "close" and market.status in ("active", "inactive"):
            market.status, market.close_ts = "closed", now
            self.announce("close_date_updated", ticker, close_ts=now)
        elif verb == "reopen" and market.status == "closed":
            market.status, market.close_ts = "active", now + 900.0
            self.announce("close_date_updated", ticker, close_ts=market.close_ts)
            self.announce("activated", ticker)
        elif verb == "settle" and market.status in ("active", "inactive", "closed"):
            market.status = "finalized"
            self.announce("settled", ticker)


@implementer(IExchangeRest)
class MovingRest:
    """Each page takes a second. Before it is made, the time passes and the next of `moves` happen."""

    def __init__(self, exchange: MovingExchange, cursor: str, page_size: int) -> None:
        self.exchange = exchange
        self.cursor = cursor
        self.page_size = page_size
        self.moves: list[list[tuple[str, str, float]]] = []
        self.errors: Counter[str] = Counter()
        self.pages = 0

    async def exchange_status(self) -> ExchangeStatus:
        return ExchangeStatus(True, True)

    async def markets(
        self, status: str | None = None, multivariate: str = "exclude", tickers: Sequence[str] | None = None
    ) -> AsyncIterator[list[MarketRow]]:
        last: MovingMarket | None = None
        position = 0
        while True:
            await self._wait()
            found = [m for m in self.exchange.markets.values() if _fits(m, status, tickers)]
            if self.cursor == TICKER:
                found.sort(key=lambda market: market.ticker)
            if self.cursor == POSITION:
                found = found[position:]
            elif last is not None:
                key = "index" if self.cursor == INDEX else "ticker"
                found = [m for m in found if getattr(m, key) > getattr(last, key)]
            page = found[: self.page_size]
            yield [_row(market) for market in page]
            if len(found) <= self.page_size:
                return
            position, last = position + len(page), page[-1]

    async def market(self, ticker: str) -> MarketRow | None:
        await self._wait()
        market = self.exchange.markets.get(ticker)
        return None if market is None else _row(market)

    def close(self) -> Deferred[None]:
        return succeed(None)

    async def _wait(self) -> None:
        await deferLater(self.exchange.clock, PAGE_SECONDS)
        self.pages += 1
        self.exchange.pass_time()
        for move in self.moves.pop(0) if self.moves else ():
            self.exchange.move(*move)


def _fits(market: MovingMarket, status: str | None, tickers: Sequence[str] | None) -> bool:
    return market.ticker in tickers if tickers is not None else status is None or market.status == FILTERS[status]


def _row(market: MovingMarket) -> MarketRow:
    times = (datetime.fromtimestamp(moment, UTC) for moment in (market.open_ts, market.close_ts))
    return MarketRow(market.ticker, market.status, *times)
