"""Which command comes next on an order book session: the difference between wanted and held.

`gatherer.core.subscriptions` explains how the two converge.
"""

from collections.abc import Iterable, Set

from gatherer.core.backoff import Backoff
from gatherer.core.subscriptions.book_requests import ORDERBOOK, BookRequests
from gatherer.core.subscriptions.commands import Action, Command
from gatherer.core.subscriptions.held import HeldMarkets
from gatherer.core.subscriptions.retries import RejectedMarkets, RetryGroups
from gatherer.values import Facts

ADDS = (Action.SUBSCRIBE, Action.ADD)
DELETES = (Action.UNSUBSCRIBE, Action.DELETE)


class BookPlanner:
    """The subscription state of one socket. `wanted` is the connection's own set: it is read here, never edited."""

    def __init__(self, wanted: Set[str], batch_size: int, snapshot_deadline: float, backoff: Backoff) -> None:
        self._wanted = wanted
        self._max_batch = batch_size
        self._backoff = backoff
        self.batch = batch_size
        self.held = HeldMarkets()
        self._books = BookRequests(self.held, wanted, snapshot_deadline)
        self.owed = self._books.owed
        self.recoveries = self._books.recoveries
        self.rejected = RejectedMarkets()
        self._in_flight: Command | None = None
        self._in_flight_markets: frozenset[str] = frozenset()
        self._not_before = 0.0
        self._to_add: dict[str, None] = dict.fromkeys(wanted)
        self._to_delete: dict[str, None] = {}
        self._retries = RetryGroups()
        self._early_books: dict[str, int] = {}
        """Books that came before the acknowledgement of their add, and when."""

    # -- what happens ------------------------------------------------------------------------

    def want(self, ticker: str) -> None:
        """The market is in `wanted` now."""
        was_leaving = ticker in self._to_delete
        self._to_delete.pop(ticker, None)
        self.rejected.pop(ticker, None)
        known = ticker in self.held and ticker not in self._retries.unsure
        if known and was_leaving:
            self._books.refresh((ticker,))  # `unwant` has forgotten what it is owed
        if not (known or self._is_adding(ticker) or ticker in self._retries):
            self._to_add[ticker] = None

    def unwant(self, ticker: str) -> None:
        """The market is not in `wanted` any more."""
        self._to_add.pop(ticker, None)
        self.rejected.pop(ticker, None)
        self._books.unwanted(ticker)
        if ticker in self.held and not self._is_leaving(ticker):
            self._to_delete[ticker] = None

    def refresh(self, tickers: Iterable[str]) -> None:
        """Ask for fresh snapshots of the markets, if they are held and wanted."""
        self._books.refresh(tickers)

    def snapshot(self, ticker: str, sid: int, at: int = 0) -> None:
        """A snapshot arrived, `at` Unix seconds. It names its market's sid, and may overtake the acknowledgement."""
        if sid:
            self.held.book(ticker, sid, at)
        if self._is_adding(ticker) or (ticker in self._retries.unsure and ticker not in self.held):
            self._early_books[ticker] = at
        self._books.came(ticker, sid)

    def gap(self, sid: int, now: float, gaps: int = 1) -> None:
        """Messages of the sid are missing: every book on it needs a fresh snapshot. `gaps` is 0 if the exchange's
        numbers have no gap, because messages were lost on our side."""
        self._early_books.clear()  # such a book may be wrong too: it is owed again
        self._books.lost(sid, gaps, now)

    def unwanted(self, tickers: Iterable[str]) -> list[str]:
        """The markets of these that are not wanted."""
        return [ticker for ticker in tickers if ticker not in self._wanted]

    def perhaps_held(self) -> set[str]:
        """The markets that the exchange may send: held, unsure, or in the command in flight."""
        return {*self.held, *self._retries.unsure, *self._in_flight_markets}

    # -- the outcome of the command in flight -------------------------------------------------

    def acknowledged(self, sid: int, now: float, command_id: int = 0) -> None:
        """The command in flight took effect. The markets of a subscribe or add are on this sid."""
        command = self._take_in_flight()
        if command.action in ADDS:
            self._added(command.tickers, sid or command.sid, now, command_id)
        elif command.action is not Action.SNAPSHOT:
            self._drop(command.tickers)
        self.batch = min(self._max_batch, self.batch + max(1, self._max_batch // 20))
        self._backoff.reset()

    def acknowledged_late(self, command: Command, sid: int, now: float, command_id: int = 0) -> tuple[str, ...]:
        """A command took effect whose result counted as unknown. Another command may be in flight. Returns the markets
        that are settled by it: those that are still unsure. A later command has settled the others."""
        tickers = tuple(ticker for ticker in command.tickers if ticker in self._retries.unsure)
        if command.action in ADDS:
            self._retries.forget(tickers)
            self._added(tickers, sid or command.sid, now, command_id)
        elif command.action is Action.DELETE:
            self._drop(ticker for ticker in tickers if self.held.sid_of(ticker) == command.sid)
        self._backoff.reset()
        self._not_before = now
        return tickers

    def unknown(self, now: float) -> None:
        """No reply, or an error: the command may or may not have taken effect. When a rejection was believed, unwanted
        markets stayed subscribed, and other markets were taken for held."""
        self._undo_unknown(self._take_in_flight(), now)

    def unanswered(self) -> None:
        """No snapshot came for a `get_snapshot`. Silent markets send none; their deadlines run on."""
        self._take_in_flight()

    def bad_market(self, code: int, now: float) -> bool:
        """The exchange rejects a market: halve until it is alone, then set it aside. True if it may still be held."""
        command = self._take_in_flight()
        if command.action not in ADDS:
            self._undo_unknown(command, now)
        elif len(command.tickers) > 1:
            self._retries.push(command.tickers)
        else:
            (ticker,) = command.tickers
            if ticker in self._wanted:
                self.rejected.put(ticker, code, now)
            return ticker in self._retries.unsure
        return False

    def over_limit(self, now: float) -> tuple[list[str], bool]:
        """Code 26: the wanted markets that do not fit, and whether an earlier try may have added some of them."""
        command = self._take_in_flight()
        may_be_held = not self._retries.unsure.isdisjoint(command.tickers)
        self._undo_unknown(command, now)
        if command.action not in ADDS:
            return [], False
        self._retries.unsure.difference_update(command.tickers)  # otherwise they would be asked for here forever
        return [t for t in self._wanted if t not in self.held], may_be_held

    def sid_over(self, sid: int, now: float) -> list[str]:
        """The exchange ended a subscription (10, 25, an `unsubscribed` without a command). Returns the markets lost."""
        lost = self.held.on(sid)
        self.recoveries.forget(sid)
        self._early_books.clear()  # they belong to the old subscription
        self._drop(lost)
        self._slow_down(now)
        return lost

    # -- the next command --------------------------------------------------------------------

    def next_command(self, now: float) -> Command | None:
        """The command to send now, which is in flight from now on. None when there is none to send."""
        if self._in_flight is not None or now < self._not_before:
            return None
        self._in_flight = command = (
            self._delete()
            or self._books.next_refresh(self.batch, now)
            or self._add()
            or self._books.next_repeat(self.batch, now)
        )
        self._in_flight_markets = frozenset(command.tickers) if command else frozenset()
        return command

    def overdue(self, now: float) -> list[str]:
        """Try late snapshots and rejected markets again. Returns the markets that sent no book the second time."""
        for ticker in self.rejected.take_due(now):
            self._retries.push((ticker,))
        return self._books.overdue(now)

    def wake_at(self) -> float | None:
        """When the next command is due if nothing happens until then. None for never."""
        times = [self.owed.next_deadline(), self.rejected.next_due()]
        times.append(self._not_before if self._in_flight is None and self._has_work() else None)
        return min((time for time in times if time is not None), default=None)

    @property
    def in_flight(self) -> Command | None:
        """The command that waits for its reply."""
        return self._in_flight

    @property
    def missing(self) -> int:
        """How many markets wait to be added or are being added."""
        return (
            len(self._to_add) + len(self._retries) + (len(self._in_flight_markets) if self._in_flight_is(ADDS) else 0)
        )

    @property
    def surplus(self) -> int:
        """How many markets wait to be deleted or are being deleted."""
        return len(self._to_delete) + (len(self._in_flight_markets) if self._in_flight_is(DELETES) else 0)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to add or delete."""
        return not (self.missing or self.surplus)

    def standing(self, ticker: str) -> Facts:
        """Where one market is on its way. `retry_at` (Unix seconds) is set only if it was rejected."""
        words = (
            ("leaving", self._is_leaving(ticker) or ticker in self._to_delete), ("held", ticker in self.held),
            ("asked", self._is_adding(ticker)), ("again", ticker in self._retries), ("queued", ticker in self._to_add),
            ("rejected", ticker in self.rejected),
        )  # fmt: skip
        word = next((word for word, applies in words if applies), None)
        return {"standing": word, "rejected": self.rejected.get(ticker), "retry_at": self.rejected.due(ticker)}

    # -- helpers -----------------------------------------------------------------------------

    def _delete(self) -> Command | None:
        """Deletes go first: they make room. The last markets of a sid are deleted by `unsubscribe`."""
        if not self._to_delete:
            return None
        sid = self.held.sid_of(next(iter(self._to_delete)))
        whole = len(self._to_delete) >= self.held.count(sid)
        tickers = self.held.pick(self._to_delete, self.held.count(sid) if whole else self.batch, sid)
        if len(tickers) == self.held.count(sid):
            return Command(Action.UNSUBSCRIBE, ORDERBOOK, tickers, sid)
        return Command(Action.DELETE, ORDERBOOK, tickers, sid)

    def _add(self) -> Command | None:
        if self._books.is_full(self.batch):
            return None
        tickers = self._retries.pop(self._wanted) or self.held.pick(self._to_add, self.batch)
        sid = self.held.some_sid()
        return Command(Action.ADD if sid else Action.SUBSCRIBE, ORDERBOOK, tickers, sid) if tickers else None

    def _added(self, tickers: tuple[str, ...], sid: int, now: float, command_id: int) -> None:
        for ticker in tickers:
            if ticker in self.held and ticker not in self._retries.unsure:
                continue  # a late acknowledgement of an earlier add came first: this add changed nothing
            book_at = self._early_books.pop(ticker, None)
            self.held.put(ticker, sid, command_id, int(now), book_at or 0)
            if ticker not in self._wanted:
                self._to_delete[ticker] = None
            elif book_at is None:
                self.owed.expect(ticker, now)
        self._retries.unsure.difference_update(tickers)

    def _drop(self, tickers: Iterable[str]) -> None:
        for ticker in tickers:
            self.held.drop(ticker)
            self._retries.unsure.discard(ticker)
            self._books.settle(ticker)
            self._to_delete.pop(ticker, None)
            if ticker in self._wanted:
                self._to_add[ticker] = None

    def _take_in_flight(self) -> Command:
        command, self._in_flight, self._in_flight_markets = self._in_flight, None, frozenset()
        assert command is not None, "an outcome without a command in flight"
        return command

    def _undo_unknown(self, command: Command, now: float) -> None:
        if command.action is not Action.SNAPSHOT:
            self._retries.unsure.update(command.tickers)
        self._undo(command)
        self._slow_down(now)

    def _undo(self, command: Command) -> None:
        """Put the command's markets back where they came from, adds in halves."""
        if command.action in ADDS:
            self._retries.push(command.tickers)
        elif command.action is Action.SNAPSHOT:
            self._books.undo(command)
        else:
            for ticker in command.tickers:
                if ticker in self._wanted:
                    self.want(ticker)
                elif ticker in self.held:
                    self._to_delete[ticker] = None

    def _slow_down(self, now: float) -> None:
        self.batch = max(1, self.batch // 2)
        self._not_before = now + self._backoff.next()

    def _in_flight_is(self, actions: tuple[Action, ...]) -> bool:
        return self._in_flight is not None and self._in_flight.action in actions

    def _is_adding(self, ticker: str) -> bool:
        return ticker in self._in_flight_markets and self._in_flight_is(ADDS)

    def _is_leaving(self, ticker: str) -> bool:
        return ticker in self._in_flight_markets and self._in_flight_is(DELETES)

    def _has_work(self) -> bool:
        if self._to_delete or self._books.has_work(self.batch):
            return True
        return bool(self._to_add or len(self._retries)) and not self._books.is_full(self.batch)
