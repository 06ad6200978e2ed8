"""Limits repeated lines: writes the first few of a kind, counts the others, and reports the count in one line."""

from dataclasses import dataclass

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

MAX_LINES = 10
"""Lines of one kind in a window. 150 sockets that are lost at once make these lines and one more."""
WINDOW_SECONDS = 10.0
MAX_KINDS = 1000
"""Kinds that are counted apart. Formats are constants, so there are fewer, unless a library builds its formats."""
UNLIMITED = (LogLevel.debug, LogLevel.critical)
"""Level debug is for reading everything, and a critical event must not be suppressed."""


@dataclass(slots=True)
class _Window:
    """The lines of one kind since `since`."""

    since: float
    lines: int = 0
    suppressed: int = 0
    last: LogEvent | None = None


@implementer(ILogObserver)
class RepeatSuppressor:
    """Passes on at most `MAX_LINES` events of a kind (component and format) in `WINDOW_SECONDS`.

    There is no timer: the next event of any kind after the window reports the count, and the periodic summary is
    such an event.
    """

    def __init__(self, observer: ILogObserver) -> None:
        self._observer = ILogObserver(observer)
        self._windows: dict[tuple[object, object], _Window] = {}
        self._next_end = float("inf")

    def __call__(self, event: LogEvent) -> None:
        """See `ILogObserver`."""
        now = event.get("log_time") or 0.0
        if now >= self._next_end:
            self._close(now)
        if event.get("log_level") in UNLIMITED or self._is_within_limit(event, now):
            self._observer(event)

    def _is_within_limit(self, event: LogEvent, now: float) -> bool:
        """Count the event; whether it is one of the first few."""
        kind = (event.get("log_namespace"), event.get("log_format"))
        window = self._windows.get(kind)
        if window is None or now < window.since:  # a clock that was set back starts a new window
            if len(self._windows) >= MAX_KINDS:
                return True
            window = self._windows[kind] = _Window(now)
            self._next_end = min(self._next_end, now + WINDOW_SECONDS)
        window.lines += 1
        if window.lines <= MAX_LINES:
            return True
        window.suppressed += 1
        window.last = event
        return False

    def _close(self, now: float) -> None:
        """End the windows that are over, and report what they suppressed."""
        over = {kind: window for kind, window in self._windows.items() if now - window.since >= WINDOW_SECONDS}
        for kind, window in over.items():
            del self._windows[kind]
            if window.last is not None:
                self._report(window.last, window.suppressed, now)
        self._next_end = min((window.since for window in self._windows.values()), default=float("inf")) + WINDOW_SECONDS

    def _report(self, last: LogEvent, suppressed: int, now: float) -> None:
        """Log the last of them with its own fields, so that a secret field stays hidden by its name."""
        summary = {name: value for name, value in last.items() if name != "log_failure"}
        summary["log_format"] = f"{{suppressed}} more such lines, the last: {last.get('log_format') or ''}"
        self._observer({**summary, "log_time": now, "suppressed": suppressed})
