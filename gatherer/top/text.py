"""Lines of styled text for a terminal. Pure."""

import textwrap
from dataclasses import dataclass
from unicodedata import category, east_asian_width

SPARKS = "▁▂▃▄▅▆▇█"
SYMBOLS = {"live": "●", "loading": "◐", "dialing": "○", "waiting": "✕", "stopped": "■"}
PLAIN_SPARKS = "._-=+*%#"
PLAIN_SYMBOLS = {"live": "*", "loading": "+", "dialing": "o", "waiting": "x", "stopped": "-"}
"""For terminals that show only ASCII."""


@dataclass(frozen=True, slots=True)
class Span:
    """Text of one style: "", "dim", "bold", "good", "busy", "warn", "bad" or "chosen"."""

    text: str
    style: str = ""


Line = list[Span]


def width(text: str) -> int:
    """Columns that the text takes."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if category(char) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(char) in ("W", "F") else 1


def clip(line: Line, columns: int) -> Line:
    """The part of the line that fits."""
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
    """One text at each end of the line. The right one is cut only if it does not fit alone."""
    room = columns - _length(right)
    if room <= 0:
        return clip(right, columns)
    left = clip(left, room - 1)
    return [*left, Span(" " * (room - _length(left))), *right]


def flow(spans: Line, columns: int, between: str = "  ") -> list[Line]:
    """Lines of whole spans, as many lines as they need."""
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
    """Lines of whole words where possible. All lines but the first are indented."""
    return textwrap.wrap(text, max(columns, indent + 1, 1), subsequent_indent=" " * indent) or [""]


def sparkline(numbers: list[float], columns: int, sparks: str = SPARKS) -> str:
    """A bar for each number, the newest at the right. With more numbers than columns, each bar is the highest of a
    few."""
    if not numbers or columns < 1:
        return ""
    per_column = -(-len(numbers) // columns)
    first = len(numbers) % per_column
    groups = [numbers[:first]] if first else []
    groups += [numbers[start : start + per_column] for start in range(first, len(numbers), per_column)]
    highest = [max(group) for group in groups]
    top = max(highest) or 1.0
    return "".join(sparks[min(len(sparks) - 1, int(value / top * (len(sparks) - 0.001)))] for value in highest)
