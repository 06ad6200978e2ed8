"""Times, durations, sizes and counts as people read and write them, and foreign text made safe to print.

Times are Unix seconds and are shown in UTC. `gatherer.coverage.report` has the exact durations of a verdict. Nothing
here knows a market, a connection or a setting.
"""

import re
from datetime import UTC, datetime

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SPAN = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|d)\s*")
EXAMPLES = 'a duration such as "90s", "10m" or "2h"'


def span(seconds: float) -> str:
    """A duration with about two digits: `0.02 s`, `3.2 s`, `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    if seconds < 10:
        return f"{seconds:.2f} s" if seconds < 0.1 else f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def parse_span(text: object) -> float:
    """The seconds of a duration such as "90s", or of a number of seconds. Raises ValueError with examples."""
    if isinstance(text, int | float) and not isinstance(text, bool) and 0 < text < 1e9:
        return float(text)
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if seconds <= 0:
        raise ValueError(f"{text!r:.40} is not {EXAMPLES}")
    return seconds


def clock_time(at: float, now: float) -> str:
    """`14:03:02` on the day of `now`, else with the date."""
    moment, today = _utc(at), _utc(now)
    if moment is None:
        return "a time out of range"
    return f"{moment:%H:%M:%S}" if today and moment.date() == today.date() else f"{moment:%Y-%m-%d %H:%M:%S}"


def moment(at: float, now: float) -> str:
    """`14:03:02 (12 s ago)`, `15:00:00 (in 57 min)`."""
    if _utc(at) is None:
        return clock_time(at, now)
    away = at - now
    return f"{clock_time(at, now)} ({f'in {span(away)}' if away > 0 else f'{span(abs(away))} ago'})"


def counted(number: int, noun: str) -> str:
    """`1 market`, `7,500 markets`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    """Bytes: `812 B`, `1.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def short_span(seconds: float) -> str:
    """A duration in whole seconds, minutes, hours or days: `99 s`, `2 min`, `2 h`, `2 d`."""
    for least, length, unit in ((172_800, 86_400, "d"), (5_400, 3_600, "h"), (100, 60, "min")):
        if seconds >= least:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def whole(number: float) -> str:
    """`12,345`."""
    return f"{number:,.0f}"


def short_number(number: float) -> str:
    """At most six characters: `0.2`, `812`, `9,999`, `12.3k`, `1.1M`."""
    for least, length, unit in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if number >= least:
            scaled = number / length
            return f"{scaled:.{0 if scaled >= 100 else 1}f}{unit}"
    return whole(number) if number >= 10 or number == int(number) else f"{number:.1f}"


def percent(part: int, total: int) -> str:
    """`99.99 %`: never 100 while something is missing, and `-` of nothing."""
    if total <= 0:
        return "-"
    share = part * 10_000 // total / 100
    return "100 %" if share == 100 else f"{share:.2f} %"


def printable(text: str, substitute: str = "?") -> str:
    """The text, with a substitute for each character that could move the cursor or colour the screen."""
    return "".join(letter if letter.isprintable() else substitute for letter in text)


def one_line(text: object, max_length: int = 300) -> str:
    """A text of unknown origin on one line, made printable, and cut if it is too long."""
    line = printable(" ".join(str(text).split()))
    return line if len(line) <= max_length else line[: max_length - 3] + "..."


def _utc(at: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, OSError, ValueError):
        return None
