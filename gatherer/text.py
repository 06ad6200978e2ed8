"""Times, durations and numbers as people at a prompt read and write them. Times are Unix seconds, shown in UTC."""

import re
from datetime import UTC, datetime

from gatherer.errors import AdminError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SPAN = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|d)\s*")
EXAMPLES = 'a duration such as "90s", "10m" or "2h"'


def span(seconds: float) -> str:
    """`0.02 s`, `3.2 s`, `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`: two figures that matter."""
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
    """Seconds. `AdminError`, with examples, for what is no duration; a number of seconds will do."""
    if isinstance(text, int | float) and not isinstance(text, bool) and 0 < text < 1e9:
        return float(text)
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if seconds <= 0:
        raise AdminError(f"{text!r:.40} is not {EXAMPLES}")
    return seconds


def clock_time(at: float, now: float) -> str:
    """`14:03:02` on the same day, else with the date."""
    moment, today = _utc(at), _utc(now)
    if moment is None:
        return "a time out of reach"
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


def one_line(text: object, most: int = 300) -> str:
    """A text of unknown origin without line breaks and what a terminal might act upon."""
    words = " ".join(str(text).split())
    clean = "".join(letter if letter.isprintable() else "?" for letter in words)
    return clean if len(clean) <= most else clean[: most - 3] + "..."


def _utc(at: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, OSError, ValueError):
        return None
