"""Lines of styled text for a terminal, and numbers as people read them. Pure."""

import textwrap
from dataclasses import dataclass
from unicodedata import category, east_asian_width

SPARKS = "▁▂▃▄▅▆▇█"
SYMBOLS = {"live": "●", "loading": "◐", "dialing": "○", "waiting": "✕", "stopped": "■"}
PLAIN_SPARKS = "._-=+*%#"
PLAIN_SYMBOLS = {"live": "*", "loading": "+", "dialing": "o", "waiting": "x", "stopped": "-"}
"""For terminals that have only ASCII."""


@dataclass(frozen=True, slots=True)
class Span:
    """Text of one style: "", "dim", "bold", "good", "busy", "warn", "bad" or "chosen"."""

    text: str
    style: str = ""


Line = list[Span]


def clean(text: str) -> str:
    """Without what could move the cursor or colour the screen: the exchange's words are quoted in events."""
    return "".join(" " if category(char).startswith(("C", "Z")) else char for char in text)


def width(text: str) -> int:
    """Columns it takes."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if category(char) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(char) in ("W", "F") else 1


def clip(line: Line, columns: int) -> Line:
    """What of it fits."""
    clipped: Line = []
    for span in line:
        text = ""
        for char in span.text:
            columns -= _columns(char)
            if columns < 0:
                break
            text += char
        if text:
            clipped.append(Span(text, span.style))
        if columns < 0:
            break
    return clipped


def spread(left: Line, right: Line, columns: int) -> Line:
    """One at each end of the line; the right one is whole, as long as it fits at all."""
    room = columns - _length(right)
    if room <= 0:
        return clip(right, columns)
    left = clip(left, room - 1)
    return [*left, Span(" " * (room - _length(left))), *right]


def flow(spans: Line, columns: int, between: str = "  ") -> list[Line]:
    """As many lines as it takes, each span whole."""
    lines: list[Line] = [[]]
    for span in spans:
        line = lines[-1]
        if line and _length(line) + len(between) + width(span.text) > columns:
            lines.append([span])
        else:
            line += [Span(between), span] if line else [span]
    return lines


def _length(line: Line) -> int:
    return sum(width(span.text) for span in line)


def wrap(text: str, columns: int, indent: int = 0) -> list[str]:
    """Lines of whole words where there are any; the second and later ones are indented."""
    return textwrap.wrap(text, max(columns, indent + 1, 1), subsequent_indent=" " * indent) or [""]


def count(number: float) -> str:
    """12,345."""
    return f"{number:,.0f}"


def short(number: float) -> str:
    """Of at most five characters: 9,999 and 12.3k and 1.08M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            scaled = number / (1e3 if unit == "k" else size)
            return f"{scaled:.{0 if scaled >= 100 else 1}f}{unit}"
    return count(number) if number >= 10 or number == int(number) else f"{number:.1f}"


def seconds(number: float) -> str:
    """Whole seconds, minutes, hours or days."""
    for size, unit in ((172_800, 86_400), (5_400, 3_600), (100, 60)):
        if number >= size:
            return f"{number / unit:.0f} {'d' if unit == 86_400 else 'h' if unit == 3_600 else 'min'}"
    return f"{number:.0f} s"


def share(part: int, whole: int) -> str:
    """Percent, never 100 while something is missing."""
    if whole <= 0:
        return "-"
    percent = part * 10_000 // whole / 100
    return "100 %" if percent == 100 else f"{percent:.2f} %"


def sparkline(numbers: list[float], columns: int, sparks: str = SPARKS) -> str:
    """The newest at the right; when there are more numbers than columns, each column is the highest of its share."""
    if not numbers or columns < 1:
        return ""
    per_column = -(-len(numbers) // columns)
    first = len(numbers) % per_column
    groups = [numbers[:first]] if first else []
    groups += [numbers[start : start + per_column] for start in range(first, len(numbers), per_column)]
    highest = [max(group) for group in groups]
    top = max(highest) or 1.0
    return "".join(sparks[min(len(sparks) - 1, int(value / top * (len(sparks) - 0.001)))] for value in highest)
