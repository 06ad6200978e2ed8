"""Writes one event a line, as text or as JSON.

Fields whose name says that they are secret are not printed, and private keys are cut out of every text. So a careless
`{field}` does not put key material into the log.
"""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO

import msgspec
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    formatEvent,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.errors import ConfigError
from gatherer.log.levels import LevelControl
from gatherer.log.repeats import RepeatSuppressor

_SECRET = re.compile(r"private|secret|password|signature|pem\b", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that control a terminal: a line may quote what the exchange sends."""
PRIORITIES = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}
"""Syslog priorities by level."""
_HIDDEN = "[hidden]"
_HIDDEN_KEY = "[private key hidden]"


Formatter = Callable[[LogEvent], str]


def make_observer(stream: IO[str], style: str, levels: LevelControl, journal: bool = False) -> ILogObserver:
    """An observer that writes the events that `levels` allows to `stream`, as "text" or "json", with few repeats.

    With `journal` each line starts with the priority that journald reads, and text has no time, because journald adds
    it. Raises ConfigError, which names the key of `[log]`, for an unknown style.
    """
    formatters: dict[str, Formatter] = {"text": format_journal_text if journal else format_text, "json": format_json}
    if style not in formatters:
        raise ConfigError(f'[log] format must be "text" or "json", not "{style}"')
    formatter = with_priority(formatters[style]) if journal else formatters[style]
    return FilteringLogObserver(RepeatSuppressor(LineObserver(stream, formatter)), [levels])


def is_journal(stream: IO[str], journal_stream: str) -> bool:
    """Whether systemd connected `stream` to its journal; `$JOURNAL_STREAM` has the device and inode of that stream."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or not a file
        return False
    return journal_stream == f"{found.st_dev}:{found.st_ino}"


@implementer(ILogObserver)
class LineObserver:
    """Writes each event and flushes, so that the last line before a crash is not lost."""

    def __init__(self, stream: IO[str], formatter: Callable[[LogEvent], str]) -> None:
        self._stream = stream
        self._formatter = formatter

    def __call__(self, event: LogEvent) -> None:
        """Write one event. If the stream is closed or full, the line is lost and the service goes on."""
        try:
            self._stream.write(self._formatter(event) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return


def format_text(event: LogEvent) -> str:
    """`2026-10-15T14:00:00.123Z warn  gatherer.pool.manager: message`; a traceback follows on lines of its own."""
    return _visible(f"{_time(event)} {_level(event):<8} {event.get('log_namespace', '-')}: {_body(event)}")


def format_journal_text(event: LogEvent) -> str:
    """`gatherer.pool.manager: message`: the journal adds time and level."""
    return _visible(f"{event.get('log_namespace', '-')}: {_body(event)}")


def with_priority(formatter: Formatter) -> Formatter:
    """Start every line with its syslog priority, as in sd-daemon(3): `<4>` for a warning."""

    def formatted(event: LogEvent) -> str:
        prefix = f"<{PRIORITIES.get(_level(event), 6)}>"
        return "\n".join(prefix + line for line in formatter(event).split("\n"))

    return formatted


def format_json(event: LogEvent) -> str:
    """One object: `time`, `level`, `component`, `event`, the named fields under `fields`, `traceback` for a failure."""
    record: dict[str, object] = {
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


def _time(event: LogEvent) -> str:
    at = datetime.fromtimestamp(event.get("log_time") or 0.0, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return level.name if level is not None else "info"


def _body(event: LogEvent) -> str:
    """The message, and the traceback if there is one."""
    traceback = _traceback(event)
    return f"{_message(event)}\n{traceback.rstrip()}" if traceback else _message(event)


def _visible(text: str) -> str:
    """No control characters. Further lines are indented, so that they cannot look like events."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text).replace("\n", "\n    ")


def _message(event: LogEvent) -> str:
    shown = {name: _HIDDEN if _SECRET.search(name) else value for name, value in event.items()}
    return _clean(formatEvent(shown))


def _traceback(event: LogEvent) -> str:
    failure = event.get("log_failure")
    return _clean(failure.getTraceback()) if isinstance(failure, Failure) else ""


def _fields(event: LogEvent) -> dict[str, object]:
    return {
        name: _HIDDEN if _SECRET.search(name) else _plain(value)
        for name, value in event.items()
        if not name.startswith("log_") and name not in ("message", "isError", "time", "system", "format")
    }


def _plain(value: object) -> object:
    """A value for JSON; other types become text. An event is not lost if `str` raises."""
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, int) or -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, bytes):
        value = value.decode("ascii", "backslashreplace")
    try:
        return _clean(str(value))
    except Exception as error:  # a foreign __str__ may raise anything
        return f"unprintable {type(value).__name__}: {type(error).__name__}"


def _clean(text: str) -> str:
    """Without private keys, and without lone surrogates, which UTF-8 and JSON cannot carry."""
    return _PEM.sub(_HIDDEN_KEY, text).encode("utf-8", "backslashreplace").decode()
