"""What the exchange acknowledged on one socket: market to sid, and how many markets each sid has."""

from collections.abc import Iterator


class Holdings:
    """The held markets. One sid for all of them on today's exchange, but any number works."""

    __slots__ = ("_counts", "_sid_of")

    def __init__(self) -> None:
        self._sid_of: dict[str, int] = {}
        self._counts: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._sid_of)

    def __contains__(self, ticker: str) -> bool:
        return ticker in self._sid_of

    def __iter__(self) -> Iterator[str]:
        return iter(self._sid_of)

    def put(self, ticker: str, sid: int) -> None:
        """The market is on this sid now, wherever it was before."""
        self.drop(ticker)
        self._sid_of[ticker] = sid
        self._counts[sid] = self._counts.get(sid, 0) + 1

    def drop(self, ticker: str) -> None:
        """The market is held no more. The sid goes with its last market."""
        sid = self._sid_of.pop(ticker, 0)
        if sid:
            self._counts[sid] -= 1
            if not self._counts[sid]:
                del self._counts[sid]

    def sid_of(self, ticker: str) -> int:
        """The sid of a market, 0 if it is not held."""
        return self._sid_of.get(ticker, 0)

    def some_sid(self) -> int:
        """A sid that markets can be added to, 0 if there is none."""
        return next(iter(self._counts), 0)

    def sids(self) -> list[int]:
        """Every sid that has markets."""
        return list(self._counts)

    def count(self, sid: int) -> int:
        """How many markets are on a sid."""
        return self._counts.get(sid, 0)

    def on(self, sid: int) -> list[str]:
        """The markets on a sid."""
        if self.count(sid) == len(self._sid_of):
            return list(self._sid_of)
        return [ticker for ticker, held_sid in self._sid_of.items() if held_sid == sid]
