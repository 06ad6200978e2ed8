"""Whose messages make the book of a market at each time: spans of all gatherers to pieces that do not overlap. Pure.

The first gatherer goes first, the next fills its holes, and so on. Within one gatherer the connection that had the book
keeps it until its span ends. So rows of the first gatherer never depend on those of another.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from gatherer.data.spans import FOREVER, Span


class Piece(NamedTuple):
    """The messages of one connection about one market that were read between `start` and `end`, both included."""

    market: str
    gatherer: str
    conn_id: int
    start: int
    end: int
    place: int
    """Number of the segment whose snapshot begins it; -1 if it begins with a snapshot made of earlier messages."""
    line: int
    """Of that snapshot."""
    end_place: int
    end_line: int
    """No message behind this place belongs to it."""
    fresh: bool
    """Another gatherer had the book before, or none."""

    @property
    def is_made(self) -> bool:
        """Whether its first snapshot has to be made of earlier messages."""
        return self.place < 0


@dataclass(frozen=True, slots=True)
class Source:
    """The spans of one gatherer."""

    gatherer: str
    spans: Iterable[Span]
    sure_until: Callable[[int], int]
    """Until when an open span of a connection surely lacks nothing."""


def choose(sources: Sequence[Source], start: int, end: int) -> dict[str, list[Piece]]:
    """The pieces of each market between two times (Unix ns, `end` excluded), in the order of time."""
    found: dict[str, list[Piece]] = {}
    for source in sources:
        by_market: dict[str, list[Span]] = {}
        for span in source.spans:
            if span.end >= span.start and span.end >= start and span.start < end:
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
    until = -1
    for span in sorted(spans, key=lambda span: (span.start, span.place, span.line)):
        place, line, start = span.place, span.line, span.start
        if start <= until:
            place, line, start = -1, 0, until + 1
        if span.end >= start:
            ends = (span.end_place, span.end_line)
            pieces.append(Piece(span.market, gatherer, span.conn_id, start, span.end, place, line, *ends, True))
            until = span.end
    return pieces


def _claims(pieces: list[Piece], sources: Sequence[Source]) -> list[tuple[int, int]]:
    """The times that others need not fill, in order."""
    sure = {source.gatherer: source.sure_until for source in sources}
    claims = [
        (piece.start, min(piece.end, sure[piece.gatherer](piece.conn_id)) if piece.end_place == FOREVER else piece.end)
        for piece in pieces
    ]
    return sorted(claims)


def _without(piece: Piece, claims: list[tuple[int, int]]) -> list[Piece]:
    parts = []
    rest: Piece | None = piece
    for start, end in claims:
        if rest is None or start > rest.end:
            break
        if end < rest.start:
            continue
        if start > rest.start:
            parts.append(rest._replace(end=start - 1, end_place=FOREVER, end_line=FOREVER))
        rest = rest._replace(start=end + 1, place=-1, line=0) if end < rest.end else None
    return parts if rest is None else [*parts, rest]


def _finished(pieces: list[Piece], start: int, end: int) -> list[Piece]:
    done: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: piece.start):
        if piece.end < start or piece.start >= end:
            continue
        if piece.start < start:
            piece = piece._replace(start=start, place=-1, line=0)
        if piece.end >= end:
            piece = piece._replace(end=end - 1)
        fresh = not done or done[-1].gatherer != piece.gatherer
        done.append(piece._replace(fresh=fresh))
    return done


class Windows:
    """Which segment of a gatherer makes the snapshot of a piece that begins at a time."""

    def __init__(self, bounds: Sequence[tuple[int, int]]) -> None:
        """`bounds` are the first and last times of the segments, in order."""
        self._firsts: list[int] = []
        for first, _ in bounds:
            self._firsts.append(max(first, self._firsts[-1] if self._firsts else first))
        self._last = max((last for _, last in bounds), default=0)

    def place(self, at: int) -> int:
        """The number of the segment; -1 if none holds that time yet."""
        return -1 if at > self._last else bisect_right(self._firsts, at) - 1

    def concerns(self, piece: Piece, place: int) -> bool:
        """Whether the rows of a segment can belong to the piece."""
        if not piece.is_made and piece.place > place:
            return False
        after = self._firsts[place + 1] if place + 1 < len(self._firsts) else FOREVER
        return piece.start <= after and piece.end >= self._firsts[place] - SLACK


SLACK = 2_000_000_000
"""A record can be this much older than the first record of its segment: markers and messages have different clocks."""


def fingerprint(pieces: Iterable[Piece], last: int) -> str:
    """What decides about the rows of a segment whose last record is of `last`: changes when they would change."""
    digest = blake2b(digest_size=12)
    for piece in pieces:
        end = piece.end if piece.end < last else FOREVER
        digest.update(repr((*piece[:4], end, *piece[5:7], piece.fresh)).encode())
    return digest.hexdigest()
