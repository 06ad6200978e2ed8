"""Books that are awaited: those the exchange owes, and those that end a gap (protocol section 4 and trap 11)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil

MAX_PAUSE_SECONDS = 600.0
"""The longest pause before a late book is asked for again."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """The markets whose moment has come."""

    ask: list[str]
    """The late markets to ask for now."""
    turned_late: list[str]
    """Those of them whose deadline has just passed for the first time."""
    silent: list[str]
    """Markets that were asked for twice in vain just now."""


class OwedSnapshots:
    """Markets whose book was asked for and has not come. A market is up only when its book came.

    A book has a deadline. When it passes, the market is *late*, until its book comes or it is not carried any more. A
    late book is asked for again at once, and then after ever longer pauses, for ever. The pauses end at multiples of
    the deadline, so that one command asks for many books.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._due: dict[str, float] = {}
        """Markets that are in time. All deadlines are equally long, so the first market is due first."""
        self._late_due: dict[str, float] = {}
        """Late markets that were asked for again, in the same order."""
        self._tries: dict[str, int] = {}
        """Late markets, the first one first, and how often each was asked for in vain."""
        self._pause_ends: dict[str, float] = {}
        self._pausing: dict[float, dict[str, None]] = {}
        """By the end of the pause, the late markets that pause."""
        self.turned_late = 0
        """How many times a market turned late."""

    def __len__(self) -> int:
        return len(self._due) + len(self._tries)

    def __contains__(self, ticker: str) -> bool:
        return ticker in self._due or ticker in self._tries

    @property
    def in_time(self) -> int:
        """How many markets wait for a book whose deadline has not passed."""
        return len(self._due)

    @property
    def asked_again(self) -> int:
        """How many late markets were asked for again and wait for the answer."""
        return len(self._late_due)

    @property
    def late(self) -> int:
        """How many markets are late."""
        return len(self._tries)

    def late_markets(self) -> Iterator[str]:
        """The late markets, the one that is late for longest first."""
        return iter(self._tries)

    def tries(self, ticker: str) -> int:
        """How often the book of a market was asked for in vain. 0 for a market that is not late."""
        return self._tries.get(ticker, 0)

    def expect(self, ticker: str, now: float) -> None:
        """A book was asked for. It is owed from now on."""
        self._end_pause(ticker)
        due = self._late_due if ticker in self._tries else self._due
        due.pop(ticker, None)
        due[ticker] = now + self._deadline

    def settle(self, ticker: str) -> None:
        """The book came, or the market is not wanted any more."""
        self._due.pop(ticker, None)
        if self._tries.pop(ticker, None) is not None:
            self._late_due.pop(ticker, None)
            self._end_pause(ticker)

    def overdue(self, now: float) -> Overdue:
        """What is due now. Each is returned once."""
        turned_late, in_vain = _take_due(self._due, now), _take_due(self._late_due, now)
        self._tries.update(dict.fromkeys(turned_late, 1))
        self.turned_late += len(turned_late)
        for ticker in in_vain:
            self._pause(ticker, now)
        ask = list(turned_late)
        for end in [end for end in self._pausing if end <= now]:
            for ticker in self._pausing.pop(end):
                del self._pause_ends[ticker]
                ask.append(ticker)
        return Overdue(ask, turned_late, [ticker for ticker in in_vain if self._tries[ticker] == 2])

    def next_deadline(self) -> float | None:
        """When `overdue` may return a market. None for never."""
        first = [next(iter(due.values())) for due in (self._due, self._late_due) if due]
        return min([*first, *self._pausing], default=None)

    def _pause(self, ticker: str, now: float) -> None:
        self._tries[ticker] += 1
        seconds = min(self._deadline * 2 ** min(self._tries[ticker] - 2, 30), max(MAX_PAUSE_SECONDS, self._deadline))
        end = ceil((now + seconds) / self._deadline) * self._deadline
        self._pause_ends[ticker] = end
        self._pausing.setdefault(end, {})[ticker] = None

    def _end_pause(self, ticker: str) -> None:
        end = self._pause_ends.pop(ticker, None)
        if end is not None:
            del self._pausing[end][ticker]
            if not self._pausing[end]:
                del self._pausing[end]


def _take_due(due: dict[str, float], now: float) -> list[str]:
    """Remove and return the markets that are due. The first market is due first."""
    taken: list[str] = []
    for ticker, at in due.items():
        if at > now:
            break
        taken.append(ticker)
    for ticker in taken:
        del due[ticker]
    return taken


@dataclass(slots=True)
class _Recovery:
    """The books of one sid that are asked for since a loss. They are asked for in *rounds*."""

    since: float
    gaps: int = 0
    rounds: int = 0
    waiting: set[str] = field(default_factory=set)
    """Markets of this round whose book may still come in time."""
    late: set[str] = field(default_factory=set)
    """Markets whose book is late. A round does not wait for them, the recovery does."""
    has_books: bool = False
    """Whether a book came in this round. Another loss makes it suspect."""
    again: bool = False
    """Whether another round follows."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Every book of a sid is fresh again."""

    sid: int
    seconds: float
    """Since the first loss."""
    gaps: int
    """Gaps of the exchange's numbers in that time. 0 if messages were lost on our side only."""


class GapRecoveries:
    """For each sid, the markets whose fresh book is awaited. A gap does not say which market lost data, so every book
    of the sid may be wrong (protocol section 4).

    To ask for every book costs time for each market of the sid. A further loss during a round must not cost that again:
    it makes one more round follow, if a book has come in this round, and nothing otherwise.
    """

    def __init__(self) -> None:
        self._recoveries: dict[int, _Recovery] = {}
        self._again: list[int] = []
        self._done: dict[int, None] = {}

    def lost(self, sid: int, gaps: int, now: float) -> bool:
        """Messages of the sid were lost. True if a round must `begin` now."""
        recovery = self._recoveries.setdefault(sid, _Recovery(now))
        recovery.gaps += gaps
        recovery.again = recovery.again or bool(recovery.waiting and recovery.has_books)
        return not recovery.waiting and sid not in self._again

    def begin(self, sid: int, tickers: Iterable[str]) -> None:
        """A round begins: the books of these markets are asked for."""
        recovery = self._recoveries[sid]
        recovery.waiting, recovery.late = set(tickers), set()
        recovery.has_books = recovery.again = False
        if recovery.waiting:
            recovery.rounds += 1
        elif recovery.rounds:
            self._done[sid] = None
        else:
            del self._recoveries[sid]

    def waits(self, sid: int) -> bool:
        """Whether any fresh book of the sid is awaited."""
        return sid in self._recoveries

    def book_came(self, ticker: str, sid: int) -> None:
        """A snapshot arrived on the sid."""
        recovery = self._recoveries.get(sid)
        if recovery is not None:
            recovery.has_books = True
        self.settle(ticker)

    def settle(self, ticker: str) -> None:
        """The market's book came, or it is not held any more."""
        for sid, recovery in list(self._recoveries.items()):
            recovery.waiting.discard(ticker)
            recovery.late.discard(ticker)
            self._look(sid, recovery)

    def turned_late(self, ticker: str) -> None:
        """The market's book did not come in time."""
        for sid, recovery in list(self._recoveries.items()):
            if ticker in recovery.waiting:
                recovery.waiting.discard(ticker)
                recovery.late.add(ticker)
                self._look(sid, recovery)

    def forget(self, sid: int) -> None:
        """The subscription is over."""
        self._recoveries.pop(sid, None)

    @property
    def has_again(self) -> bool:
        """Whether `take_again` has a sid."""
        return bool(self._again)

    def take_again(self) -> list[int]:
        """The sids for which another round must `begin` now."""
        again, self._again = self._again, []
        return [sid for sid in again if sid in self._recoveries]

    def take_done(self, now: float) -> list[Recovered]:
        """The recoveries completed since the last call."""
        done, self._done = self._done, {}
        recovered = []
        for sid in done:
            recovery = self._recoveries.get(sid)
            if recovery is not None and not (recovery.waiting or recovery.late or sid in self._again):
                del self._recoveries[sid]
                recovered.append(Recovered(sid, now - recovery.since, recovery.gaps))
        return recovered

    def _look(self, sid: int, recovery: _Recovery) -> None:
        if recovery.waiting:
            return
        if recovery.again:
            recovery.again = False
            self._again.append(sid)
        elif not recovery.late and sid not in self._again:
            self._done[sid] = None
