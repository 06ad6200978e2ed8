"""Markets on the move: the old connection goes on with each until its book came on the new one."""

from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gatherer.interfaces import IAllocator, IConnection

LOOK_SECONDS = 0.25
"""Between two looks whether a market's book came where it moved to."""
MAX_MOVE_SECONDS = 60.0
"""A move without a book on the new connection ends after this time, one way or the other. A book takes a second."""


class Handovers:
    """Knows which connection each of them comes from and since when."""

    def __init__(
        self, clock: IReactorTime, connections: Mapping[int, IConnection], allocator: IAllocator,
        move_back: Callable[[str, IConnection], None],
    ) -> None:  # fmt: skip
        """`move_back` gets a market whose book did not come, and its old connection."""
        self._clock = clock
        self._connections = connections
        self._allocator = IAllocator(allocator)
        self._move_back = move_back
        self._sources: dict[str, tuple[IConnection, float]] = {}
        self._look: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._sources)

    def __contains__(self, ticker: object) -> bool:
        return ticker in self._sources

    def source(self, ticker: str) -> int | None:
        """The connection that goes on with a market although it moved."""
        found = self._sources.get(ticker)
        return None if found is None else found[0].conn_id

    def add(self, ticker: str, source: IConnection) -> None:
        """It moves; a connection that went on with it from an earlier move need not any longer."""
        self.release_old(ticker)
        self._sources[ticker] = (source, self._clock.seconds())
        if self._look is None:
            self._look = self._clock.callLater(LOOK_SECONDS, self._look_at_all)

    def came_back(self, ticker: str, conn_id: int) -> None:
        """It is placed on a connection, perhaps the one it comes from: then there is nothing to let go."""
        if self.source(ticker) == conn_id:
            del self._sources[ticker]

    def release_old(self, ticker: str, moved: bool = True) -> None:
        """The old connection stops carrying it; `moved` as in `IConnection.unwant`."""
        found = self._sources.pop(ticker, None)
        if found is not None:
            found[0].unwant(ticker, moved=moved)

    def stop(self) -> None:
        """No timer is left."""
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _look_at_all(self) -> None:
        """Let go of markets whose book came, and of those that the old connection has lost itself."""
        self._look = None
        late = self._clock.seconds() - MAX_MOVE_SECONDS
        for ticker, (source, since) in list(self._sources.items()):
            conn_id = self._allocator.where(ticker)
            if not source.has_book(ticker) or (conn_id is not None and self._connections[conn_id].has_book(ticker)):
                self.release_old(ticker)
            elif since <= late:
                self._move_back(ticker, source)
        if self._sources and self._look is None:
            self._look = self._clock.callLater(LOOK_SECONDS, self._look_at_all)
