"""Fresh books after a loss that the sequence numbers do not show: our buffer was full, or a message was unreadable."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

QUIET_SECONDS = 10.0
"""Seconds without another loss before fresh books are asked for. While the disk is too slow, they would be lost too."""
STAGGER_SECONDS = 0.1
"""Seconds, times the connection's id: after a slow disk all connections ask, and they must not ask at once."""


class ResyncTimer:
    """Calls `ask` once no message was lost for a while. Each session has its own."""

    def __init__(self, clock: IReactorTime, conn_id: int, ask: Callable[[], None]) -> None:
        self._clock = clock
        self._delay = QUIET_SECONDS + STAGGER_SECONDS * conn_id
        self._ask = ask
        self._call: IDelayedCall | None = None

    def lost(self) -> None:
        """A message is missing from the capture, so every book of the session may be wrong."""
        if self._call is not None:
            self._call.reset(self._delay)
        else:
            self._call = self._clock.callLater(self._delay, self._fire)

    def close(self) -> None:
        """The session is over. The next session asks for all books."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _fire(self) -> None:
        self._call = None
        self._ask()
