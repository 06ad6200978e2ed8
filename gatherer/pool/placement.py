"""Which order book connection carries which market: placing, moving, draining, and why each market is where it is."""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gatherer.errors import NoCapacity
from gatherer.interfaces import IAllocator, IConnection
from gatherer.values import Facts


class FailoverTimer:
    """One timer for each connection that is down."""

    def __init__(self, clock: IReactorTime, after: float, move_markets: Callable[[IConnection], None]) -> None:
        """`after` in seconds, 0 for never; `move_markets` gets a connection, again and again while it is down."""
        self._clock = clock
        self._after = after
        self._move_markets = move_markets
        self._calls: dict[int, IDelayedCall] = {}

    def down(self, connection: IConnection) -> None:
        """It is down, perhaps as before."""
        if self._after and connection.conn_id not in self._calls:
            self._arm(connection)

    def up(self, connection: IConnection) -> None:
        """It is back."""
        call = self._calls.pop(connection.conn_id, None)
        if call is not None:
            call.cancel()

    def stop(self) -> None:
        """Forget them all."""
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.cancel()

    def _arm(self, connection: IConnection) -> None:
        self._calls[connection.conn_id] = self._clock.callLater(self._after, self._over, connection)

    def _over(self, connection: IConnection) -> None:
        self._arm(connection)  # what finds no place now may find one later
        self._move_markets(connection)


LOOK_SECONDS = 0.25
"""Between two looks whether a market's book came where it moved to."""
MAX_MOVES = 10_000
"""Moves that `explain` remembers."""


class Placement:
    """Edits the connections' wanted sets; each session brings its socket to that set in its own time."""

    _log = Logger()

    def __init__(
        self,
        connections: Mapping[int, IConnection],
        allocator: IAllocator,
        clock: IReactorTime,
        capacity: int,
        rehome_after: float,
    ) -> None:
        self._connections = connections
        self._allocator = IAllocator(allocator)
        self._clock = clock
        self._capacity = capacity
        self._failover = FailoverTimer(clock, rehome_after, self._fail_over)
        self._moves: deque[Facts] = deque(maxlen=MAX_MOVES)
        self.unplaced: OrderedDict[str, None] = OrderedDict()  # a plain dict searches for its first key
        """Markets without a place, in the order of arrival."""
        self.draining: set[int] = set()
        """Connections that are to carry nothing."""
        self._leaving: dict[str, IConnection] = {}
        """Markets that moved, and the connection that goes on carrying them until their book came on the new one."""
        self._look: IDelayedCall | None = None

    @property
    def twice(self) -> int:
        """Markets that two connections want for the moment."""
        return len(self._leaving)

    def where(self, ticker: str) -> int | None:
        """The connection of a market."""
        return self._allocator.where(ticker)

    def load(self, conn_id: int) -> int:
        """How many markets a connection has, those that moved already left out."""
        return self._allocator.load(conn_id)

    def explain(self, ticker: str) -> Facts:
        """Why a market is where it is; JSON-ready."""
        moves = [move for move in self._moves if move["ticker"] == ticker]
        why = moves[-1]["why"] if moves else "least loaded when it was added"
        placed = self._allocator.where(ticker) is not None
        left = self._leaving.get(ticker)
        return {
            "unplaced": ticker in self.unplaced, "why_there": why if placed else None, "moves": moves,
            "still_on": None if left is None else left.conn_id,
        }  # fmt: skip

    # -- markets --------------------------------------------------------------------------------

    def add(self, ticker: str) -> None:
        """To the least loaded connection, or to those that wait for room."""
        try:
            conn_id = self._allocator.assign(ticker)
        except NoCapacity as error:
            if not self.unplaced:
                self._log.error("no connection for {ticker}: {error}; it waits", ticker=ticker, error=error)
            self.unplaced[ticker] = None
        else:
            self._want(conn_id, ticker)

    def remove(self, ticker: str) -> None:
        """The market is over."""
        self.unplaced.pop(ticker, None)
        self._let_go(ticker, moved=False)
        conn_id = self._allocator.release(ticker)
        if conn_id is not None:
            self._connections[conn_id].unwant(ticker)

    def refresh(self, ticker: str) -> None:
        """The book of the market starts anew."""
        conn_id = self._allocator.where(ticker)
        if conn_id is not None:
            self._connections[conn_id].refresh(ticker)

    def use_room(self) -> None:
        """There may be room now: for those that wait, then for what is still on connections to be drained."""
        while self.unplaced:
            ticker = next(iter(self.unplaced))
            try:
                conn_id = self._allocator.assign(ticker)
            except NoCapacity:
                return
            self.unplaced.popitem(last=False)
            self._want(conn_id, ticker)
        for conn_id in self.draining:
            self._empty(self._connections[conn_id], f"connection {conn_id} drained", gently=True)

    # -- connections ----------------------------------------------------------------------------

    def set_live(self, connection: IConnection, live: bool, running: bool) -> None:
        """A connection can, or cannot, carry markets now."""
        self._allocator.set_available(connection.conn_id, live and connection.conn_id not in self.draining)
        (self._failover.up if live or not running else self._failover.down)(connection)

    def came_back(self, connection: IConnection) -> None:
        """It went live: a limit learnt on the last socket is forgotten."""
        self._allocator.set_capacity(connection.conn_id, self._capacity)
        self.use_room()

    def over_limit(self, connection: IConnection, tickers: list[str], capacity: int) -> None:
        """It takes no more than `capacity` markets: these go elsewhere. Holds until the connection is made anew."""
        self._allocator.set_capacity(connection.conn_id, capacity)
        for ticker in tickers:
            self._move(connection, ticker, "market limit")

    def drain(self, connection: IConnection) -> int:
        """Move its markets to others, as far as these have room, and give it none until `undrain`; how many moved.

        It carries each until the book came on the other connection, so that nothing is missed.
        """
        self.draining.add(connection.conn_id)
        self._allocator.set_available(connection.conn_id, False)
        return self._empty(connection, f"connection {connection.conn_id} drained", gently=True)

    def undrain(self, connection: IConnection) -> None:
        """It may carry markets again: new ones, and those that wait for room."""
        self.draining.discard(connection.conn_id)
        self._allocator.set_available(connection.conn_id, connection.is_live)
        self.use_room()

    def stop(self) -> None:
        """No timer is left."""
        self._failover.stop()
        if self._look is not None:
            self._look.cancel()
            self._look = None

    # -- helpers --------------------------------------------------------------------------------

    def _fail_over(self, connection: IConnection) -> None:
        moved = self._empty(connection, f"connection {connection.conn_id} down too long")
        if moved:
            self._log.warn(
                "connection {conn_id} stays down: {moved} of its markets moved to the others",
                conn_id=connection.conn_id, moved=moved,
            )  # fmt: skip

    def _empty(self, connection: IConnection, why: str, gently: bool = False) -> int:
        moved = 0
        for ticker in list(connection.wanted):
            if ticker in self._leaving and self._allocator.where(ticker) != connection.conn_id:
                continue
            if not self._allocator.has_room():
                break
            self._move(connection, ticker, why, gently)
            moved += 1
        return moved

    def _move(self, connection: IConnection, ticker: str, why: str, gently: bool = False) -> None:
        """From a connection to the least loaded other one, or to those that wait. Gently: it goes on for a moment."""
        self._allocator.release(ticker)
        if gently and connection.has_book(ticker):
            self._let_go(ticker)
            self._leaving[ticker] = connection
            self._look_soon()
        else:
            connection.unwant(ticker, moved=True)
        self.add(ticker)
        self._moves.append({
            "ticker": ticker, "at": self._clock.seconds(), "from": connection.conn_id,
            "to": self._allocator.where(ticker), "why": why,
        })  # fmt: skip

    def _want(self, conn_id: int, ticker: str) -> None:
        if self._leaving.get(ticker) is self._connections[conn_id]:
            del self._leaving[ticker]  # it came back to where it was
        self._connections[conn_id].want(ticker)

    def _let_go(self, ticker: str, moved: bool = True) -> None:
        connection = self._leaving.pop(ticker, None)
        if connection is not None:
            connection.unwant(ticker, moved=moved)

    def _look_soon(self) -> None:
        if self._look is None:
            self._look = self._clock.callLater(LOOK_SECONDS, self._look_at_those_leaving)

    def _look_at_those_leaving(self) -> None:
        """Let go of those whose book came, and of those that the old connection has lost itself."""
        self._look = None
        for ticker, old in list(self._leaving.items()):
            conn_id = self._allocator.where(ticker)
            if not old.has_book(ticker) or (conn_id is not None and self._connections[conn_id].has_book(ticker)):
                self._let_go(ticker)
        if self._leaving:
            self._look_soon()
