"""Snapshots the exchange owes us: a market is up only when its book came (protocol, trap 11)."""


class OwedSnapshots:
    """Markets whose book was asked for and has not come, each with a deadline.

    All deadlines are equally far away, so the order of insertion is the order of time.
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
        """A book was asked for: it is owed from now on."""
        self._due.pop(ticker, None)
        self._due[ticker] = now + self._deadline

    def settle(self, ticker: str) -> None:
        """The book came, or nobody wants it any more."""
        self._due.pop(ticker, None)
        self._asked_again.discard(ticker)

    def overdue(self, now: float) -> tuple[list[str], list[str]]:
        """Those to ask for once more, and those that stayed silent after that. Both are forgotten here."""
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
        """When `overdue` has something to say; None while nothing is owed."""
        return next(iter(self._due.values()), None)
