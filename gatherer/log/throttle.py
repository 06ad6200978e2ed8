"""A limit for code that would log the same thing too often. `repeats` limits all other lines as they are written."""

from twisted.internet.interfaces import IReactorTime


class Throttle:
    """Allows one line per kind and minute, and counts what happens in between for the next line."""

    def __init__(self, clock: IReactorTime, interval: float = 60.0) -> None:
        """`interval` is in seconds. The kinds are few and fixed; they must never come from input."""
        self._clock = clock
        self._interval = interval
        self._kinds: dict[str, tuple[float, int]] = {}

    def note(self, kind: str) -> int | None:
        """Count one occurrence. Returns how many there were since the last line, or None if it is too early for one."""
        now = self._clock.seconds()
        logged_at, unlogged = self._kinds.get(kind, (float("-inf"), 0))
        if now - logged_at < self._interval:
            self._kinds[kind] = (logged_at, unlogged + 1)
            return None
        self._kinds[kind] = (now, 0)
        return unlogged + 1

    def forget(self, kind: str) -> None:
        """The condition is over: log the next occurrence at once."""
        self._kinds.pop(kind, None)
