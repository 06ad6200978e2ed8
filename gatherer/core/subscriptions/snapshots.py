"""Books that are awaited: those the exchange owes, and those that end a gap (protocol section 4 and trap 11)."""

from collections.abc import Iterable


class OwedSnapshots:
    """Markets whose book was asked for and has not come, each with a deadline. A market is up only when its book came.

    All deadlines are equally long, so the first market is due first.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._due: dict[str, float] = {}
        self._asked_again: set[str] = set()

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, ticker: str) -> bool:
        return ticker in self._due

    def expect(self, ticker: str, now: float) -> None:
        """A book was asked for. It is owed from now on."""
        self._due.pop(ticker, None)
        self._due[ticker] = now + self._deadline

    def settle(self, ticker: str) -> None:
        """The book came, or the market is not wanted any more."""
        self._due.pop(ticker, None)
        self._asked_again.discard(ticker)

    def overdue(self, now: float) -> tuple[list[str], list[str]]:
        """The markets to ask for once more, and those that stayed silent after that. Both are forgotten here."""
        late: list[str] = []
        silent: list[str] = []
        for ticker, due in self._due.items():
            if due > now:
                break
            (silent if ticker in self._asked_again else late).append(ticker)
        for ticker in (*late, *silent):
            del self._due[ticker]
        self._asked_again.difference_update(silent)
        self._asked_again.update(late)
        return late, silent

    def next_deadline(self) -> float | None:
        """When `overdue` will return a market. None while no book is owed."""
        return next(iter(self._due.values()), None)


class GapRecoveries:
    """For each sid, the markets whose fresh book is awaited. A gap does not say which market lost data, so every book
    of the sid may be wrong (protocol section 4)."""

    def __init__(self) -> None:
        self._waiting: dict[int, set[str]] = {}
        self._since: dict[int, float] = {}
        self._done: list[int] = []

    def begin(self, sid: int, tickers: Iterable[str], now: float) -> None:
        """The sid has a gap. A second gap starts the wait again, from the time of the first."""
        waiting = set(tickers)
        if waiting:
            self._waiting[sid] = waiting
            self._since.setdefault(sid, now)

    def waits(self, sid: int) -> bool:
        """Whether any fresh book of the sid is awaited."""
        return sid in self._waiting

    def settle(self, ticker: str) -> None:
        """The market's book came, or it is not wanted any more."""
        for sid, waiting in list(self._waiting.items()):
            waiting.discard(ticker)
            if not waiting:
                del self._waiting[sid]
                self._done.append(sid)

    def forget(self, sid: int) -> None:
        """The subscription is over."""
        self._waiting.pop(sid, None)
        self._since.pop(sid, None)

    def take_done(self, now: float) -> list[tuple[int, float]]:
        """The recoveries completed since the last call, as (sid, seconds from the gap)."""
        done, self._done = self._done, []
        return [(sid, now - self._since.pop(sid)) for sid in done if sid in self._since and sid not in self._waiting]
