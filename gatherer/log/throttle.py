"""TODO-DOC gatherer/log/throttle.py."""

from twisted.internet.interfaces import IReactorTime


class Throttle:
    """Logged once per kind and minute; what happens in between is counted and told with the next line."""

    def __init__(self, clock: IReactorTime, interval: float = 60.0) -> None:
        """`interval` in seconds. The caller's kinds are few and fixed, never made from input."""
        self._clock = clock
        self._interval = interval
        self._kinds: dict[str, tuple[float, int]] = {}

    def note(self, kind: str) -> int | None:
        """It happened again. When it is time for a line: how often since the last, this time included; else None."""
        now = self._clock.seconds()
        told_at, untold = self._kinds.get(kind, (float("-inf"), 0))
        if now - told_at < self._interval:
            self._kinds[kind] = (told_at, untold + 1)
            return None
        self._kinds[kind] = (now, 0)
        return untold + 1

    def forget(self, kind: str) -> None:
        """The trouble is over: the next occurrence is told at once."""
        self._kinds.pop(kind, None)
