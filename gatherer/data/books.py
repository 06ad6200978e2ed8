"""One segment's order books, message by message: tops, snapshots made for switches, and where all books stand after it.

This is the one part that SQL cannot say: a best bid after a change depends on all changes before it. Prices are whole
numbers of 1/10000 dollar and counts of 1/100 contract.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gatherer.data.pieces import Piece

Book = tuple[dict[int, int], dict[int, int]]
"""Yes and no side: price to count."""
Top = tuple[int, int, int, int]
"""Best yes bid and its count, best no bid and its count; 0 for none."""
STATE, SNAPSHOT, DELTA = 0, 1, 2
YES, NO, HEAD, TOP_YES, TOP_NO = 0, 1, 2, 3, 4
"""`side` of a row. The last three are rows of a state: which message was the last, and what was the last top."""


class Origin(NamedTuple):
    """The message that a book is as of."""

    segment: str
    line: int
    session: int
    sid: int
    seq: int


class Made(NamedTuple):
    """A snapshot made of earlier messages."""

    market: str
    at: int
    conn_id: int
    origin: Origin
    book: Book


@dataclass(slots=True)
class Rows:
    """Rows of whole markets as lists of equal length: by market, then states, then in the order of the lines."""

    kind: list[int]
    conn_id: list[int]
    side: list[int]
    price: list[int]
    quantity: list[int]
    at: list[int]
    line: list[int]
    session: list[int]
    sid: list[int]
    seq: list[int]
    segment: list[str]


@dataclass(slots=True)
class Results:
    """What one batch of markets gives."""

    top_rows: list[int] = field(default_factory=list)
    """Row numbers of the messages that changed a top."""
    tops: list[int] = field(default_factory=list)
    """The new tops, four numbers each."""
    made: list[Made] = field(default_factory=list)
    made_tops: list[tuple[Made, Top]] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    """Lines that no piece wants."""
    states: list[tuple[str, int, int, int, int, Origin | None]] = field(default_factory=list)
    """Market, connection, side, price, count, and for `HEAD` the last message."""


class _Stream:
    """One connection's book of the market."""

    __slots__ = ("book", "origin", "pieces")

    def __init__(self) -> None:
        self.book: Book = ({}, {})
        self.origin: Origin | None = None
        self.pieces: list[Piece] = []


class MarketBooks:
    """Works through the rows of one market in one segment."""

    def __init__(
        self, market: str, segment: str, pieces: Sequence[Piece], begins: Callable[[Piece], int], rows: Rows,
        results: Results,
    ) -> None:  # fmt: skip
        """`begins` says whether a piece begins before this segment (-1), in it (0), or later (1)."""
        self._market, self._segment = market, segment
        self._rows, self._results = rows, results
        self._streams: dict[int, _Stream] = {}
        self._to_make: list[Piece] = []
        self._top: Top | None = None
        self._fresh = {piece for piece in pieces if piece.fresh}
        for piece in pieces:
            if (place := begins(piece)) <= 0:
                self._stream(piece.conn_id).pieces.append(piece)
                if place == 0:
                    self._to_make.append(piece)

    def run(self, first: int, end: int, keeps: Callable[[str, int], bool]) -> None:
        """Rows `first` to `end` (excluded). `keeps` says which connections' books the next segment may need."""
        rows = self._rows
        index = self._restore(first, end)
        if index < end and (piece := self._whole_piece(index, end)) is not None:
            self._whole(piece, index, end)
            index = end
        while index < end:
            after = index + 1
            line = rows.line[index]
            while after < end and rows.line[after] == line:
                after += 1
            if self._to_make:
                self._begin(rows.conn_id[index], rows.at[index], rows.kind[index] == SNAPSHOT)
            self._message(index, after)
            index = after
        self._begin(None, 0, False)
        for conn_id, stream in self._streams.items():
            if stream.origin is not None and keeps(self._market, conn_id):
                self._save(conn_id, stream)
        if self._top is not None:
            yes, yes_count, no, no_count = self._top
            self._results.states.append((self._market, 0, TOP_YES, yes, yes_count, None))
            self._results.states.append((self._market, 0, TOP_NO, no, no_count, None))

    def _stream(self, conn_id: int) -> _Stream:
        found = self._streams.get(conn_id)
        if found is None:
            found = self._streams[conn_id] = _Stream()
        return found

    def _restore(self, index: int, end: int) -> int:
        """Take up where the segment before ended."""
        rows = self._rows
        top = [0, 0, 0, 0]
        while index < end and rows.kind[index] == STATE:
            side, price, quantity = rows.side[index], rows.price[index], rows.quantity[index]
            if side in (TOP_YES, TOP_NO):
                place = 2 * (side - TOP_YES)
                top[place : place + 2] = price, quantity
                self._top = (top[0], top[1], top[2], top[3])
            elif side == HEAD:
                origin = Origin(
                    rows.segment[index], rows.line[index], rows.session[index], rows.sid[index], rows.seq[index]
                )
                self._stream(rows.conn_id[index]).origin = origin
            else:
                self._stream(rows.conn_id[index]).book[side][price] = quantity
            index += 1
        return index

    def _message(self, index: int, after: int) -> None:
        rows = self._rows
        stream = self._stream(rows.conn_id[index])
        if rows.kind[index] == SNAPSHOT:
            yes, no = stream.book = ({}, {})
            for row in range(index, after):
                if rows.side[row] <= NO and rows.quantity[row]:
                    (no if rows.side[row] else yes)[rows.price[row]] = rows.quantity[row]
        else:
            side, price = stream.book[rows.side[index]], rows.price[index]
            count = side.get(price, 0) + rows.quantity[index]
            if count:
                side[price] = count
            else:
                side.pop(price, None)
        line = rows.line[index]
        stream.origin = Origin(self._segment, line, rows.session[index], rows.sid[index], rows.seq[index])
        piece = self._piece(stream, rows.at[index])
        if piece is None:
            self._results.dropped.append(line)
            return
        top = best(stream.book)
        if top != self._top or piece in self._fresh:
            self._top = top
            self._fresh.discard(piece)
            self._results.top_rows.append(index)
            self._results.tops.extend(top)

    def _whole_piece(self, first: int, end: int) -> Piece | None:
        """The one piece that wants all these rows, if there is one: so it is for nearly all markets."""
        rows, conn_id = self._rows, self._rows.conn_id[first]
        stream = self._streams.get(conn_id)
        if stream is None or len(stream.pieces) != 1:
            return None
        if self._to_make:  # it begins here: with the first row, or what comes before that is not part of it
            if (
                self._to_make != stream.pieces
                or rows.kind[first] != SNAPSHOT
                or rows.at[first] != stream.pieces[0].start
            ):
                return None
            self._to_make.clear()
        (piece,) = stream.pieces
        if rows.conn_id[first:end].count(conn_id) < end - first:
            return None
        times = rows.at[first:end]
        return piece if piece.start <= min(times) and max(times) < piece.end else None

    def _whole(self, piece: Piece, first: int, end: int) -> None:
        """The same as `_message` for rows that all belong to one piece, at a fifth of the time: the best bids are kept
        instead of looked for, and nothing is made for a message that does not touch them."""
        rows, stream = self._rows, self._streams[piece.conn_id]
        kinds, sides, prices, quantities, lines = rows.kind, rows.side, rows.price, rows.quantity, rows.line
        book, bests = stream.book, [max(side, default=0) for side in stream.book]
        top = None if piece in self._fresh else self._top
        note_row, note_top = self._results.top_rows.append, self._results.tops.extend
        for row in range(first, end):
            price, number = prices[row], sides[row]
            if kinds[row] == DELTA:
                side = book[number]
                count = side.get(price, 0) + quantities[row]
                if count:
                    side[price] = count
                    if price < bests[number]:
                        continue
                    bests[number] = price
                else:
                    side.pop(price, None)
                    if price != bests[number]:
                        continue
                    bests[number] = max(side, default=0)
            else:
                if row == first or lines[row - 1] != lines[row]:
                    book = ({}, {})
                if number <= NO and quantities[row]:
                    book[number][price] = quantities[row]
                if row + 1 < end and lines[row + 1] == lines[row]:
                    continue
                bests = [max(side, default=0) for side in book]
            yes, no = bests
            new = (yes, book[0].get(yes, 0), no, book[1].get(no, 0))
            if new != top:
                top = new
                note_row(row)
                note_top(new)
        self._fresh.discard(piece)
        self._top, stream.book, row = top, book, end - 1
        stream.origin = Origin(self._segment, lines[row], rows.session[row], rows.sid[row], rows.seq[row])

    def _piece(self, stream: _Stream, at: int) -> Piece | None:
        """The piece that wants a message."""
        for piece in stream.pieces:
            if piece.start <= at < piece.end:
                return None if piece in self._to_make else piece
        return None

    def _begin(self, conn_id: int | None, at: int, is_snapshot: bool) -> None:
        """Begin the pieces that are due before a message of a connection; all that are left if there is none.

        One begins with the message itself if that is a snapshot of its time. Otherwise its snapshot is made of what the
        connection has sent until then.
        """
        for piece in list(self._to_make):
            if conn_id is not None and (piece.conn_id != conn_id or at < piece.start):
                continue
            if conn_id is not None and at == piece.start:
                if is_snapshot:
                    self._to_make.remove(piece)
                continue  # a message of that very time is part of what the snapshot is made of
            self._to_make.remove(piece)
            stream = self._streams[piece.conn_id]
            if stream.origin is not None:  # otherwise the messages of the book are not here
                self._make(piece, stream, stream.origin)

    def _make(self, piece: Piece, stream: _Stream, origin: Origin) -> None:
        yes, no = stream.book
        made = Made(self._market, piece.start, piece.conn_id, origin, (dict(yes), dict(no)))
        self._results.made.append(made)
        top = best(stream.book)
        if top != self._top or piece in self._fresh:
            self._top = top
            self._fresh.discard(piece)
            self._results.made_tops.append((made, top))

    def _save(self, conn_id: int, stream: _Stream) -> None:
        states = self._results.states
        states.append((self._market, conn_id, HEAD, 0, 0, stream.origin))
        for side, levels in ((YES, stream.book[0]), (NO, stream.book[1])):
            states.extend((self._market, conn_id, side, price, count, None) for price, count in levels.items())


def best(book: Book) -> Top:
    """The best bids of both sides."""
    yes, no = max(book[0], default=0), max(book[1], default=0)
    return yes, book[0].get(yes, 0), no, book[1].get(no, 0)
