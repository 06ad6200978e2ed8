"""Log lines about wrong messages and lost sockets. There may be many, so a kind has one line a minute."""

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from gatherer.log.throttle import Throttle


class ErrorLog:
    """All connections share it: 150 of them with the same error make one line a minute."""

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._throttle = Throttle(clock)

    def report(self, kind: str, where: str, detail: str) -> None:
        """Log an error. There are few kinds: each is a row of the metrics. `detail` is cut to 500 characters."""
        times = self._throttle.note(kind)
        if times is not None:
            self._log.warn(
                "{where}: {kind}: {detail} ({times} since the last line of this kind)",
                where=where, kind=kind, detail=detail[:500], times=times,
            )  # fmt: skip

    def lost(self, where: str, reason: str, wait: float, dials_failed: int) -> None:
        """Log a lost socket. A loss has its own line; repeated failed dials share one line a minute."""
        if dials_failed:
            detail = f"{reason}; dial {dials_failed} of this connection, next in {wait:.1f} s"
            self.report("dial failed", where, detail)
        else:
            self._log.warn("{name} lost: {reason}; next dial in {wait:.1f} s", name=where, reason=reason, wait=wait)
