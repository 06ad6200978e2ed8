"""Order books: bids of both sides, in whole numbers. Pure.

A price is in ten-thousandths of a dollar (1 to 9999), a count in hundredths of a contract. These are the four and two
decimals of protocol section 5 as integers, which are faster than Decimal.
"""

from dataclasses import dataclass, field
from random import Random

DOLLAR = 10_000
"""A dollar, in the unit of prices."""
Side = dict[int, int]
"""Price to count. There is no level with count zero."""


def dollars(price: int) -> str:
    """A price as messages have it: `0.4200`."""
    return f"{price // DOLLAR}.{price % DOLLAR:04d}"


def fixed(count: int) -> str:
    """A count as messages have it: `250.00`; it may be negative."""
    sign, count = ("-", -count) if count < 0 else ("", count)
    return f"{sign}{count // 100}.{count % 100:02d}"


def levels(side: Side, mirrored: bool = False, depth: int = 0) -> list[list[str]]:
    """Ascending `[price, count]` pairs; `mirrored` turns no prices into yes prices, `depth` keeps the best."""
    prices = sorted(side)[-depth:]
    pairs = [[dollars(DOLLAR - price if mirrored else price), fixed(side[price])] for price in prices]
    return pairs[::-1] if mirrored else pairs


def _ladder(name: str, side: Side, mirrored: bool) -> str:
    """One side of a snapshot; empty text for an empty side, whose key must be absent (protocol section 5)."""
    if not side:
        return ""
    pairs = ",".join(f'["{price}","{count}"]' for price, count in levels(side, mirrored))
    return f',"{name}":[{pairs}]'


@dataclass(slots=True)
class Book:
    """The open orders of one market, and the figures that its ticker needs."""

    middle: int
    """Yes bids stay below this price, no bids below a dollar minus this price, so the book never crosses."""
    yes: Side = field(default_factory=dict)
    no: Side = field(default_factory=dict)
    last: int = 0
    """Price of the last trade, 0 before the first."""
    last_count: int = 0
    volume: int = 0
    """Contracts traded so far, in hundredths."""

    def side(self, name: str) -> Side:
        """`yes` or `no`."""
        return self.yes if name == "yes" else self.no

    def add(self, name: str, price: int, delta: int) -> None:
        """Apply a delta. A level that reaches zero is removed."""
        side = self.side(name)
        count = side.get(price, 0) + delta
        assert count >= 0, (name, price, delta)
        if count:
            side[price] = count
        else:
            side.pop(price, None)

    def ladders(self, mirrored: bool) -> str:
        """The sides of a snapshot: JSON that begins with a comma, or empty text."""
        return _ladder("yes_dollars_fp", self.yes, False) + _ladder("no_dollars_fp", self.no, mirrored)

    def copy(self) -> "Book":
        """A separate book with the same levels."""
        return Book(self.middle, dict(self.yes), dict(self.no), self.last, self.last_count, self.volume)


MAX_LEVELS = 12
"""The most price levels a side can have."""


def price_below(limit: int, tick: int) -> int:
    """The price so many whole cents below a limit; at least the smallest price there is."""
    return max(1, limit - 100 * (tick + 1))


def _drawn(random: Random) -> Book:
    """A random book with few or many levels; sometimes a side is empty."""
    book = Book(random.randrange(1_000, 9_100, 100))
    book.last = book.middle
    for name, limit in (("yes", book.middle), ("no", DOLLAR - book.middle)):
        for tick in range(random.choice((0, 1, 2, 3, 4, 6, 8, MAX_LEVELS))):
            book.side(name)[price_below(limit, tick)] = random.randrange(100, 100_000, 25)
    return book


class SharedBooks:
    """A few random books and their text. A market shares one of them until its first change.

    A separate book for each of a million markets would take gigabytes of memory and minutes to make.
    """

    def __init__(self, random: Random, number: int = 64) -> None:
        self._books = tuple(_drawn(random) for _ in range(number))
        self._texts = tuple((book.ladders(False), book.ladders(True)) for book in self._books)

    def book(self, index: int) -> Book:
        """The shared book of a market without its own. Read it, never change it."""
        return self._books[index * 31 % len(self._books)]

    def ladders(self, index: int, mirrored: bool) -> str:
        """`Book.ladders` of that book, made in advance."""
        return self._texts[index * 31 % len(self._texts)][mirrored]
