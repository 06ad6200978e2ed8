"""One market's order book at one time, with the verdict of coverage about it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gatherer.data.engine import sql

Level = tuple[Decimal, Decimal]
"""Price in dollars, and contracts."""
COMPLETE, HOLE, NOT_CARRIED = "complete", "hole", "not_carried"


@dataclass(frozen=True, slots=True)
class Levels:
    """Both sides, best bid first."""

    yes: tuple[Level, ...]
    no: tuple[Level, ...]
    last_message_at: int
    """When the last message that made it was read, Unix ns."""


@dataclass(frozen=True, slots=True)
class Book:
    """The answer. `state` comes first: without `complete` the levels are not the exchange's."""

    ticker: str
    at: int
    """Unix ns."""
    state: str
    """`complete`, `hole` or `not_carried`."""
    why: str
    """Empty if it is complete."""
    levels: Levels | None
    """None if it is not complete, unless the stale book was asked for."""

    def as_json(self) -> dict[str, Any]:
        """JSON-ready. Sides are null where there is no book to show."""
        sides: dict[str, list[list[str]] | None] = {"yes": None, "no": None}
        if self.levels is not None:
            for name, side in (("yes", self.levels.yes), ("no", self.levels.no)):
                sides[name] = [[f"{price:.4f}", f"{count:.2f}"] for price, count in side]
        last = None if self.levels is None else self.levels.last_message_at
        return {
            "ticker": self.ticker, "at": self.at, "state": self.state, "why": self.why, **sides,
            "last_message_at": last,
        }  # fmt: skip


def levels_from_tables(connection: Any, ticker: str, at: int) -> Levels | None:
    """The book after everything read until `at` (Unix ns, included); None if there is no snapshot before that."""
    rows = connection.execute(sql("book_at"), {"ticker": ticker, "at": at}).fetchall()
    if not rows:
        return None
    sides: dict[str, list[Level]] = {"yes": [], "no": []}
    for side, price, count, _ in rows:
        if side is not None and count:
            sides[side].append((price, count))
    return Levels(tuple(sides["yes"]), tuple(sides["no"]), rows[0][3])
