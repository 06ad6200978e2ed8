"""Adds to repeat: those that failed or were lost, in ever smaller groups, and rejected markets after a wait."""

from collections import deque
from collections.abc import Set

RETRY_SECONDS = 600.0
"""Seconds between two tries of a rejected market. A wrong answer must not lock a market out until the socket ends."""


class RetryGroups:
    """Groups of markets, each one half of a command that failed. So a bad market ends up alone.

    A market is *unsure* while a command about it may have taken effect unseen. An unsure add is repeated even when the
    market is not wanted any more: once it is acknowledged, the market can be deleted. An unsure delete is repeated, or
    followed by an add if the market is wanted again.
    """

    def __init__(self) -> None:
        self._groups: deque[tuple[str, ...]] = deque()
        self._members: set[str] = set()
        self.unsure: set[str] = set()

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, ticker: str) -> bool:
        return ticker in self._members

    def push(self, tickers: tuple[str, ...]) -> None:
        """Repeat these later, in two halves."""
        half = (len(tickers) + 1) // 2
        self._groups.extend(group for group in (tickers[:half], tickers[half:]) if group)
        self._members.update(tickers)

    def forget(self, tickers: tuple[str, ...]) -> None:
        """Do not repeat these."""
        self._members.difference_update(tickers)

    def pop(self, wanted: Set[str]) -> tuple[str, ...]:
        """The next group, without markets that are neither wanted nor unsure. () when there is none."""
        while self._groups:
            group = [ticker for ticker in self._groups.popleft() if ticker in self._members]
            self._members.difference_update(group)
            tickers = tuple(t for t in group if t in wanted or t in self.unsure)
            if tickers:
                return tickers
        return ()


class RejectedMarkets(dict[str, int]):
    """Market to error code, in the order of the rejections. All wait equally long, so the first is due first."""

    def __init__(self) -> None:
        super().__init__()
        self._due: dict[str, float] = {}

    def put(self, ticker: str, code: int, now: float) -> None:
        """The exchange rejected the market."""
        self[ticker] = code
        self._due.pop(ticker, None)
        self._due[ticker] = now + RETRY_SECONDS

    def due(self, ticker: str) -> float | None:
        """When a market is tried again. None for a market that is not rejected."""
        return self._due.get(ticker) if ticker in self else None

    def take_due(self, now: float) -> list[str]:
        """Remove and return the markets to try again."""
        taken = []
        for ticker, due in list(self._due.items()):
            if due > now:
                break
            del self._due[ticker]
            if self.pop(ticker, None) is not None:
                taken.append(ticker)
        return taken

    def next_due(self) -> float | None:
        """When `take_due` may return a market. None for never."""
        return next((due for ticker, due in self._due.items() if ticker in self), None)
