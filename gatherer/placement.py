"""Which order book connection carries which market: placing, moving, draining, and why each market is where it is."""

from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gatherer.core.interfaces import IAllocator
from gatherer.errors import NoCapacity
from gatherer.rehoming import Rehoming

MOST_MOVES = 10_000
"""Moves that `explain` remembers."""


class Placement:
    """An edit of the connections' wanted sets; the sockets are pulled towards them in their own time."""

    _log = Logger()

    def __init__(
        self, connections: Mapping[int, Any], allocator: Any, clock: IReactorTime, capacity: int, rehome_after: float
    ) -> None:
        self._connections = connections
        self._allocator = IAllocator(allocator)
        self._clock = clock
        self._capacity = capacity
        self._rehoming = Rehoming(clock, rehome_after, self._rehome)
        self._moves: deque[dict[str, Any]] = deque(maxlen=MOST_MOVES)
        self.unplaced: OrderedDict[str, None] = OrderedDict()  # a dict finds its first again by a search
        """Markets without a place, in the order of arrival."""
        self.draining: set[int] = set()
        """Connections that are to carry nothing."""

    def where(self, ticker: str) -> int | None:
        """The connection of a market."""
        return self._allocator.where(ticker)

    def explain(self, ticker: str) -> dict[str, Any]:
        """Why a market is where it is; JSON-ready."""
        moves = [move for move in self._moves if move["ticker"] == ticker]
        why = moves[-1]["why"] if moves else "least loaded when it was added"
        placed = self._allocator.where(ticker) is not None
        return {"unplaced": ticker in self.unplaced, "why_there": why if placed else None, "moves": moves}

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
            self._connections[conn_id].want(ticker)

    def remove(self, ticker: str) -> None:
        """It is over."""
        self.unplaced.pop(ticker, None)
        conn_id = self._allocator.release(ticker)
        if conn_id is not None:
            self._connections[conn_id].unwant(ticker)

    def refresh(self, ticker: str) -> None:
        """Its book starts anew."""
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
            self._connections[conn_id].want(ticker)
        for conn_id in self.draining:
            self._empty(self._connections[conn_id], f"connection {conn_id} drained")

    # -- connections ----------------------------------------------------------------------------

    def set_live(self, connection: Any, live: bool, running: bool) -> None:
        """A connection can, or cannot, carry markets now."""
        self._allocator.set_available(connection.conn_id, live and connection.conn_id not in self.draining)
        (self._rehoming.up if live or not running else self._rehoming.down)(connection)

    def came_back(self, connection: Any) -> None:
        """It went live: a limit learnt on the last socket is forgotten."""
        self._allocator.set_capacity(connection.conn_id, self._capacity)
        self.use_room()

    def over_limit(self, connection: Any, tickers: list[str], capacity: int) -> None:
        """It takes no more than `capacity` markets: these go elsewhere. Holds until the connection is made anew."""
        self._allocator.set_capacity(connection.conn_id, capacity)
        for ticker in tickers:
            self._move(connection, ticker, "market limit")

    def drain(self, connection: Any) -> int:
        """Move its markets to others, as far as these have room, and give it none until `undrain`; how many moved."""
        self.draining.add(connection.conn_id)
        self._allocator.set_available(connection.conn_id, False)
        return self._empty(connection, f"connection {connection.conn_id} drained")

    def undrain(self, connection: Any) -> None:
        """It may carry markets again: new ones, and those that wait for room."""
        self.draining.discard(connection.conn_id)
        self._allocator.set_available(connection.conn_id, connection.is_live)
        self.use_room()

    def stop(self) -> None:
        """No timer is left."""
        self._rehoming.stop()

    # -- helpers --------------------------------------------------------------------------------

    def _rehome(self, connection: Any) -> None:
        moved = self._empty(connection, f"connection {connection.conn_id} down too long")
        if moved:
            self._log.warn(
                "connection {conn_id} stays down: {moved} of its markets moved to the others",
                conn_id=connection.conn_id, moved=moved,
            )  # fmt: skip

    def _empty(self, connection: Any, why: str) -> int:
        moved = 0
        for ticker in list(connection.wanted):
            if not self._allocator.has_room():
                break
            self._move(connection, ticker, why)
            moved += 1
        return moved

    def _move(self, connection: Any, ticker: str, why: str) -> None:
        """From a connection to the least loaded other one, or to those that wait."""
        self._allocator.release(ticker)
        connection.unwant(ticker, moved=True)
        self.add(ticker)
        self._moves.append({
            "ticker": ticker, "at": self._clock.seconds(), "from": connection.conn_id,
            "to": self._allocator.where(ticker), "why": why,
        })  # fmt: skip
