"""The answers of the REST interface, without HTTP (protocol section 6). Pure."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from gatherer.simulator.feed.publisher import Publisher
from gatherer.simulator.feed.wire import Json, encode
from gatherer.simulator.markets.listing import Listing
from gatherer.simulator.markets.market import SimulatedMarket
from gatherer.simulator.markets.status import ExchangeState, schedule
from gatherer.simulator.rest.filters import (
    BadQuery,
    Query,
    integer,
    market_filter,
    read_cursor,
    trade_filter,
    write_cursor,
)
from gatherer.simulator.rest.rows import market_row, orderbook, trade_row

PREFIX = "/trade-api/v2"
MAX_BOOKS = 100
"""The most tickers in one `/markets/orderbooks`."""


@dataclass(frozen=True, slots=True)
class SimulatedAnswer:
    """An HTTP status and a JSON body."""

    status: int
    body: bytes


def answer(content: object, status: int = 200) -> SimulatedAnswer:
    """Encode an answer."""
    return SimulatedAnswer(status, encode(content))


def failure(status: int, code: str, message: str, details: str = "") -> SimulatedAnswer:
    """An error in the exchange's JSON form."""
    facts = {"code": code, "message": message, "details": details}
    return answer({"error": {key: value for key, value in facts.items() if value}}, status)


class RestApi:
    """Looks things up. The cost grows with the length of the answer, not with the number of markets."""

    def __init__(self, listing: Listing, publisher: Publisher, state: ExchangeState) -> None:
        self._listing = listing
        self._publisher = publisher
        self._state = state
        self._fixed: dict[str, Callable[[Query], SimulatedAnswer]] = {
            "/exchange/status": lambda query: answer(self._state.status()),
            "/exchange/schedule": lambda query: answer(schedule()),
            "/markets": self._markets,
            "/markets/orderbooks": self._orderbooks,
            "/markets/trades": self._trades,
        }

    def get(self, path: str, query: Mapping[str, Sequence[str]]) -> SimulatedAnswer:
        """The answer to a GET of a path below `/trade-api/v2`. `query` maps each parameter to its values."""
        try:
            found = self._fixed.get(path)
            return found(query) if found is not None else self._one_market(path.split("/")[1:], query)
        except BadQuery as error:
            return failure(400, "bad_request", "bad request", str(error))

    def _one_market(self, parts: list[str], query: Query) -> SimulatedAnswer:
        if parts[0] != "markets" or not (len(parts) == 2 or (len(parts) == 3 and parts[2] == "orderbook")):
            return failure(404, "not_found", "not found", "no such endpoint")
        market = self._listing.get(parts[1])
        if market is None:
            return failure(404, "not_found", "not found", f"no such market: {parts[1]}")
        if len(parts) == 2:
            return answer({"market": self._row(market)})
        depth = integer(query, "depth", 0, 0, 100)
        return answer({"orderbook_fp": orderbook(self._publisher.book(market), depth)})

    def _row(self, market: SimulatedMarket) -> Json:
        return market_row(market, self._publisher.book(market))

    def _markets(self, query: Query) -> SimulatedAnswer:
        limit = integer(query, "limit", 100, 1, 1000)
        cursor = read_cursor(query)
        candidates, wanted = market_filter(query, self._listing)
        rows = (market for market in self._listing.after(candidates, cursor) if wanted(market))
        page = list(islice(rows, limit + 1))
        next_cursor = write_cursor(page.pop().index) if len(page) > limit else ""
        return answer({"markets": [self._row(market) for market in page], "cursor": next_cursor})

    def _trades(self, query: Query) -> SimulatedAnswer:
        """The newest trades first."""
        limit = integer(query, "limit", 100, 1, 1000)
        found = filter(trade_filter(query), self._publisher.trades.up_to(read_cursor(query, "t", sys.maxsize)))
        page = list(islice(found, limit + 1))
        next_cursor = write_cursor(page.pop().number, "t") if len(page) > limit else ""
        return answer({"trades": [trade_row(trade) for trade in page], "cursor": next_cursor})

    def _orderbooks(self, query: Query) -> SimulatedAnswer:
        tickers = list(query.get("tickers", ()))
        if not 1 <= len(tickers) <= MAX_BOOKS:
            raise BadQuery(f"tickers: needs 1 to {MAX_BOOKS} of them, each as its own parameter")
        found = [market for market in map(self._listing.get, tickers) if market is not None]
        books = [{"ticker": one.ticker, "orderbook_fp": orderbook(self._publisher.book(one), 0)} for one in found]
        return answer({"orderbooks": books})
