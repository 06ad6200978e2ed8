"""Adds that failed or got lost, to be repeated in ever smaller groups."""

from collections import deque
from collections.abc import Set


class RetryGroups:
    """Groups of markets, each a half of the command that went wrong: the one bad market ends up alone.

    A market is *unsure* while a command about it may have taken effect unseen. An unsure add is repeated even
    when nobody wants the market any more: only an acknowledgement makes it known, and then it can be deleted.
    An unsure delete is repeated, or answered by an add if the market is wanted again meanwhile.
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

    def pop(self, wanted: Set[str]) -> tuple[str, ...]:
        """The next group, without the markets that are neither wanted nor unsure; () when there is none."""
        while self._groups:
            group = self._groups.popleft()
            self._members.difference_update(group)
            tickers = tuple(t for t in group if t in wanted or t in self.unsure)
            if tickers:
                return tickers
        return ()
