"""`open_captures`: captures, or tables made of them, behind one set of questions.

Finished segments are turned into tables once, in a cache directory, and only read there afterwards. Segments that are
still being written are read as they are.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from gatherer.capture_format.reading import read_capture
from gatherer.coverage import BOOKS, Coverage, State, coverage_of
from gatherer.data.book import COMPLETE, HOLE, NOT_CARRIED, Book, Levels, levels_from_tables
from gatherer.data.engine import DataError, sql
from gatherer.data.live import LiveBook
from gatherer.data.output import Output, is_output
from gatherer.data.sources import Capture, captures
from gatherer.data.tables import Progress, write_tables
from gatherer.data.views import connect_tables


def cache_directory() -> Path:
    """`$XDG_CACHE_HOME/gatherer`, or `~/.cache/gatherer`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatherer"


class Library:
    """Made by `open_captures`. Times are Unix ns."""

    def __init__(self, tables: Path, found: Sequence[Capture]) -> None:
        self.tables = tables
        """The directory of tables that answers are read from."""
        self._captures = found
        self._connection: Any = None

    def records(self) -> Iterator[dict[str, Any]]:
        """Every record of the captures as it stands there, markers and segments that are being written included.

        One capture after the other, each in its order. Raises `DataError` for tables, which hold no records.
        """
        if not self._captures:
            raise DataError(f"{self.tables}: holds tables; records are in the captures that they were made of")
        for capture in self._captures:
            yield from read_capture(capture.path)

    def sql(self, query: str = "", parameters: Any = None) -> Any:
        """The answer to a query about the tables; without a query the connection to DuckDB itself."""
        if self._connection is None:
            self._connection = connect_tables(self.tables)
        return self._connection.execute(query, parameters) if query else self._connection

    def trades(self, ticker: str | None = None) -> Iterator[dict[str, Any]]:
        """Each trade once, in the order of time, as a dict of the columns of the table `trades`."""
        where = "" if ticker is None else "WHERE market_ticker = $1"
        found = self.sql(
            f"SELECT * FROM trades {where} ORDER BY received_ns, segment, line", None if ticker is None else [ticker]
        )
        names = [column[0] for column in found.description]
        while rows := found.fetchmany(10_000):
            yield from (dict(zip(names, row, strict=True)) for row in rows)

    def coverage(
        self, *, tickers: Collection[str] | None = None, channels: Collection[str] | None = None,
        start: int | None = None, end: int | None = None,
    ) -> Coverage:  # fmt: skip
        """What is complete and what is not, decided from the captures. See `gatherer.coverage.coverage_of`."""
        if not self._captures:
            raise DataError(f"{self.tables}: holds tables; their table coverage says what was complete")
        paths = [capture.path for capture in self._captures]
        return coverage_of(paths, tickers=tickers, channels=channels, start=start, end=end)

    def book(self, ticker: str, at: int, stale: bool = False) -> Book:
        """The order book after everything read until a time, with its verdict.

        If it was not complete then, there are no levels, or with `stale` the last ones that were. Raises `DataError`
        for a market that is not there.
        """
        row = self.sql(sql("state_at"), {"ticker": ticker, "at": at}).fetchone()
        if row is None:
            return self._unjudged(ticker, at, stale)
        state, why = row[0], row[1] or ""
        levels = levels_from_tables(self.sql(), ticker, at) if stale or state == COMPLETE else None
        return Book(ticker, at, state, why, levels)

    def _unjudged(self, ticker: str, at: int, stale: bool) -> Book:
        """A time that the finished segments say nothing about."""
        levels = levels_from_tables(self.sql(), ticker, at)
        if any(capture.open() for capture in self._captures):
            interval = self.coverage(tickers=[ticker]).book(ticker).at(at)
            if interval is not None and interval.state is State.COMPLETE:
                return Book(
                    ticker, at, COMPLETE, "", self._live(interval.gatherer, interval.conn_id, ticker, at, levels)
                )
            if interval is not None:
                return Book(ticker, at, interval.state.value, interval.why, levels if stale else None)
        known = self.sql('SELECT min("from"), max("to") FROM coverage WHERE channel = $1 AND market_ticker = $2',
                         [BOOKS, ticker]).fetchone()  # fmt: skip
        if known is None or known[0] is None:
            raise DataError(f"there is no market {ticker} in {', '.join(self._names())}")
        why = "before the capture begins" if at < known[0] else "after the capture ends"
        return Book(ticker, at, HOLE if at >= known[1] else NOT_CARRIED, why, levels if stale else None)

    def _live(self, gatherer: str | None, conn_id: int | None, ticker: str, at: int, levels: Levels | None) -> Levels:
        capture = next(capture for capture in self._captures if capture.name == gatherer)
        live = LiveBook(ticker, conn_id or 0)
        finished = capture.finished()
        if finished:
            live.restore(self.sql(), Output(self.tables).state_path(capture.name, finished[-1].name), levels)
        return live.read(capture.open(), at)

    def _names(self) -> list[str]:
        return [str(capture.path) for capture in self._captures] or [str(self.tables)]


def open_captures(paths: Sequence[Path | str] | Path | str, progress: Progress | None = None) -> Library:
    """Open capture directories, one or several, or one directory that `gatherer tables` has written.

    The tables of captures are kept in `cache_directory()` and brought up to date here: the first time takes as long as
    `gatherer tables` does. Raises `DataError`.
    """
    paths = [paths] if isinstance(paths, Path | str) else list(paths)
    if len(paths) == 1 and is_output(Path(paths[0])):
        return Library(Path(paths[0]), [])
    found = captures(paths)
    key = blake2b("\0".join(f"{c.path}/{sorted(c.chosen)}" for c in found).encode(), digest_size=10).hexdigest()
    tables = cache_directory() / key
    write_tables(paths, tables, progress=progress)
    return Library(tables, found)
