"""Plain tables for terminals. Pure."""

from collections.abc import Iterable, Sequence

from gatherer.ops.wording import one_line

GAP = "  "
LEAST = 6
"""Characters that are left of a text, however narrow the terminal."""
CUT = "…"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None) -> list[str]:
    """Lines of equal columns, the headers first. Columns of numbers stand right; None is an empty cell.

    Texts are cut, the longest first, until a line is not wider than `width`; numbers never are.
    """
    cells = [tuple(row) for row in rows]
    numeric = [_is_numeric([row[column] for row in cells]) for column in range(len(headers))]
    shown = [[one_line(header) for header in headers], *([_shown(cell) for cell in row] for row in cells)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(headers))]
    if width is not None:
        _shrink(widths, numeric, width)
    return [_line(row, widths, numeric) for row in shown]


def _is_numeric(cells: list[object]) -> bool:
    known = [cell for cell in cells if cell is not None]
    return bool(known) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in known)


def _shown(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return one_line(cell)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.1f}"


def _shrink(widths: list[int], numeric: list[bool], width: int) -> None:
    """Take a character from the widest text, again and again."""
    texts = [column for column, is_number in enumerate(numeric) if not is_number]
    while sum(widths) + len(GAP) * (len(widths) - 1) > width:
        widest = max(texts, key=lambda column: widths[column], default=None)
        if widest is None or widths[widest] <= LEAST:
            return
        widths[widest] -= 1


def _line(row: list[str], widths: list[int], numeric: list[bool]) -> str:
    cells = []
    for text, width, is_number in zip(row, widths, numeric, strict=True):
        cut = text if len(text) <= width else text[: width - len(CUT)] + CUT
        cells.append(cut.rjust(width) if is_number else cut.ljust(width))
    return GAP.join(cells).rstrip()
