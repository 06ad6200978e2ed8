"""One market's order book at one time, from the tables."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gatherer.data.engine import sql

Level = tuple[Decimal, Decimal]
"""Price in dollars, and contracts."""


@dataclass(frozen=True, slots=True)
class Book:
    """Both sides, best bid first."""

    yes: tuple[Level, ...]
    no: tuple[Level, ...]
    last_message_at: int
    """When the last message that made it was read, Unix ns."""


def book_from_tables(connection: Any, ticker: str, at: int) -> Book | None:
    """The book after everything read until `at` (Unix ns, included); None if there is no snapshot before that.

    Whether it is the exchange's own book, only `coverage` says.
    """
    rows = connection.execute(sql("book_at"), {"ticker": ticker, "at": at}).fetchall()
    if not rows:
        return None
    sides: dict[str, list[Level]] = {"yes": [], "no": []}
    for side, price, count, _ in rows:
        if side is not None and count:
            sides[side].append((price, count))
    return Book(tuple(sides["yes"]), tuple(sides["no"]), rows[0][3])
