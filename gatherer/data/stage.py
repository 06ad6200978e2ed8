"""One segment, read once: its rows in Parquet files of a work directory, and the events that decide about books.

Nothing is joined here. Which rows are published is decided when all segments are known (`publish`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from gatherer.capture_format.reading import cut_bytes
from gatherer.data.engine import DataError, one_line_errors, sql, write_parquet
from gatherer.data.sources import damage

JOINED = ("trades", "tickers", "lifecycle")
"""Tables whose messages several connections bring."""
EARLIEST, LATEST = 0, 2**63 - 1


class Event(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A marker, or where a snapshot stands."""

    line: int
    at: int
    conn_id: int
    marker: str
    """Kind of the marker; "" for a snapshot."""
    facts: str | None
    market: str | None
    sid: int | None
    asked: bool


class Scan(msgspec.Struct, frozen=True, gc=False):
    """What is known of a segment once it is read."""

    segment: str
    run: str
    number: int
    """Within the run, from 1."""
    first: int
    """Unix ns of the first record."""
    last: int
    """Unix ns of the last record."""
    lines: int
    cut: bool
    """Whether a repair has cut off its end."""
    events: list[Event]
    last_messages: dict[int, int]
    """When the last message of each connection was read."""


class _Start(msgspec.Struct):
    run: str = ""
    number: int = 0


@dataclass(slots=True)
class Stage:
    """Reads segments with one connection to DuckDB."""

    connection: Any
    start: int = EARLIEST
    end: int = LATEST

    def read(self, path: Path, gatherer: str, sessions: dict[int, int], work: Path, joined: bool = True) -> Scan:
        """Read a finished segment. `sessions` says when the session of each connection opened before it.

        Leaves `deltas`, `snapshots`, `trades`, `tickers` and `lifecycle` in `work`. Raises `DataError` that names the
        segment if it is damaged.
        """
        if torn := damage(path):
            raise DataError(f"{path}: damaged: {torn}")
        with one_line_errors(f"{path}: damaged"):
            return self._read(path, gatherer, sessions, work, joined)

    def _read(self, path: Path, gatherer: str, sessions: dict[int, int], work: Path, joined: bool) -> Scan:
        run = self.connection.execute
        run(sql("deltas"), {"path": str(path)})
        run(sql("other"), {"path": str(path)})
        run("CREATE OR REPLACE TEMP TABLE earlier_sessions (conn_id INTEGER, session BIGINT)")
        if sessions:
            run("INSERT INTO earlier_sessions SELECT unnest($1::INTEGER[]), unnest($2::BIGINT[])",
                [list(sessions), list(sessions.values())])  # fmt: skip
        run(sql("sessions"))
        names = {"gatherer": gatherer, "segment": path.name}
        run("CREATE OR REPLACE TEMP TABLE snapshots AS " + sql("staged_snapshots"), names)
        scan = self._scan(path)
        write_parquet(self.connection, "FROM snapshots", work / "snapshots.parquet")
        write_parquet(self.connection, sql("staged_deltas"), work / "deltas.parquet", names)
        if joined:
            for table in JOINED:
                query, bounds = sql(f"staged_{table}"), {"start": self.start, "end": self.end}
                write_parquet(self.connection, query, work / f"{table}.parquet", names | bounds)
        for table in ("parsed", "other", "sessions", "earlier_sessions", "snapshots"):
            run(f"DROP TABLE {table}")
        return scan

    def _scan(self, path: Path) -> Scan:
        run = self.connection.execute
        events = [Event(*row) for row in run(sql("events")).fetchall()]
        if not events or events[0].marker != "segment_start" or events[0].line != 1:
            raise DataError(f"{path}: does not begin with a segment_start record: this is no segment of a capture")
        start = msgspec.json.decode(events[0].facts or "{}", type=_Start)
        (lines,) = run("SELECT greatest((SELECT max(line) FROM parsed), (SELECT max(line) FROM other))").fetchone()
        (last,) = run(
            "SELECT received_ns FROM parsed WHERE line = $1 UNION ALL SELECT received_ns FROM other WHERE line = $1",
            [lines],
        ).fetchone()  # fmt: skip
        last_messages = dict(run(sql("last_messages")).fetchall())
        cut = cut_bytes(path) > 0
        return Scan(path.name, start.run, start.number, events[0].at, last, lines, cut, events, last_messages)
