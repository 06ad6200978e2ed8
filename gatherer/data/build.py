"""The book tables of one segment: its staged rows go through `books` in batches of markets, and come out as tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from gatherer.data.books import HEAD, NO, YES, Made, MarketBooks, Origin, Results, Rows
from gatherer.data.engine import quoted, sql, write_parquet
from gatherer.data.pieces import Piece
from gatherer.data.schema import column_list

BATCH_ROWS = 100_000
"""Rows that go through Python at a time."""
BOOK_TABLES = ("book_snapshots", "book_deltas", "top_of_book")
_ORIGIN = {"segment": "VARCHAR", "line": "BIGINT", "session": "BIGINT", "sid": "BIGINT", "seq": "BIGINT"}
_LEVEL = {"market_ticker": "VARCHAR", "conn_id": "INTEGER", "side": "INTEGER", "price": "BIGINT", "quantity": "BIGINT"}
_TOP = {"yes": "BIGINT", "yes_count": "BIGINT", "no": "BIGINT", "no_count": "BIGINT"}
_WORK = {
    "state_after": {**_LEVEL, **_ORIGIN},
    "made": {**_LEVEL, **_ORIGIN, "received_ns": "BIGINT"},
    "tops": {"market_ticker": "VARCHAR", "received_ns": "BIGINT", "conn_id": "INTEGER", **_TOP, **_ORIGIN},
    "dropped": {"line": "BIGINT"},
}
"""Tables that results are gathered in, batch by batch."""
_ROWS = ("kind", "conn_id", "side", "price", "quantity", "received_ns", "line", "session", "sid", "seq", "segment")
_NOWHERE = Origin("", 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Segment:
    """What decides about the book tables of one segment."""

    gatherer: str
    name: str
    pieces: Mapping[str, Sequence[Piece]]
    """The pieces of this gatherer that concern the segment, by market."""
    begins: Callable[[Piece], int]
    """Whether a piece begins before this segment (-1), in it (0), or later (1)."""
    keeps: Callable[[str, int], bool]
    """Whether later segments may need the book of a market on a connection."""


class BookBuilder:
    """Makes files in a work directory: `BOOK_TABLES` and `state`, the books after the segment."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def build(self, segment: Segment, work: Path, state: Path | None) -> None:
        """`work` has `deltas` and `snapshots`; `state` is what the segment before left, None for the first one."""
        run = self._connection.execute
        run(f"CREATE OR REPLACE TEMP VIEW staged_deltas AS FROM {quoted(work / 'deltas.parquet')}")
        run(f"CREATE OR REPLACE TEMP VIEW staged_snapshots AS FROM {quoted(work / 'snapshots.parquet')}")
        for name, columns in _WORK.items():
            run(f"CREATE OR REPLACE TEMP TABLE {name} ({', '.join(f'{c} {kind}' for c, kind in columns.items())})")
        before = "state_after WHERE false" if state is None else quoted(state)
        run(f"CREATE OR REPLACE TEMP VIEW state AS FROM {before}")
        for first, last in self._batches():
            self._batch(segment, first, last)
        self._write(segment, work)

    def _batches(self) -> Iterator[tuple[str, str]]:
        """Ranges of markets, each of about `BATCH_ROWS` rows."""
        first, rows, last = "", 0, ""
        for market, count in self._connection.execute(sql("markets_in_segment")).fetchall():
            first, rows, last = first or market, rows + count, market
            if rows >= BATCH_ROWS:
                yield first, last
                first, rows = "", 0
        if first:
            yield first, last

    def _batch(self, segment: Segment, first: str, last: str) -> None:
        found = self._connection.execute(sql("book_rows"), {"first": first, "last": last}).fetchnumpy()
        rows, results = Rows(*(found[name].tolist() for name in _ROWS)), Results()
        for market, start, end in _groups(found["market_ticker"]):
            pieces = segment.pieces.get(market, ())
            books = MarketBooks(market, segment.name, pieces, segment.begins, rows, results)
            books.run(start, end, segment.keeps)
        self._keep_tops(segment.name, found, results)
        self._insert_rows("tops", [
            (made.market, made.at, made.conn_id, *top, *made.origin) for made, top in results.made_tops
        ])  # fmt: skip
        self._insert_rows("state_after", [(*row[:5], *(row[5] or _NOWHERE)) for row in results.states])
        self._insert_rows("made", [row for made in results.made for row in _levels(made)])
        self._insert_rows("dropped", [(line,) for line in results.dropped])

    def _keep_tops(self, segment: str, found: dict[str, Any], results: Results) -> None:
        import numpy

        if not results.top_rows:
            return
        index = numpy.array(results.top_rows, numpy.int64)
        columns = {name: found[name][index] for name in _WORK["tops"] if name in found}
        tops = numpy.array(results.tops, numpy.int64).reshape(-1, len(_TOP))
        columns |= {name: tops[:, place] for place, name in enumerate(_TOP)}
        columns["segment"] = numpy.full(len(index), segment, object)
        self._insert("tops", columns)

    def _insert_rows(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        import numpy

        if rows:
            kinds = _WORK[table].items()
            self._insert(table, {
                name: numpy.array(values, object if kind == "VARCHAR" else numpy.int64)
                for (name, kind), values in zip(kinds, zip(*rows, strict=True), strict=True)
            })  # fmt: skip

    def _insert(self, table: str, columns: dict[str, Any]) -> None:
        self._connection.register("batch", columns)
        self._connection.execute(f"INSERT INTO {table} SELECT {', '.join(_WORK[table])} FROM batch")
        self._connection.unregister("batch")

    def _write(self, segment: Segment, work: Path) -> None:
        names = {"gatherer": segment.gatherer}
        write_parquet(self._connection, "FROM state_after", work / "state.parquet")
        for table, query in (("top_of_book", sql("tops")), ("book_snapshots", sql("snapshots"))):
            write_parquet(
                self._connection, f"SELECT {column_list(table)} FROM ({query})", work / f"{table}.parquet", names
            )
        (dropped,) = self._connection.execute("SELECT count(*) FROM dropped").fetchone()
        if dropped:
            query = f"SELECT {column_list('book_deltas')} FROM ({sql('kept_deltas')})"
            write_parquet(self._connection, query, work / "book_deltas.parquet")
        else:
            (work / "deltas.parquet").rename(work / "book_deltas.parquet")


def _groups(markets: Any) -> Iterator[tuple[str, int, int]]:
    """Each market of a sorted column, and where its rows start and end."""
    import numpy

    changes = numpy.flatnonzero(markets[1:] != markets[:-1]) + 1
    starts = [0, *changes.tolist(), len(markets)]
    for start, end in pairwise(starts):
        if end > start:
            yield str(markets[start]), start, end


def _levels(made: Made) -> Iterator[tuple[Any, ...]]:
    """A made snapshot as rows, one a level; one row for a book without levels."""
    sides = ((YES, made.book[0]), (NO, made.book[1]))
    found = [(side, price, count) for side, levels in sides for price, count in levels.items()] or [(HEAD, 0, 0)]
    for level in found:
        yield (made.market, made.conn_id, *level, *made.origin, made.at)
