"""What is said over and over: the first few lines are written, the others counted and told in one line."""

from dataclasses import dataclass
from typing import Any

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

FEW = 10
"""Lines of one kind that a window holds. 150 sockets that are lost at once are these and one more."""
WINDOW = 10.0
"""Seconds."""
MAX_KINDS = 1000
"""Kinds that are kept apart. Formats are constants of the code, so there are fewer, unless a library makes them up."""
SPARED = (LogLevel.debug, LogLevel.critical)
"""Who asks for debug wants all of it, and what is critical must not be held back."""


@dataclass(slots=True)
class _Window:
    """What one kind has said since `since`."""

    since: float
    lines: int = 0
    untold: int = 0
    last: LogEvent | None = None


@implementer(ILogObserver)
class RepeatSuppressor:
    """Hands events on, at most `FEW` of a kind (component and format) in `WINDOW` seconds.

    There is no timer: what was held back is told with the next event of any kind after the window, and the summary
    comes every ten seconds.
    """

    def __init__(self, observer: Any) -> None:
        self._observer = ILogObserver(observer)
        self._windows: dict[tuple[Any, Any], _Window] = {}
        self._next_end = float("inf")

    def __call__(self, event: LogEvent) -> None:
        """See `ILogObserver`."""
        now = event.get("log_time") or 0.0
        if now >= self._next_end:
            self._close(now)
        if event.get("log_level") in SPARED or self._counts(event, now):
            self._observer(event)

    def _counts(self, event: LogEvent, now: float) -> bool:
        """Whether it is one of the first few."""
        kind = (event.get("log_namespace"), event.get("log_format"))
        window = self._windows.get(kind)
        if window is None or now < window.since:  # a clock that was set back begins anew
            if len(self._windows) >= MAX_KINDS:
                return True
            window = self._windows[kind] = _Window(now)
            self._next_end = min(self._next_end, now + WINDOW)
        window.lines += 1
        if window.lines <= FEW:
            return True
        window.untold += 1
        window.last = event
        return False

    def _close(self, now: float) -> None:
        """End the windows that are over, and tell what they held back."""
        over = {kind: window for kind, window in self._windows.items() if now - window.since >= WINDOW}
        for kind, window in over.items():
            del self._windows[kind]
            if window.last is not None:
                self._tell(window.last, window.untold, now)
        self._next_end = min((window.since for window in self._windows.values()), default=float("inf")) + WINDOW

    def _tell(self, last: LogEvent, untold: int, now: float) -> None:
        """The last of them with its own fields, so that what must not be shown stays hidden by its name."""
        told = {name: value for name, value in last.items() if name != "log_failure"}
        told["log_format"] = f"{{untold}} more such lines, the last: {last.get('log_format') or ''}"
        self._observer({**told, "log_time": now, "untold": untold})
