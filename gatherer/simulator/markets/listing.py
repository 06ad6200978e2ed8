"""The list of all markets, with an index per status and per series, and when each is due. Pure.

Pages are in the order of the index of a market, which never changes. So no page needs sorting, and a page does not
visit markets that its filter leaves out.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush

from gatherer.simulator.markets.market import SimulatedEvent, SimulatedMarket, Status

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
Indexes = Sequence[int]


def event_date(ts: int) -> str:
    """`26OCT31`. The month names of `strftime` depend on the locale."""
    day = datetime.fromtimestamp(ts, UTC)
    return f"{day.year % 100:02d}{MONTHS[day.month - 1]}{day.day:02d}"


class Listing:
    """All markets, the settled ones included."""

    def __init__(self) -> None:
        self.markets: list[SimulatedMarket] = []
        self.events: dict[str, SimulatedEvent] = {}
        self._by_ticker: dict[str, SimulatedMarket] = {}
        self._by_status = {status: array("I") for status in Status}
        self._by_series: dict[str, array[int]] = {}

    def get(self, ticker: str) -> SimulatedMarket | None:
        """A market, or None for an unknown ticker."""
        return self._by_ticker.get(ticker)

    def by_id(self, market_id: str) -> SimulatedMarket | None:
        """A market by its UUID, or None."""
        digits = market_id[-12:]
        index = int(digits, 16) if digits.isalnum() and digits.isascii() and _is_hex(digits) else len(self.markets)
        found = self.markets[index] if index < len(self.markets) else None
        return found if found is not None and found.market_id == market_id else None

    def event(self, ticker: str, series: str, multivariate: bool = False) -> SimulatedEvent:
        """The event with that ticker; a new one if there is none."""
        event = self.events.get(ticker)
        if event is None:
            event = self.events[ticker] = SimulatedEvent(ticker, series, multivariate)
        return event

    def add(
        self, ticker: str, event: SimulatedEvent, status: Status, created_ts: int, open_ts: int, close_ts: int
    ) -> SimulatedMarket:
        """List a new market. The ticker must be new."""
        assert ticker not in self._by_ticker, ticker
        market = SimulatedMarket(len(self.markets), ticker, event, status, created_ts, created_ts, open_ts, close_ts)
        self.markets.append(market)
        self._by_ticker[ticker] = market
        event.markets.append(market.index)
        self._by_status[status].append(market.index)
        self._by_series.setdefault(event.series, array("I")).append(market.index)
        return market

    def set_status(self, market: SimulatedMarket, status: Status) -> None:
        """Move a market from one status to another: two binary searches and two memory moves."""
        old, new = self._by_status[market.status], self._by_status[status]
        del old[bisect_left(old, market.index)]
        new.insert(bisect_left(new, market.index), market.index)
        market.status = status

    def with_status(self, *statuses: Status) -> Indexes:
        """Indexes of the markets in one of the statuses, ascending. Read only."""
        if len(statuses) == 1:
            return self._by_status[statuses[0]]
        return sorted(index for status in statuses for index in self._by_status[status])

    def with_series(self, *series: str) -> Indexes:
        """Indexes of the markets of some series, ascending. Read only."""
        if len(series) == 1:
            return self._by_series.get(series[0], array("I"))
        return sorted(index for name in series for index in self._by_series.get(name, ()))

    def multivariate_series(self) -> list[str]:
        """The series of multivariate markets."""
        return [name for name, indexes in self._by_series.items() if self.markets[indexes[0]].event.multivariate]

    def after(self, indexes: Indexes, cursor: int) -> Iterator[SimulatedMarket]:
        """The markets of an ascending list of indexes from the cursor on."""
        for place in range(bisect_right(indexes, cursor - 1), len(indexes)):
            yield self.markets[indexes[place]]

    def tickers(self, indexes: Iterable[int]) -> list[str]:
        """Tickers by index."""
        return [self.markets[index].ticker for index in indexes]


class DueMarkets:
    """When to look at which market. Markets with the same time share an entry."""

    def __init__(self) -> None:
        self._markets: dict[int, list[SimulatedMarket]] = {}
        self._times: list[int] = []

    def add(self, ts: int, market: SimulatedMarket) -> None:
        """Look at a market at that second. If its time moves, the old entry stays: an extra look changes nothing."""
        if ts not in self._markets:
            heappush(self._times, ts)
            self._markets[ts] = []
        self._markets[ts].append(market)

    def pop(self, now: float) -> list[SimulatedMarket]:
        """Remove and return the markets whose time has come, the earliest first."""
        markets: list[SimulatedMarket] = []
        while self._times and self._times[0] <= now:
            markets += self._markets.pop(heappop(self._times))
        return markets


def _is_hex(digits: str) -> bool:
    return not digits.strip("0123456789abcdef")
