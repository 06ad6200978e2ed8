"""What the exchange has acknowledged on one socket: the sid of each market, and the number of markets of each sid."""

from collections.abc import Iterator

import msgspec

MAX_KEPT = 16
"""Holdings kept for sharing. There is one for each command and second in which its books come, and one command is in
flight at a time. More holdings would only keep objects alive that no market uses any more, on
each of 144 connections."""


class Holding(msgspec.Struct, frozen=True, gc=False):
    """How a market came to be held. Markets of one command share an object if their books came in the same second.

    The garbage collector does not track it, nor a dict that contains only holdings: see `core.markets.market`.
    """

    sid: int
    command_id: int = 0
    """The command that added it, 0 if unknown."""
    acknowledged_at: int = 0
    """Unix time in seconds."""
    book_at: int = 0
    """Unix time in seconds of its latest snapshot, 0 before the first."""


class HeldMarkets:
    """The held markets. Today's exchange gives all of them one sid, but any number of sids works."""

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
        """The market is on this sid now, and no longer on another."""
        self.drop(ticker)
        self._held[ticker] = self._share(Holding(sid, command_id, self._same(acknowledged_at), self._same(book_at)))
        self._counts[sid] = self._counts.get(sid, 0) + 1

    def book(self, ticker: str, sid: int, at: int) -> None:
        """A snapshot came, and its sid is the sid of its market. Does nothing for a market that is not held."""
        held = self._held.get(ticker)
        if held is None:
            return
        if held.sid == sid:
            self._held[ticker] = self._share(Holding(sid, held.command_id, held.acknowledged_at, self._same(at)))
        else:
            self.put(ticker, sid, held.command_id, held.acknowledged_at, at)

    def drop(self, ticker: str) -> None:
        """The market is not held any more. A sid goes with its last market."""
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
        """Remove up to `most` of `tickers` from it, the first ones; with a `sid` only markets of that sid."""
        picked: list[str] = []
        for ticker in tickers:
            if not sid or self.sid_of(ticker) == sid:
                picked.append(ticker)
                if len(picked) == most:
                    break
        for ticker in picked:
            del tickers[ticker]
        if not tickers:
            tickers.clear()  # frees the memory: a dict keeps its size when its last key goes
        return tuple(picked)

    def _same(self, second: int) -> int:
        """One int object for each second: each object takes 32 bytes."""
        if second and second != self._second:
            self._second = second
        return self._second if second else 0

    def _share(self, holding: Holding) -> Holding:
        if len(self._shared) > MAX_KEPT:
            self._shared.clear()
        return self._shared.setdefault(holding, holding)
