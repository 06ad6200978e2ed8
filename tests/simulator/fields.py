"""The table of fields: every field of every REST answer and WebSocket message, with its type, after the exchange's own
specifications (OpenAPI 3.34, AsyncAPI of autumn 2026; the sections are those of docs/protocol.md).

A row is `type: field field ...`. A field must be there and must not be null; `?` after its name says that it may be
missing, `~` that it may be null. A type is a name of `TYPES`, a shape, or a list `[type]`. Optional fields of the
specifications that the simulator never sends are not in the table.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.simulator.table import TABLE


def _is_time(value: object) -> bool:
    """RFC 3339 in UTC, as the exchange writes it."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", value):
        return False
    datetime.fromisoformat(value)
    return True


def _matches(pattern: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


TYPES: dict[str, Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "name": _matches(r"[A-Z0-9.-]+"),
    "uuid": _matches(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "dollars": _matches(r"[01]\.\d{4}"),
    "count": _matches(r"\d+\.\d\d"),
    "change": _matches(r"-?\d+\.\d\d"),
    "time": _is_time,
    "hours": _matches(r"\d\d:\d\d"),
    "side": _matches("yes|no"),
    "book_side": _matches("bid|ask"),
    "market_type": _matches("binary|scalar"),
    "status": _matches("initialized|inactive|active|closed|determined|disputed|amended|finalized"),
    "result": _matches("yes|no|scalar|"),
    "bounds": _matches("default|floor"),
    "strike_type": _matches("greater|greater_or_equal|less|less_or_equal|between|functional|custom|structured"),
    "collateral": _matches("MECNET|DIRECNET|"),
    "level": lambda value: (
        isinstance(value, list) and len(value) == 2 and TYPES["dollars"](value[0]) and TYPES["count"](value[1])
    ),
}
"""What the values of a type look like. The patterns are those of the specifications."""


@dataclass(frozen=True)
class Field:
    """One row of the table."""

    name: str
    type: str
    required: bool
    nullable: bool


def _parse(rows: str) -> dict[str, Field]:
    found = {}
    for row in rows.strip().splitlines():
        kind, _, names = row.strip().partition(": ")
        for name in names.split():
            plain = name.rstrip("?~")
            found[plain] = Field(plain, kind, "?" not in name, "~" in name)
    return found


SHAPES: dict[str, dict[str, Field]] = {name: _parse(rows) for name, (_, rows) in TABLE.items()}
"""Shape to its fields by name."""


class FieldChecker:
    """Compares values with the table, and remembers which fields it saw."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()

    def faults(self, shape: str, value: Any) -> Iterator[str]:
        """What is wrong with an object of a shape, one text for each fault."""
        if not isinstance(value, dict):
            yield f"{shape}: not an object: {value!r}"
            return
        fields = SHAPES[shape]
        for name in fields.keys() - value.keys():
            if fields[name].required:
                yield f"{shape}.{name}: missing"
        for name, content in value.items():
            if name not in fields:
                yield f"{shape}.{name}: not in the table: {content!r}"
                continue
            self.seen.add((shape, name))
            if content is not None:
                yield from self._wrong(f"{shape}.{name}", fields[name].type, content)
            elif not fields[name].nullable:
                yield f"{shape}.{name}: null"

    def _wrong(self, where: str, kind: str, value: Any) -> Iterator[str]:
        if kind.startswith("["):
            if not isinstance(value, list):
                yield f"{where}: not a list: {value!r}"
                return
            for item in value:
                yield from self._wrong(where, kind[1:-1], item)
        elif kind in SHAPES:
            yield from self.faults(kind, value)
        elif not TYPES[kind](value):
            yield f"{where}: not {kind}: {value!r}"
