"""What operators may do to the pool while it runs. Each change is one line in the log that names the operator."""

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.core.subscriptions.correlation import Waiters
from gatherer.errors import AdminError, SessionLost
from gatherer.interfaces import IConnection, IPoolAdmin
from gatherer.pool.placement import Placement
from gatherer.values import Facts, Role

BACK_SECONDS = 60.0
"""Seconds to wait for a connection that is down; it goes on dialling after that."""
BOOK_SECONDS = 15.0
"""Seconds to wait for a fresh book: three times what a command may take."""


@implementer(IPoolAdmin)
class PoolAdmin:
    """Checks what operators ask for, does it, and answers them when it is done."""

    _log = Logger()

    def __init__(
        self, connections: Mapping[int, IConnection], placement: Placement, clock: IReactorTime, wall: Callable[[], int]
    ) -> None:
        """`wall` gives Unix time in ns."""
        self._connections = connections
        self._placement = placement
        self._clock = clock
        self._wall = wall
        self._gone: Waiters[int, Facts] = Waiters()
        self._back: Waiters[int, Facts] = Waiters()
        self.paused_since: float | None = None
        """Unix seconds, for people."""
        self._paused_at = 0.0

    @property
    def draining(self) -> list[int]:
        """See `IPoolAdmin`."""
        return sorted(self._placement.draining)

    def where(self, ticker: str) -> int | None:
        """See `IPoolAdmin`."""
        return self._placement.where(ticker)

    def pending(self) -> list[Facts]:
        """See `IPoolAdmin`."""
        return [{"conn_id": c.conn_id, **command} for c in self._connections.values() for command in c.pending()]

    def gaps(self, since: float) -> list[Facts]:
        """See `IPoolAdmin`."""
        found = [{"conn_id": c.conn_id, **gap} for c in self._connections.values() for gap in c.gaps(since)]
        return sorted(found, key=lambda gap: gap["at"])

    # -- what operators do -------------------------------------------------------------------------------

    def kick(self, conn_id: int, by: str) -> Deferred[Facts]:
        """See `IPoolAdmin`."""
        connection = self._connection(conn_id)
        gone = self._gone.wait(conn_id)  # before the cut: a socket may end at once
        try:
            connection.kick("kicked by operator")
        except AdminError:
            gone.addErrback(lambda _: None)
            gone.cancel()
            raise
        self._log.warn("{by}: kick {conn_id}", by=by, conn_id=conn_id)
        return gone

    def when_back(self, conn_id: int) -> Deferred[Facts]:
        """See `IPoolAdmin`."""
        connection = self._connection(conn_id)
        back = self._back.wait(conn_id)
        self.connection_changed(connection)
        return back.addTimeout(BACK_SECONDS, self._clock, lambda _value, _seconds: self._not_back(connection))

    def drain(self, conn_id: int, by: str) -> Facts:
        """See `IPoolAdmin`."""
        connection = self._book_connection(conn_id)
        if conn_id in self._placement.draining:
            raise AdminError(f"connection {conn_id} is being drained already: undrain({conn_id}) ends it")
        before = self._placement.load(conn_id)
        moved = self._placement.drain(connection)
        left = before - moved
        self._log.warn(
            "{by}: drain {conn_id}: {moved} markets move, {left} stay", by=by, conn_id=conn_id, moved=moved, left=left
        )
        return {"conn_id": conn_id, "moved": moved, "left": left}

    def undrain(self, conn_id: int, by: str) -> None:
        """See `IPoolAdmin`."""
        connection = self._book_connection(conn_id)
        if conn_id not in self._placement.draining:
            raise AdminError(f"connection {conn_id} is not being drained")
        self._log.warn("{by}: undrain {conn_id}", by=by, conn_id=conn_id)
        self._placement.undrain(connection)

    def pause(self, by: str) -> None:
        """See `IPoolAdmin`."""
        if self.paused_since is not None:
            raise AdminError("commands are paused already: resume() ends it")
        self.paused_since, self._paused_at = self._wall() / 1e9, self._clock.seconds()
        self._log.warn("{by}: pause: no commands for order books until resume; what is subscribed stays", by=by)
        self._hold(True)

    def resume(self, by: str) -> None:
        """See `IPoolAdmin`."""
        if self.paused_since is None:
            raise AdminError("commands are not paused")
        seconds, self.paused_since = self._clock.seconds() - self._paused_at, None
        self._log.warn("{by}: resume after {seconds:.0f} s", by=by, seconds=seconds)
        self._hold(False)

    def snapshot(self, ticker: str, by: str) -> Deferred[Facts]:
        """See `IPoolAdmin`."""
        connection = self._carrier(ticker)
        asked_at, conn_id = self._clock.seconds(), connection.conn_id
        self._log.info("{by}: snapshot {ticker} on connection {conn_id}", by=by, ticker=ticker, conn_id=conn_id)
        late = AdminError(
            f"no book of {ticker} came within {BOOK_SECONDS:.0f} s on connection {conn_id}; see pending()"
        )
        book: Deferred[Facts] = connection.fresh_book(ticker)
        book.addTimeout(BOOK_SECONDS, self._clock, lambda _value, _seconds: Failure(late))
        return book.addCallbacks(
            lambda facts: {"conn_id": conn_id, "seconds": self._clock.seconds() - asked_at, **facts},
            lambda failure: _lost(failure, f"the socket of connection {conn_id} was lost before a book came"),
        )

    # -- what the manager reports ------------------------------------------------------------------------

    def connection_changed(self, connection: IConnection) -> None:
        """See `IConnectionOwner`."""
        conn_id = connection.conn_id
        if not connection.is_live:
            if conn_id in self._gone:
                wait = connection.status().next_dial_in
                self._gone.fire(conn_id, {"conn_id": conn_id, "next_dial_in": wait})
        elif conn_id in self._back:
            status = connection.status()
            if self.paused_since is not None or not status.divergence:
                self._back.fire(conn_id, {"conn_id": conn_id, "held": status.held, "wanted": status.wanted})

    def stop(self) -> None:
        """End every wait with an error."""
        for waiters in (self._gone, self._back):
            waiters.fail_all(AdminError("the gatherer stops"))

    # -- helpers --------------------------------------------------------------------------------

    def _hold(self, paused: bool) -> None:
        for connection in self._connections.values():
            if connection.role is Role.ORDERBOOK:
                connection.pause(paused)

    def _connection(self, conn_id: object) -> IConnection:
        if isinstance(conn_id, bool) or not isinstance(conn_id, int) or conn_id not in self._connections:
            raise AdminError(
                f"no connection {conn_id!r:.40}: ids are {min(self._connections)} to {max(self._connections)}"
            )
        return self._connections[conn_id]

    def _book_connection(self, conn_id: object) -> IConnection:
        connection = self._connection(conn_id)
        if connection.role is not Role.ORDERBOOK:
            raise AdminError(
                f"connection {conn_id} takes the whole {connection.role.value} channel: it has no markets to move"
            )
        return connection

    def _carrier(self, ticker: object) -> IConnection:
        conn_id = self._placement.where(ticker) if isinstance(ticker, str) else None
        if conn_id is None or not isinstance(ticker, str):
            raise AdminError(f"{ticker!s:.80} is on no connection: explain() says why")
        if self.paused_since is not None:
            raise AdminError("commands are paused: resume() first")
        connection = self._connections[conn_id]
        if not connection.describe(ticker)["held"]:
            raise AdminError(f"{ticker} is not held by connection {conn_id} yet: explain() says why")
        return connection

    def _not_back(self, connection: IConnection) -> Failure:
        status = connection.status()
        return Failure(AdminError(
            f"connection {connection.conn_id} is not back after {BACK_SECONDS:.0f} s: {status.state}, "
            f"{status.held} of {status.wanted} markets held; it goes on trying"
        ))  # fmt: skip


def _lost(failure: Failure, text: str) -> Failure:
    if failure.check(SessionLost) is None:
        return failure
    return Failure(AdminError(f"{text}: {failure.getErrorMessage()}"))
