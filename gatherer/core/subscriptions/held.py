"""What the exchange acknowledged on one socket: market to sid, and how many markets each sid has."""

from collections.abc import Iterator

import msgspec

MAX_KEPT = 16
"""Holdings kept for sharing: one for each command and second in which its books came, and one command flies at a
time. More would only keep alive what no market has any more: over 144 connections that adds up."""


class Holding(msgspec.Struct, frozen=True, gc=False):
    """How a market came to be held. All markets of one command whose books came in the same second share one.

    Unknown to the garbage collector, and so is the dict that holds nothing else: see `core.market.Market`.
    """

    sid: int
    command_id: int = 0
    """The command that added it, 0 if unknown."""
    acknowledged_at: int = 0
    """Unix time in seconds."""
    book_at: int = 0
    """Unix time in seconds of its latest snapshot, 0 before the first."""


class HeldMarkets:
    """The held markets. One sid for all of them on today's exchange, but any number works."""

    __slots__ = ("_counts", "_held", "_second", "_shared")

    def __init__(self) -> None:
        self._held: dict[str, Holding] = {}
        self._counts: dict[int, int] = {}
        self._shared: dict[Holding, Holding] = {}
        self._second = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, ticker: str) -> bool:
        return ticker in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def put(self, ticker: str, sid: int, command_id: int = 0, acknowledged_at: int = 0, book_at: int = 0) -> None:
        """The market is on this sid now, wherever it was before."""
        self.drop(ticker)
        self._held[ticker] = self._share(Holding(sid, command_id, self._same(acknowledged_at), self._same(book_at)))
        self._counts[sid] = self._counts.get(sid, 0) + 1

    def book(self, ticker: str, sid: int, at: int) -> None:
        """A snapshot came, and tells the sid of its market. Nothing for a market that is not held."""
        held = self._held.get(ticker)
        if held is None:
            return
        if held.sid == sid:
            self._held[ticker] = self._share(Holding(sid, held.command_id, held.acknowledged_at, self._same(at)))
        else:
            self.put(ticker, sid, held.command_id, held.acknowledged_at, at)

    def drop(self, ticker: str) -> None:
        """The market is held no more. The sid goes with its last market."""
        held = self._held.pop(ticker, None)
        if held is not None:
            self._counts[held.sid] -= 1
            if not self._counts[held.sid]:
                del self._counts[held.sid]

    def get(self, ticker: str) -> Holding | None:
        """How a market is held, None if it is not."""
        return self._held.get(ticker)

    def sid_of(self, ticker: str) -> int:
        """The sid of a market, 0 if it is not held."""
        held = self._held.get(ticker)
        return 0 if held is None else held.sid

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
        if self.count(sid) == len(self._held):
            return list(self._held)
        return [ticker for ticker, held in self._held.items() if held.sid == sid]

    def pick(self, tickers: dict[str, None], most: int, sid: int = 0) -> tuple[str, ...]:
        """Remove the first of `tickers` from it, of those that are on this sid if one is given."""
        picked: list[str] = []
        for ticker in tickers:
            if not sid or self.sid_of(ticker) == sid:
                picked.append(ticker)
                if len(picked) == most:
                    break
        for ticker in picked:
            del tickers[ticker]
        if not tickers:
            tickers.clear()  # frees the memory: an emptied dict keeps its size
        return tuple(picked)

    def _same(self, second: int) -> int:
        """The same int object as long as the second lasts: each takes 32 bytes."""
        if second and second != self._second:
            self._second = second
        return self._second if second else 0

    def _share(self, holding: Holding) -> Holding:
        if len(self._shared) > MAX_KEPT:
            self._shared.clear()
        return self._shared.setdefault(holding, holding)
