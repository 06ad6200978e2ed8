"""Order book connections that stay down too long hand their markets to the others."""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Rehoming:
    """One timer for each connection that is down."""

    def __init__(self, clock: IReactorTime, after: float, rehome: Callable[[Any], None]) -> None:
        """`after` in seconds, 0 for never; `rehome` is called with the connection, again and again while it is down."""
        self._clock = clock
        self._after = after
        self._rehome = rehome
        self._calls: dict[int, IDelayedCall] = {}

    def down(self, connection: Any) -> None:
        """It is down, perhaps as before."""
        if self._after and connection.conn_id not in self._calls:
            self._arm(connection)

    def up(self, connection: Any) -> None:
        """It is back."""
        call = self._calls.pop(connection.conn_id, None)
        if call is not None:
            call.cancel()

    def stop(self) -> None:
        """Forget them all."""
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.cancel()

    def _arm(self, connection: Any) -> None:
        self._calls[connection.conn_id] = self._clock.callLater(self._after, self._over, connection)

    def _over(self, connection: Any) -> None:
        self._arm(connection)  # what finds no place now may find one later
        self._rehome(connection)
