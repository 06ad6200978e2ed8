"""How the log reads: one event a line, as text or as JSON, and repeated trouble without repeated lines.

Observers for `twisted.logger`. A format field is never looked up further than the event gives it, and fields whose name
says they are secret are not printed, so key material cannot get in by way of a careless `{field}`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, Any

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.logger import (
    FilteringLogObserver,
    ILogFilterPredicate,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.errors import ConfigError

_SECRET = re.compile(r"private|secret|password|signature|pem\b", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
"""Not for a terminal's eyes: what the exchange sends may be quoted in a line."""
CHATTY = ("log_legacy", "twisted.web.client", "twisted.python.log")
"""Twisted tells at "info" of every factory, port and page request; at "debug" they are shown."""
_HIDDEN = "[hidden]"
_HIDDEN_KEY = "[private key hidden]"


def make_observer(stream: IO[str], style: str, level: str) -> ILogObserver:
    """An observer that writes events of `level` and above to `stream`, as "text" or "json".

    ConfigError names the key of `[log]` for a style or level that does not exist.
    """
    formatters: dict[str, Callable[[LogEvent], str]] = {"text": format_text, "json": format_json}
    if style not in formatters:
        raise ConfigError(f'[log] format must be "text" or "json", not "{style}"')
    names = {constant.name: constant for constant in LogLevel.iterconstants()}
    if level not in names:
        raise ConfigError(f'[log] level must be one of {", ".join(names)}, not "{level}"')
    threshold = LogLevelFilterPredicate(defaultLogLevel=names[level])
    if level == "info":
        for namespace in CHATTY:
            threshold.setLogLevelForNamespace(namespace, LogLevel.warn)
    predicates: list[ILogFilterPredicate] = [threshold]
    return FilteringLogObserver(LineObserver(stream, formatters[style]), predicates)


@implementer(ILogObserver)
class LineObserver:
    """Writes each event as `formatter` gives it and flushes, so that the last line before a crash is there."""

    def __init__(self, stream: IO[str], formatter: Callable[[LogEvent], str]) -> None:
        self._stream = stream
        self._formatter = formatter

    def __call__(self, event: LogEvent) -> None:
        """Write one event. A stream that is closed or full loses the line, not the service."""
        try:
            self._stream.write(self._formatter(event) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return


def format_text(event: LogEvent) -> str:
    """`2026-10-15T14:00:00.123Z warn  gatherer.manager: message`; a traceback follows on lines of its own."""
    text = f"{_time(event)} {_level(event):<8} {event.get('log_namespace', '-')}: {_message(event)}"
    if traceback := _traceback(event):
        text = f"{text}\n{traceback.rstrip()}"
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text).replace("\n", "\n    ")


def format_json(event: LogEvent) -> str:
    """One object: `time`, `level`, `component`, `event`, the named fields under `fields`, `traceback` for a failure."""
    record: dict[str, Any] = {
        "time": _time(event),
        "level": _level(event),
        "component": event.get("log_namespace", "-"),
        "event": _message(event),
    }
    if fields := _fields(event):
        record["fields"] = fields
    if traceback := _traceback(event):
        record["traceback"] = traceback
    return msgspec.json.encode(record).decode()


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


def _time(event: LogEvent) -> str:
    at = datetime.fromtimestamp(event.get("log_time") or 0.0, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return level.name if level is not None else "info"


def _message(event: LogEvent) -> str:
    shown = {name: _HIDDEN if _SECRET.search(name) else value for name, value in event.items()}
    return _clean(formatEvent(shown))


def _traceback(event: LogEvent) -> str:
    failure = event.get("log_failure")
    return _clean(failure.getTraceback()) if isinstance(failure, Failure) else ""


def _fields(event: LogEvent) -> dict[str, Any]:
    return {
        name: _HIDDEN if _SECRET.search(name) else _plain(value)
        for name, value in event.items()
        if not name.startswith("log_") and name not in ("message", "isError", "time", "system", "format")
    }


def _plain(value: object) -> Any:
    """A value as JSON knows it; anything else as its text. Its `str` may raise: that is no reason to lose the event."""
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, int) or -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, bytes):
        value = value.decode("ascii", "backslashreplace")
    try:
        return _clean(str(value))
    except Exception as error:  # whatever a foreign __str__ may raise
        return f"unprintable {type(value).__name__}: {type(error).__name__}"


def _clean(text: str) -> str:
    """No private key, and no lone surrogate that neither UTF-8 nor JSON can carry."""
    return _PEM.sub(_HIDDEN_KEY, text).encode("utf-8", "backslashreplace").decode()
