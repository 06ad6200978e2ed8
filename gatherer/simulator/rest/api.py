"""The answers of the REST interface, without HTTP around them (protocol section 6). Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gatherer.simulator.feed import wire
from gatherer.simulator.feed.publisher import Publisher
from gatherer.simulator.markets.listing import Listing
from gatherer.simulator.markets.market import Market
from gatherer.simulator.markets.status import ExchangeState, schedule
from gatherer.simulator.rest.filters import BadQuery, Query, integer, market_filter, read_cursor, write_cursor
from gatherer.simulator.rest.rows import market_row, orderbook

PREFIX = "/trade-api/v2"
BOOKS_AT_ONCE = 100
"""Most tickers of one `/markets/orderbooks`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and a JSON body."""

    status: int
    body: bytes


def answer(content: Any, status: int = 200) -> Answer:
    """Encode an answer."""
    return Answer(status, wire.encode(content))


def failure(status: int, code: str, message: str, details: str = "") -> Answer:
    """A JSON error body of the exchange's shape."""
    facts = {"code": code, "message": message, "details": details, "service": "simulator"}
    return answer({"error": {key: value for key, value in facts.items() if value}}, status)


class RestApi:
    """Looks things up. Costs as much as the answer is long, not as the listing is."""

    def __init__(self, listing: Listing, floor: Publisher, operation: ExchangeState) -> None:
        self._listing = listing
        self._floor = floor
        self._operation = operation
        self._fixed: dict[str, Callable[[Query], Answer]] = {
            "/exchange/status": lambda query: answer(self._operation.status()),
            "/exchange/schedule": lambda query: answer(schedule()),
            "/markets": self._markets,
            "/markets/orderbooks": self._orderbooks,
        }

    def get(self, path: str, query: Mapping[str, Sequence[str]]) -> Answer:
        """The answer to a GET of a path below `/trade-api/v2`, its query already taken apart."""
        try:
            found = self._fixed.get(path)
            return found(query) if found is not None else self._one_market(path.split("/")[1:], query)
        except BadQuery as error:
            return failure(400, "bad_request", "bad request", str(error))

    def _one_market(self, parts: list[str], query: Query) -> Answer:
        if parts[0] != "markets" or not (len(parts) == 2 or (len(parts) == 3 and parts[2] == "orderbook")):
            return failure(404, "not_found", "not found", "no such endpoint")
        market = self._listing.get(parts[1])
        if market is None:
            return failure(404, "not_found", "not found", f"no such market: {parts[1]}")
        if len(parts) == 2:
            return answer({"market": self._row(market)})
        depth = integer(query, "depth", 0, 0, 100)
        return answer({"orderbook_fp": orderbook(self._floor.book(market), depth)})

    def _row(self, market: Market) -> dict[str, Any]:
        return market_row(market, self._floor.book(market))

    def _markets(self, query: Query) -> Answer:
        limit = integer(query, "limit", 100, 1, 1000)
        cursor = read_cursor(query)
        candidates, wanted = market_filter(query, self._listing)
        rows = (market for market in self._listing.after(candidates, cursor) if wanted(market))
        page = list(islice(rows, limit + 1))
        onward = write_cursor(page.pop().index) if len(page) > limit else ""
        return answer({"markets": [self._row(market) for market in page], "cursor": onward})

    def _orderbooks(self, query: Query) -> Answer:
        tickers = list(query.get("tickers", ()))
        if not 1 <= len(tickers) <= BOOKS_AT_ONCE:
            raise BadQuery(f"tickers: 1 to {BOOKS_AT_ONCE} of them, each its own parameter")
        found = [market for market in map(self._listing.get, tickers) if market is not None]
        books = [{"ticker": one.ticker, "orderbook_fp": orderbook(self._floor.book(one), 0)} for one in found]
        return answer({"orderbooks": books})
