"""Which order book connection carries which market: placing, moving, draining, and why each market is where it is."""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gatherer.core.balance import MoveReason
from gatherer.errors import NoCapacity
from gatherer.interfaces import IAllocator, IConnection
from gatherer.pool.failover import FailoverTimer
from gatherer.pool.handovers import Handovers
from gatherer.values import Facts

CHUNK = 500
"""Markets placed or moved in one reactor turn: some milliseconds. 117,000 in one turn took 0.8 s."""
SPREAD_SECONDS = 30.0
"""How long waiting markets are spread as if all connections were up. After that those that are up take them all."""
MAX_DOWN_SHARE = 1 / 3
"""Of the connections. While more are down, the cause is the exchange or the network, and moving markets is no help."""
MAX_MOVES = 10_000
"""Moves that `explain` remembers."""


class Placement:
    """Edits the connections' wanted sets; each session brings its socket to that set in its own time.

    Work on many markets is done in chunks, one in a reactor turn: `_work` holds what is still to do.
    """

    _log = Logger()

    def __init__(
        self,
        connections: Mapping[int, IConnection],
        allocator: IAllocator,
        clock: IReactorTime,
        wall: Callable[[], int],
        capacity: int,
        rehome_after: float,
    ) -> None:
        """`connections` are those for order books by id; `wall` gives Unix time in ns; the rest as in the settings."""
        self._connections = connections
        self._allocator = IAllocator(allocator)
        self._clock = clock
        self._wall = wall
        self._capacity = capacity
        self._failover = FailoverTimer(clock, rehome_after, self._fail_over)
        self._handovers = Handovers(clock, connections, self._allocator, self._move_back)
        self._moves: deque[Facts] = deque(maxlen=MAX_MOVES)
        self.moved: Counter[MoveReason] = Counter()
        """Markets that changed their connection."""
        self.unplaced: OrderedDict[str, None] = OrderedDict()  # a plain dict searches for its first key
        """Markets without a place, in the order of arrival."""
        self.draining: set[int] = set()
        """Connections that are to carry nothing."""
        self._emptying: dict[int, MoveReason] = {}
        """Connections whose markets are on their way to others."""
        self._spread_until: float | None = None
        self._work: IDelayedCall | None = None

    # -- answers --------------------------------------------------------------------------------

    @property
    def twice(self) -> int:
        """Markets that two connections want for the moment."""
        return len(self._handovers)

    @property
    def is_busy(self) -> bool:
        """Whether markets wait for a place or for a turn to move."""
        return bool(self._emptying or self.unplaced)

    def where(self, ticker: str) -> int | None:
        """The connection of a market."""
        return self._allocator.where(ticker)

    def load(self, conn_id: int) -> int:
        """How many markets a connection has. Those that moved already are left out."""
        return self._allocator.load(conn_id)

    def capacity(self, conn_id: int) -> int:
        """How many markets a connection may have."""
        return self._allocator.capacity(conn_id)

    def can_move(self, ticker: str, connection: IConnection) -> bool:
        """Whether a market could leave a connection without a hole: it is placed there and its book is there."""
        placed = self._allocator.where(ticker) == connection.conn_id
        return placed and ticker not in self._handovers and connection.has_book(ticker)

    def down_share(self) -> float:
        """Share of the connections that are down."""
        return sum(not each.is_live for each in self._connections.values()) / max(1, len(self._connections))

    def explain(self, ticker: str) -> Facts:
        """Why a market is where it is; JSON-ready."""
        moves = [move for move in self._moves if move["ticker"] == ticker]
        why = moves[-1]["why"] if moves else "least loaded when it was added"
        placed = self._allocator.where(ticker) is not None
        return {
            "unplaced": ticker in self.unplaced, "why_there": why if placed else None, "moves": moves,
            "still_on": self._handovers.source(ticker),
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
        self._handovers.release_old(ticker, moved=False)
        conn_id = self._allocator.release(ticker)
        if conn_id is not None:
            self._connections[conn_id].unwant(ticker)

    def refresh(self, ticker: str) -> None:
        """The book of the market starts anew."""
        conn_id = self._allocator.where(ticker)
        if conn_id is not None:
            self._connections[conn_id].refresh(ticker)

    def move(self, ticker: str, source: IConnection, target: int | None, reason: MoveReason) -> None:
        """From a connection to another, the least loaded one if `target` is None, or to those that wait.

        A connection that has the book and can keep it goes on until the book came on the new one. Raises `NoCapacity`
        for a target that is full.
        """
        if target is not None:
            self._allocator.move(ticker, target)
        else:
            self._allocator.release(ticker)
        if reason.is_gentle and source.has_book(ticker):
            self._handovers.add(ticker, source)
        else:
            source.unwant(ticker, moved=True)
        if target is not None:
            self._want(target, ticker)
        else:
            self.add(ticker)
        self._note_move(ticker, source, reason)

    # -- connections ----------------------------------------------------------------------------

    def set_live(self, connection: IConnection, live: bool, running: bool) -> None:
        """A connection can, or cannot, carry markets now."""
        self._allocator.set_available(connection.conn_id, live and connection.conn_id not in self.draining)
        if live or not running:
            self._failover.up(connection)
            if connection.conn_id not in self.draining:
                self._emptying.pop(connection.conn_id, None)  # it is back: what it still has stays
        else:
            self._failover.down(connection)

    def came_back(self, connection: IConnection) -> None:
        """It went live: a limit learnt on the last socket is forgotten."""
        self._allocator.set_capacity(connection.conn_id, self._capacity)
        self.use_room()

    def over_limit(self, connection: IConnection, tickers: list[str], capacity: int) -> None:
        """It takes no more than `capacity` markets: these go elsewhere. Holds until the connection is made anew."""
        self._allocator.set_capacity(connection.conn_id, capacity)
        for ticker in tickers:
            self.move(ticker, connection, None, MoveReason.LIMIT)

    def drain(self, connection: IConnection) -> int:
        """Move its markets to others and give it none until `undrain`; how many are to move, as far as there is room.

        It carries each until the book came on the other connection, so that nothing is missed.
        """
        self.draining.add(connection.conn_id)
        self._allocator.set_available(connection.conn_id, False)
        self._emptying[connection.conn_id] = MoveReason.DRAIN
        moving = min(self._allocator.load(connection.conn_id), self._allocator.room())
        self.use_room()
        return moving

    def undrain(self, connection: IConnection) -> None:
        """It may carry markets again: new ones, and those that wait for room."""
        self.draining.discard(connection.conn_id)
        self._emptying.pop(connection.conn_id, None)
        self._allocator.set_available(connection.conn_id, connection.is_live)
        self.use_room()

    def use_room(self) -> None:
        """There may be room now: for those that wait, then for what is still on connections to be emptied."""
        if self.is_busy and self._work is None:
            self._work_on()

    def stop(self) -> None:
        """No timer is left."""
        self._failover.stop()
        self._handovers.stop()
        if self._work is not None:
            self._work.cancel()
            self._work = None

    # -- work in chunks -------------------------------------------------------------------------

    def _work_on(self) -> None:
        """One chunk. The next one follows in another turn, later when there is no room at the moment."""
        self._work = None
        budget = self._place_waiting(CHUNK)
        for conn_id, reason in list(self._emptying.items()):
            budget -= self._empty(self._connections[conn_id], reason, budget)
        if budget <= 0:
            self._work = self._clock.callLater(0, self._work_on)
        elif self.unplaced and self._allocator.least_loaded() is not None:
            self._work = self._clock.callLater(1.0, self._work_on)

    def _place_waiting(self, budget: int) -> int:
        """Place markets that wait, no more on one connection than its share; what is left of the budget."""
        now, share = self._clock.seconds(), self._fair_share()
        if not self.unplaced:
            self._spread_until = None
        elif self._spread_until is None and self._allocator.least_loaded() is not None:
            self._spread_until = now + SPREAD_SECONDS
        while self.unplaced and budget > 0:
            least = self._allocator.least_loaded()
            if least is None or (now < (self._spread_until or 0.0) and self._allocator.load(least) >= share):
                break
            ticker, _ = self.unplaced.popitem(last=False)
            self._want(self._allocator.assign(ticker), ticker)
            budget -= 1
        return budget

    def _fair_share(self) -> int:
        """Markets that each connection would have if all were up, and a little more."""
        usable = [conn_id for conn_id in self._connections if conn_id not in self.draining]
        total = sum(map(self._allocator.load, self._connections)) + len(self.unplaced)
        return min(self._capacity, 10 + total * 5 // (4 * max(1, len(usable))))

    def _fail_over(self, connection: IConnection) -> None:
        if self.down_share() > MAX_DOWN_SHARE:
            return  # the timer comes back to it
        if self._allocator.load(connection.conn_id) and connection.conn_id not in self._emptying:
            self._log.warn(
                "connection {conn_id} stays down: its {markets} markets move to the others",
                conn_id=connection.conn_id, markets=self._allocator.load(connection.conn_id),
            )  # fmt: skip
            self._emptying[connection.conn_id] = MoveReason.DOWN
        self.use_room()

    def _empty(self, connection: IConnection, reason: MoveReason, budget: int) -> int:
        """Move markets of a connection, at most `budget`; how many moved."""
        moved = 0
        for ticker in list(connection.wanted):
            if moved >= budget:
                return moved
            if self._allocator.where(ticker) != connection.conn_id:
                continue  # it moved already and is only carried on until its book came
            if self._allocator.least_loaded() is None:
                return moved
            self.move(ticker, connection, None, reason)
            moved += 1
        del self._emptying[connection.conn_id]
        return moved

    # -- helpers --------------------------------------------------------------------------------

    def _move_back(self, ticker: str, source: IConnection) -> None:
        """No book came on the new connection: the old one, which has it, keeps the market."""
        current = self._allocator.where(ticker)
        if current is None or source.conn_id in self.draining or not source.is_live:
            self._handovers.release_old(ticker)
            return
        try:
            self._allocator.move(ticker, source.conn_id)
        except NoCapacity:
            self._handovers.release_old(ticker)
            return
        self._want(source.conn_id, ticker)
        self._connections[current].unwant(ticker, moved=True)
        self._note_move(ticker, self._connections[current], MoveReason.NO_BOOK)

    def _note_move(self, ticker: str, source: IConnection, reason: MoveReason) -> None:
        self.moved[reason] += 1
        self._moves.append({
            "ticker": ticker, "at": self._wall() / 1e9, "from": source.conn_id,
            "to": self._allocator.where(ticker), "why": reason.text(source.conn_id),
        })  # fmt: skip

    def _want(self, conn_id: int, ticker: str) -> None:
        self._handovers.came_back(ticker, conn_id)
        self._connections[conn_id].want(ticker)
