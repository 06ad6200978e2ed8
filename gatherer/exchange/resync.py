"""Fresh books after a loss the sequence numbers do not show: a full buffer of ours, a message nobody can read."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

QUIET_SECONDS = 10.0
"""Without another loss, before fresh books are asked for: while the disk is too slow, they would be lost as well."""
STAGGER_SECONDS = 0.1
"""Times the connection's id: a slow disk costs all connections messages, and they must not all ask at once."""


class ResyncTimer:
    """Calls `ask` once it has been quiet after a loss. Lives and dies with a session."""

    def __init__(self, clock: IReactorTime, conn_id: int, ask: Callable[[], None]) -> None:
        self._clock = clock
        self._delay = QUIET_SECONDS + STAGGER_SECONDS * conn_id
        self._ask = ask
        self._call: IDelayedCall | None = None

    def lost(self) -> None:
        """Something is missing from the capture: every book of the session is suspect."""
        if self._call is not None:
            self._call.reset(self._delay)
        else:
            self._call = self._clock.callLater(self._delay, self._fire)

    def close(self) -> None:
        """The session is over: its books come anew anyway."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _fire(self) -> None:
        self._call = None
        self._ask()
