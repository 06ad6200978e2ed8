"""How many messages a second single markets bring, estimated from samples. Pure: time is an argument.

Counting each market on the message path would cost more than everything else there. So the pool looks at the latest
read of each connection a few times a second. Each message of that look stands for an equal share of all messages that
the connection received since the last look.
"""

from collections.abc import Iterable, Sequence
from heapq import nlargest
from math import exp

MEMORY_SECONDS = 60.0
"""Time after which a message counts only 1/e: long enough for a steady figure, short enough to follow a match."""
MAX_MARKETS = 100_000
"""Markets remembered at most. Above that the quietest half is forgotten: their rates are next to nothing."""


class MarketRates:
    """Rates by ticker. A market that no look has met has the rate 0."""

    __slots__ = ("_began", "_counts", "_seen")

    def __init__(self, now: float) -> None:
        self._began = now
        self._counts: dict[str, float] = {}
        """Messages, each weighted by its age at the time in `_seen`."""
        self._seen: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def note(self, tickers: Sequence[str], messages: int, now: float) -> None:
        """One look: `tickers` of the messages looked at, which stand for `messages` since the last look."""
        if not tickers:
            return
        weight = messages / len(tickers)
        for ticker in tickers:
            self._counts[ticker] = self._faded(ticker, now) + weight
            self._seen[ticker] = now
        if len(self._counts) > MAX_MARKETS:
            self._forget_half(now)

    def rate(self, ticker: str, now: float) -> float:
        """Messages a second. It is right on average from the first seconds on, and gets steadier with time."""
        if ticker not in self._counts:
            return 0.0
        measured = MEMORY_SECONDS * (1.0 - exp(-max(0.0, now - self._began) / MEMORY_SECONDS))
        return self._faded(ticker, now) / measured if measured > 0 else 0.0

    def ranked(self, tickers: Iterable[str], now: float) -> list[tuple[str, float]]:
        """Those of the markets that have a rate, with it, the busiest first."""
        rates = [(ticker, self.rate(ticker, now)) for ticker in tickers if ticker in self._counts]
        return sorted(rates, key=lambda each: -each[1])

    def forget(self, ticker: str) -> None:
        """The market is over."""
        if self._counts.pop(ticker, None) is not None:
            del self._seen[ticker]

    def _faded(self, ticker: str, now: float) -> float:
        count = self._counts.get(ticker)
        return 0.0 if count is None else count * exp(-max(0.0, now - self._seen[ticker]) / MEMORY_SECONDS)

    def _forget_half(self, now: float) -> None:
        kept = nlargest(MAX_MARKETS // 2, self._counts, key=lambda ticker: self._faded(ticker, now))
        self._counts = {ticker: self._counts[ticker] for ticker in kept}
        self._seen = {ticker: self._seen[ticker] for ticker in kept}
