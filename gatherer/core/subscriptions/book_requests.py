"""Which books are missing, and which command asks for them: after an add, after a loss, and as long as one is late."""

from collections.abc import Iterable, Set

from gatherer.core.subscriptions.commands import Action, Command
from gatherer.core.subscriptions.held import HeldMarkets
from gatherer.core.subscriptions.snapshots import GapRecoveries, OwedSnapshots

ORDERBOOK = "orderbook_delta"


class BookRequests:
    """The half of `BookPlanner` that is about books. It reads the held and the wanted markets and edits neither."""

    def __init__(self, held: HeldMarkets, wanted: Set[str], deadline: float) -> None:
        self._held = held
        self._wanted = wanted
        self.owed = OwedSnapshots(deadline)
        self.recoveries = GapRecoveries()
        self._to_refresh: dict[str, None] = {}
        self._to_repeat: dict[str, None] = {}
        """Markets whose late book is to be asked for again."""

    def refresh(self, tickers: Iterable[str]) -> None:
        """Ask for fresh snapshots of the markets, if they are held and wanted."""
        self._to_refresh.update((t, None) for t in tickers if t in self._held and t in self._wanted)

    def came(self, ticker: str, sid: int) -> None:
        """A snapshot arrived."""
        self.recoveries.book_came(ticker, sid)
        self.settle(ticker)

    def settle(self, ticker: str) -> None:
        """No book of the market is missing: it came, or the market is not held any more."""
        self.unwanted(ticker)
        self.recoveries.settle(ticker)

    def unwanted(self, ticker: str) -> None:
        """The book is not to be asked for. While the market is held, it is as suspect as before: it may be wanted
        again."""
        self.owed.settle(ticker)
        self._to_refresh.pop(ticker, None)
        self._to_repeat.pop(ticker, None)

    def lost(self, sid: int, gaps: int, now: float) -> None:
        """Messages of the sid were lost: every book on it needs a fresh snapshot."""
        if self.recoveries.lost(sid, gaps, now):
            self._begin_round(sid)

    def overdue(self, now: float) -> list[str]:
        """Ask for late books again. Returns the markets whose book was asked for twice in vain just now."""
        overdue = self.owed.overdue(now)
        for ticker in overdue.turned_late:
            self.recoveries.turned_late(ticker)
        self._to_repeat.update(dict.fromkeys(overdue.ask))
        return overdue.silent

    def undo(self, command: Command) -> None:
        """A `get_snapshot` was rejected: ask again."""
        for ticker in command.tickers:
            if ticker in self.owed:
                (self._to_repeat if self.owed.tries(ticker) else self._to_refresh)[ticker] = None

    def next_refresh(self, most: int, now: float) -> Command | None:
        """A command for fresh books, of `most` markets at most."""
        for sid in self.recoveries.take_again():
            self._begin_round(sid)
        return None if self.is_full(most) else self._ask(self._to_refresh, most, now)

    def next_repeat(self, most: int, now: float) -> Command | None:
        """A command for late books."""
        return self._ask(self._to_repeat, most, now) if self._may_repeat(most) else None

    def has_work(self, most: int) -> bool:
        """Whether one of the two has a command."""
        if self.recoveries.has_again or (self._to_refresh and not self.is_full(most)):
            return True
        return bool(self._to_repeat) and self._may_repeat(most)

    def is_full(self, batch: int) -> bool:
        """Every add returns a full book. Too many at once lead to code 25 (protocol section 3, "Limits"). Late books do
        not count: markets that never send one must not stop the adds."""
        return self.owed.in_time >= 2 * batch

    def _may_repeat(self, batch: int) -> bool:
        return self.owed.asked_again < 2 * batch

    def _ask(self, tickers: dict[str, None], most: int, now: float) -> Command | None:
        if not tickers:
            return None
        sid = self._held.sid_of(next(iter(tickers)))
        picked = self._held.pick(tickers, most, sid)
        for ticker in picked:
            self.owed.expect(ticker, now)
        return Command(Action.SNAPSHOT, ORDERBOOK, picked, sid)

    def _begin_round(self, sid: int) -> None:
        markets = self._held.on(sid)
        self.refresh(markets)
        self.recoveries.begin(sid, markets)
