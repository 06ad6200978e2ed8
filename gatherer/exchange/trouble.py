"""What makes no sense on the wire: counted always, logged once per kind and minute."""

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

INTERVAL = 60.0
"""Seconds for which a kind of trouble stays quiet once it was logged."""


class Trouble:
    """Shared by all connections: 150 of them with the same trouble are one line a minute."""

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._quiet_until: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def report(self, kind: str, where: str, detail: str) -> None:
        """`kind` names a row of the metrics, so there are few; `detail` is cut to 200 characters."""
        now = self._clock.seconds()
        if now < self._quiet_until.get(kind, 0.0):
            self._untold[kind] = self._untold.get(kind, 0) + 1
            return
        self._quiet_until[kind] = now + INTERVAL
        self._log.warn(
            "{where}: {kind}: {detail} ({untold} more since the last line of this kind)",
            where=where, kind=kind, detail=detail[:200], untold=self._untold.pop(kind, 0),
        )  # fmt: skip
