"""Draws the connections as cells, as large as the terminal allows, and moves among them. Pure."""

from collections.abc import Sequence
from itertools import groupby

from gatherer.text import short_number, short_span, whole
from gatherer.top.state import ConnectionRow
from gatherer.top.text import PLAIN_SYMBOLS, SYMBOLS, Line, Span

ROLES = {"ticker": "tickers", "trade": "trades", "market_lifecycle": "lifecycle", "orderbook_delta": "order books"}
STYLES = {"live": "good", "loading": "busy", "dialing": "busy", "waiting": "bad", "stopped": "dim"}
CELLS = (17, 12, 6)
"""Columns of a cell: with its load and the age of its last message; without the age; only its id."""


def cell_width(connections: Sequence[ConnectionRow], columns: int, rows: int) -> int:
    """The largest cell with which all connections fit into `rows`; the smallest if none fits."""
    for cell in CELLS:
        if len(layout(connections, columns, cell)) <= rows:
            return cell
    return CELLS[-1]


def layout(connections: Sequence[ConnectionRow], columns: int, cell: int) -> list[list[int | str]]:
    """Rows of ids. A heading (a text) stands before each group; small groups share a row."""
    per_row = max(1, columns // cell)
    rows: list[list[int | str]] = []
    shared: list[int | str] = []
    for role, members in groupby(connections, lambda each: each.role):
        ids: list[int | str] = [each.id for each in members]
        taken = sum(_heading(each) if isinstance(each, str) else cell for each in shared)
        if len(ids) <= 4 and taken + _heading(role) + len(ids) * cell <= columns:
            shared += [role, *ids]
            continue
        if shared:
            rows.append(shared)
        shared = []
        if len(ids) <= 4 and _heading(role) + len(ids) * cell <= columns:
            shared = [role, *ids]
            continue
        rows.append([role])
        rows += [ids[start : start + per_row] for start in range(0, len(ids), per_row)]
    return [*rows, shared] if shared else rows


def _heading(role: str) -> int:
    return len(ROLES.get(role, role)) + 2


def tiles(connections: Sequence[ConnectionRow], chosen: int | None, columns: int, rows: int, plain: bool) -> list[Line]:
    """One line for each row of the layout."""
    cell = cell_width(connections, columns, rows)
    by_id = {each.id: each for each in connections}
    lines: list[Line] = []
    for row in layout(connections, columns, cell):
        line: Line = []
        for each in row:
            if isinstance(each, str):
                line.append(Span(f"{ROLES.get(each, each)}  ", "dim"))
            else:
                line += _cell(by_id[each], cell, each == chosen, plain)
        lines.append(line)
    return lines


def _cell(connection: ConnectionRow, cell: int, is_chosen: bool, plain: bool) -> Line:
    symbol = (PLAIN_SYMBOLS if plain else SYMBOLS)[connection.kind]
    style = STYLES[connection.kind]
    text = f"{connection.id:>3}"
    if cell >= CELLS[1]:
        text += f" {_load(connection):>5}"
    if cell >= CELLS[0]:
        age = (
            ""
            if connection.age is None or connection.kind == "waiting"
            else short_span(connection.age).replace(" ", "")
        )
        text += f" {age[:4]:>4}"
    rest = cell - len(text) - 1
    body = "chosen" if is_chosen else "bad" if connection.kind == "waiting" else "warn" if connection.gaps else ""
    return [Span(symbol, style), Span(text, body), Span(" " * rest)]


def _load(connection: ConnectionRow) -> str:
    if connection.kind == "waiting":
        return "down" if connection.dial_in is None else f"-{connection.dial_in:.0f}s"
    if connection.kind == "loading":
        return f"{short_number(connection.owed)}?"[:5]
    if connection.kind != "live" or connection.draining:
        return "drain" if connection.draining else connection.state[:5]
    return (
        short_number(connection.held)
        if connection.role == "orderbook_delta"
        else f"{short_number(connection.rate)}/s"[:5]
    )


def describe(connection: ConnectionRow) -> str:
    """One connection in one line."""
    parts = [f"{connection.role}-{connection.id}: {connection.state}"]
    if connection.draining:
        parts.append("being drained")
    if connection.dial_in is not None:
        parts.append(f"next dial in {short_span(connection.dial_in)}")
    if connection.role == "orderbook_delta":
        parts.append(f"{whole(connection.wanted)} wanted, {whole(connection.held)} held, {whole(connection.owed)} due")
    parts.append(f"{short_number(connection.rate)} msg/s")
    if connection.age is not None:
        parts.append(f"last message {short_span(connection.age)} ago")
    parts.append(f"{whole(connection.gaps)} gaps, {whole(connection.reconnects)} lost sockets")
    return ", ".join(parts)


def move(connections: Sequence[ConnectionRow], chosen: int | None, key: str, columns: int, rows: int) -> int | None:
    """The connection to which an arrow ("left", "right", "up", "down") leads; the first one if none is chosen."""
    if not connections:
        return None
    ids = [each.id for each in connections]
    if chosen not in ids:
        return ids[0]
    if key in ("left", "right"):
        return ids[max(0, min(len(ids) - 1, ids.index(chosen) + (1 if key == "right" else -1)))]
    cell = cell_width(connections, columns, rows)
    places = _places(layout(connections, columns, cell), cell)
    row, column = places[chosen]
    step = 1 if key == "down" else -1
    others = [(abs(r - row), abs(c - column), each) for each, (r, c) in places.items() if (r - row) * step > 0]
    return min(others)[2] if others else chosen


def _places(rows: list[list[int | str]], cell: int) -> dict[int, tuple[int, int]]:
    places = {}
    for number, row in enumerate(rows):
        column = 0
        for each in row:
            if isinstance(each, str):
                column += _heading(each)
            else:
                places[each] = (number, column)
                column += cell
    return places
