"""The answer about completeness: intervals of every feed. Values only; times are Unix ns, and an end is exclusive."""

from enum import Enum

import msgspec

BOOKS = "orderbook_delta"
"""The channel whose feeds are single markets. Every other channel is one feed."""


class State(Enum):
    """What can be said about a feed at a time."""

    COMPLETE = "complete"
    """Every message of the feed is in the capture, on the connection that the interval names."""
    HOLE = "hole"
    """Messages are missing, or may be missing."""
    NOT_CARRIED = "not_carried"
    """No gatherer had subscribed to the feed."""


class Interval(msgspec.Struct, frozen=True, gc=False):
    """A time with one answer."""

    state: State
    start: int
    end: int
    why: str = ""
    """For people; empty where the feed is complete."""
    gatherer: str | None = None
    """Complete: the gatherer that has it. Otherwise the gatherer with the trouble, None if there are several."""
    conn_id: int | None = None
    """Complete: the connection that has it."""

    @property
    def length(self) -> int:
        """Nanoseconds; at least 1."""
        return self.end - self.start


class FeedCoverage(msgspec.Struct, frozen=True, gc=False):
    """One market's order book, or one channel. The intervals follow each other without a break."""

    channel: str
    """The exchange's name of the channel, for example `orderbook_delta` or `trade`."""
    ticker: str | None
    """The market of an order book, None for a whole channel."""
    intervals: tuple[Interval, ...]

    @property
    def holes(self) -> list[Interval]:
        """What is missing."""
        return [interval for interval in self.intervals if interval.state is State.HOLE]

    def length(self, state: State) -> int:
        """Nanoseconds of a state in all."""
        return sum(interval.length for interval in self.intervals if interval.state is state)

    def at(self, moment: int) -> Interval | None:
        """The interval that holds a time; None outside of the answer."""
        return next((i for i in self.intervals if i.start <= moment < i.end), None)


class Coverage(msgspec.Struct, frozen=True, gc=False):
    """The answer for a range of time: channels first, then markets, each by name."""

    start: int
    end: int
    feeds: tuple[FeedCoverage, ...]

    @property
    def has_holes(self) -> bool:
        """Whether any feed has a hole."""
        return any(interval.state is State.HOLE for feed in self.feeds for interval in feed.intervals)

    def book(self, ticker: str) -> FeedCoverage:
        """The order book of a market. Raises KeyError for a market that is not in the answer."""
        for feed in self.feeds:
            if feed.channel == BOOKS and feed.ticker == ticker:
                return feed
        raise KeyError(ticker)
