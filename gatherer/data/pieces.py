"""Whose messages make the book of a market at each time: spans of all gatherers to pieces that do not overlap. Pure.

The first gatherer goes first, the next fills its holes, and so on. Within one gatherer the connection that had the book
keeps it until its span ends. So rows of the first gatherer never depend on those of another.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from gatherer.data.judged import FOREVER, Span

SLACK = 2_000_000_000
"""A record can be this much older than the first record of its segment: markers and messages have different clocks."""


class Piece(NamedTuple):
    """The messages of one connection about one market that were read from `start` until before `end`.

    It begins with the exchange's snapshot if there is one at `start`, otherwise with one made of earlier messages.
    """

    market: str
    gatherer: str
    conn_id: int
    start: int
    end: int
    fresh: bool
    """Another gatherer had the book before, or none."""


@dataclass(frozen=True, slots=True)
class Source:
    """The spans of one gatherer."""

    gatherer: str
    spans: Iterable[Span]
    sure_until: Callable[[int], int]
    """Until when (excluded) an open span of a connection surely lacks nothing."""


def choose(sources: Sequence[Source], start: int, end: int) -> dict[str, list[Piece]]:
    """The pieces of each market between two times (Unix ns, `end` excluded), in the order of time."""
    found: dict[str, list[Piece]] = {}
    for source in sources:
        by_market: dict[str, list[Span]] = {}
        for span in source.spans:
            if span.end > start and span.start < end:
                by_market.setdefault(span.market, []).append(span)
        for market, spans in by_market.items():
            earlier = found.setdefault(market, [])
            new = _one_gatherer(source.gatherer, spans)
            if earlier:
                new = [part for piece in new for part in _without(piece, _claims(earlier, sources))]
            earlier += new
    return {market: _finished(pieces, start, end) for market, pieces in found.items()}


def _one_gatherer(gatherer: str, spans: list[Span]) -> list[Piece]:
    pieces = []
    until = 0
    for span in sorted(spans, key=lambda span: span.start):
        start = max(span.start, until)
        if span.end > start:
            pieces.append(Piece(span.market, gatherer, span.conn_id, start, span.end, True))
            until = span.end
    return pieces


def _claims(pieces: list[Piece], sources: Sequence[Source]) -> list[tuple[int, int]]:
    """The times that others need not fill, in order."""
    sure = {source.gatherer: source.sure_until for source in sources}
    return sorted(
        (piece.start, sure[piece.gatherer](piece.conn_id) if piece.end == FOREVER else piece.end) for piece in pieces
    )


def _without(piece: Piece, claims: list[tuple[int, int]]) -> list[Piece]:
    """The parts of a piece that are outside of the claims."""
    parts, start = [], piece.start
    for first, after in claims:
        if first > start:
            parts.append(piece._replace(start=start, end=min(first, piece.end)))
        start = max(start, after)
        if start >= piece.end:
            return parts
    return [*parts, piece._replace(start=start)]


def _finished(pieces: list[Piece], start: int, end: int) -> list[Piece]:
    done: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: piece.start):
        first, after = max(piece.start, start), piece.end if end >= FOREVER else min(piece.end, end)
        if first < after:
            fresh = not done or done[-1].gatherer != piece.gatherer
            done.append(piece._replace(start=first, end=after, fresh=fresh))
    return done


class Windows:
    """The times of the segments of a gatherer: each time belongs to one segment."""

    def __init__(self, bounds: Sequence[tuple[int, int]]) -> None:
        """`bounds` are the first and last times of the segments, in order."""
        self._firsts: list[int] = []
        for first, _ in bounds:
            self._firsts.append(max(first, self._firsts[-1] if self._firsts else first))
        self._last = max((last for _, last in bounds), default=0)

    def place(self, at: int) -> int:
        """The number of the segment; -1 if none holds that time yet."""
        return -1 if at > self._last else max(0, bisect_right(self._firsts, at) - 1)

    def concerns(self, piece: Piece, place: int) -> bool:
        """Whether the rows of a segment can belong to the piece."""
        after = self._firsts[place + 1] if place + 1 < len(self._firsts) else FOREVER
        return piece.start <= after and piece.end > self._firsts[place] - SLACK


def fingerprint(pieces: Iterable[Piece], last: int) -> str:
    """What decides about the rows of a segment whose last record is of `last`: changes when they would change."""
    digest = blake2b(digest_size=12)
    for piece in pieces:
        digest.update(repr((*piece[:4], piece.end if piece.end <= last else FOREVER, piece.fresh)).encode())
    return digest.hexdigest()
