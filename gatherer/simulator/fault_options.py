"""Parses faults from the command line: `NAME=VALUE`. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gatherer.errors import ConfigError
from gatherer.simulator.feed.faults import Faults, garbage_frame
from gatherer.simulator.feed.wire import ERRORS, TERMINAL

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class TimedFault:
    """A fault, and when it happens."""

    apply: Callable[[Faults], None]
    after: float = 0.0
    """Seconds after the start."""
    every: bool = False
    """Whether it repeats every `after` seconds."""


@dataclass(frozen=True, slots=True)
class _ValuePart:
    """One part of a value: the parameter of the method, and how to make it from text."""

    name: str
    make: Callable[[str], int | float | str]
    meaning: str


def _count(text: str) -> int:
    """A number above zero."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e9:
        raise ValueError(text)
    return seconds


def _delay(text: str) -> float:
    """Seconds, 0 included."""
    return 0.0 if text == "0" else _seconds(text)


def _http_error(text: str) -> int:
    status = int(text)
    if not 400 <= status < 600:
        raise ValueError(text)
    return status


def _code(text: str) -> int:
    if int(text) not in ERRORS:
        raise ValueError(text)
    return int(text)


def _terminal(text: str) -> int:
    if int(text) not in TERMINAL:
        raise ValueError(text)
    return int(text)


def _kind(text: str) -> str:
    garbage_frame(text if text != "huge" else "json")
    return text


_TIMES = _ValuePart("times", _count, "TIMES")
_SESSIONS = _ValuePart("count", _count, "SOCKETS")
_STATUS = _ValuePart("status", _http_error, "HTTP_STATUS")
FAULTS: dict[str, tuple[_ValuePart, ...]] = {
    "refuse_upgrade": (_STATUS, _TIMES),
    "cut": (_SESSIONS,),
    "half_open": (_SESSIONS,),
    "freeze": (_ValuePart("seconds", _seconds, "SECONDS"), _SESSIONS),
    "lose_replies": (_TIMES,),
    "lose_books": (_TIMES,),
    "late_replies": (_TIMES, _ValuePart("seconds", _seconds, "SECONDS")),
    "reply_delay": (_ValuePart("seconds", _delay, "SECONDS"),),
    "error": (_ValuePart("code", _code, "CODE"), _TIMES),
    "terminate": (_ValuePart("code", _terminal, "10|25"), _SESSIONS),
    "unsubscribed": (_SESSIONS,),
    "skip_seq": (_TIMES, _ValuePart("count", _count, "NUMBERS")),
    "repeat_seq": (_TIMES,),
    "restart_seq": (_TIMES,),
    "garbage": (_ValuePart("kind", _kind, "json|binary|unknown_type|huge"), _TIMES),
    "rest_status": (_STATUS, _TIMES),
    "rest_short": (_TIMES,),
}
"""Method of `Faults` to the parts of its value. Colons separate the parts; only the first is required."""


def usage(name: str) -> str:
    """The form of a fault: `cut=SOCKETS`."""
    first, *rest = FAULTS[name]
    return f"{name}={first.meaning}" + "".join(f"[:{value.meaning}]" for value in rest)


def parse_fault(text: str) -> TimedFault:
    """Read `NAME=VALUE`, `NAME=VALUE@SECONDS` or `NAME=VALUE@every:SECONDS`. Raises ConfigError."""
    name, _, rest = text.partition("=")
    if name not in FAULTS:
        raise ConfigError(f"fault {text!r}: no fault is called {name!r}; there are {', '.join(FAULTS)}")
    value, _, moment = rest.partition("@")
    every = moment.startswith("every:")
    after = (
        _part(text, name, _seconds, moment.removeprefix("every:"), "after @, a number of seconds") if moment else 0.0
    )
    parts = value.split(":")
    if len(parts) > len(FAULTS[name]):
        raise ConfigError(f"fault {text!r}: too many parts; it is written {usage(name)}")
    pairs = zip(FAULTS[name], parts, strict=False)
    arguments = {kind.name: _part(text, name, kind.make, part, kind.meaning) for kind, part in pairs}
    return TimedFault(lambda faults: getattr(faults, name)(**arguments), after, every)


def _part(text: str, name: str, make: Callable[[str], Value], part: str, meaning: str) -> Value:
    try:
        return make(part)
    except ValueError:
        raise ConfigError(f"fault {text!r}: {part!r} cannot be {meaning}; it is written {usage(name)}") from None
