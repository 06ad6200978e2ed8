"""Which markets are carried, and when each of them is due for another check."""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from typing import TypeVar

from gatherer.core.markets.market import ACTIVE, DOUBTFUL, PAUSED, UNOPENED, Market
from gatherer.core.markets.timetable import Timetable
from gatherer.core.sharded_dict import ShardedDict
from gatherer.values import Change, MarketChange

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GracePeriods:
    """How long to wait for what, all in seconds."""

    close_grace: float = 120.0
    """From the close time to the look-up that confirms it, and between look-ups until one does."""
    rest_lag: float = 15.0
    """How old an answer of REST may be. Its cache keeps answers for 15 s (protocol section 1)."""
    retention: float = 3600.0
    """How long the table remembers a market that is over, so that a late copy of an event cannot revive it."""
    pair_window: float = 5.0
    """The longest time between the two copies of one event from the two lifecycle connections."""


class Active(Set[str]):
    """The tickers to carry now: a view of the `carried` marks of the markets, with a count."""

    __slots__ = ("_markets", "count")

    def __init__(self, markets: ShardedDict[Market]) -> None:
        self._markets = markets
        self.count = 0
        """`MarketStates` updates it."""

    def __contains__(self, ticker: object) -> bool:
        market = self._markets.find(ticker) if isinstance(ticker, str) else None
        return market is not None and market.carried

    def __iter__(self) -> Iterator[str]:
        return (ticker for ticker in self._markets if ticker in self)

    def __len__(self) -> int:
        return self.count

    @classmethod
    def _from_iterable(cls, tickers: Iterable[T]) -> set[T]:
        """`&`, `-` and the like return a new set, not a view."""
        return set(tickers)


class MarketStates:
    """The states of all markets. Only `become` changes which are carried."""

    __slots__ = ("_grace", "_timetable", "active", "lookups", "markets")

    def __init__(self, grace: GracePeriods) -> None:
        self._grace = grace
        self._timetable = Timetable()
        self.markets: ShardedDict[Market] = ShardedDict()
        self.active = Active(self.markets)
        self.lookups: dict[str, None] = {}
        """The markets to look up, oldest first."""

    def become(self, ticker: str, market: Market, status: str, now: float, changes: list[MarketChange]) -> None:
        """Set a market's status (perhaps the same one with other times) and append the changes that follow."""
        resumed = market.status == PAUSED and status == ACTIVE
        market.status = status
        carried = market.carried
        market.carried = wanted = market.is_wanted(now)
        self.active.count += wanted - carried
        if wanted and not carried:
            changes.append(MarketChange(ticker, Change.ADD))
        elif carried and not wanted:
            changes.append(MarketChange(ticker, Change.REMOVE))
        elif carried and resumed:  # the pause cancelled every order
            changes.append(MarketChange(ticker, Change.REFRESH))
        self._arm(ticker, market, self._due(ticker, market, now))

    def next_due(self) -> float | None:
        """When to call `tick`, Unix time in seconds; None for never."""
        return self._timetable.next_due()

    def tick(self, now: float, limit: int) -> list[MarketChange]:
        """Act on at most `limit` due times."""
        changes: list[MarketChange] = []
        for ticker, moment in self._timetable.take(now, limit):
            market = self.markets.find(ticker)
            if market is not None and market.due is moment:
                market.due = None
                self._fire(ticker, market, now, changes)
        return changes

    def look_up(self, tickers: Iterable[str]) -> None:
        """Queue look-ups. Unknown tickers are ignored."""
        for ticker in tickers:
            if ticker in self.markets:
                self.lookups[ticker] = None

    def take_lookups(self, limit: int) -> list[str]:
        """At most `limit` of the queued tickers."""
        taken = [ticker for ticker, _ in zip(self.lookups, range(limit), strict=False)]
        for ticker in taken:
            del self.lookups[ticker]
        return taken

    def _arm(self, ticker: str, market: Market, due: float | None) -> None:
        """A market is due at one moment at most. An unchanged moment is not noted twice."""
        market.due = None if due is None else self._timetable.schedule(ticker, due, market.due)

    def _due(self, ticker: str, market: Market, now: float) -> float | None:
        if market.carried:
            if market.close_ts is None:
                return None
            confirm_at = market.close_ts + self._grace.close_grace
            return confirm_at if confirm_at > now else now + self._grace.close_grace
        if market.status == UNOPENED:
            return market.open_ts
        if market.status == DOUBTFUL:
            return now + self._grace.rest_lag
        return now + self._grace.retention

    def _fire(self, ticker: str, market: Market, now: float, changes: list[MarketChange]) -> None:
        if market.carried or market.status == DOUBTFUL:
            # The close time has passed, and no event will confirm it. Due again, in case no answer comes.
            self.lookups[ticker] = None
            self._arm(ticker, market, now + self._grace.close_grace)
        elif market.status == UNOPENED:
            self.become(ticker, market, UNOPENED, now, changes)
        else:
            del self.markets[ticker]
            self.lookups.pop(ticker, None)
