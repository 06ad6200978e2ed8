"""Connections that stay down too long hand their markets to the others."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gatherer.interfaces import IConnection


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
