"""One segment, read once: its rows in Parquet files of a work directory, and the events that decide about books.

Nothing is joined here. Which rows are published is decided when all segments are known.
"""

from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from gatherer.capture_format.reading import cut_bytes
from gatherer.data.engine import SegmentDamaged, one_line_errors, quoted, sql, write_parquet
from gatherer.data.sources import damage

JOINED = ("trades", "tickers", "lifecycle")
"""Tables whose messages several connections bring."""
EARLIEST, LATEST = 0, 2**63 - 1
_SCRATCH = ("other", "sessions", "earlier_sessions", "snapshots", "copies", "typed")


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


class Sessions(msgspec.Struct, frozen=True):
    """When the session of each connection opened, after a segment."""

    run: str = ""
    number: int = 0
    """Of the segment, within the run."""
    opened: dict[int, int] = {}


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
    cut: bool
    """Whether a repair has cut off its end."""
    events: list[Event]
    last_messages: dict[int, int]
    """When the last message of each connection was read."""
    sessions: Sessions


class Job(NamedTuple):
    """A segment to read."""

    path: Path
    gatherer: str
    before: "Future[Sessions]"
    """Of the segment before it."""
    after: "Future[Sessions]"
    """Answered on the way, so that the next segment need not wait for all of this one."""
    work: Path
    joined: bool = True
    """Whether the tables that are joined are wanted too."""


class _Start(msgspec.Struct):
    run: str = ""
    number: int = 0


class Stage:
    """Reads segments with one connection to DuckDB."""

    def __init__(self, connection: Any, start: int = EARLIEST, end: int = LATEST) -> None:
        self._connection = connection
        self._bounds = {"start": start, "end": end}

    def read(self, job: Job) -> Scan:
        """Leave `deltas`, `snapshots`, and the copies of what is joined in the work directory.

        Raises `SegmentDamaged` that names it, or `DataError` for other troubles.
        """
        try:
            if torn := damage(job.path):
                raise SegmentDamaged(f"{job.path}: damaged: {torn}")
            with one_line_errors(str(job.path)):
                return self._read(job)
        finally:
            if not job.after.done():
                job.after.set_result(Sessions())

    def _read(self, job: Job) -> Scan:
        run = self._connection.execute
        with one_line_errors(f"{job.path}: damaged", SegmentDamaged):
            run(sql("other"), {"path": str(job.path)})
        start = self._start(job.path)
        sessions = self._sessions(job, start)
        names = {"gatherer": job.gatherer, "segment": job.path.name}
        self._deltas(job, names)
        run("CREATE OR REPLACE TEMP TABLE snapshots AS " + sql("staged_snapshots"), names)
        scan = self._scan(job.path, start, sessions)
        write_parquet(self._connection, "FROM snapshots", job.work / "snapshots.parquet")
        for table in JOINED if job.joined else ():
            run(f"CREATE OR REPLACE TEMP TABLE copies AS {sql(f'copies_{table}')}", self._bounds)
            run(f"CREATE OR REPLACE TEMP TABLE typed AS {sql(f'typed_{table}')}")
            write_parquet(self._connection, "FROM typed", job.work / f"{table}.typed.parquet")
            write_parquet(self._connection, sql("staged_copies"), job.work / f"{table}.copies.parquet")
        for table in _SCRATCH:
            run(f"DROP TABLE IF EXISTS {table}")
        return scan

    def _deltas(self, job: Job, names: dict[str, str]) -> None:
        """Write the changes of books, and make the view `deltas` of them."""
        run, path = self._connection.execute, job.work / "deltas.parquet"
        write_parquet(self._connection, sql("deltas"), path, names | {"path": str(job.path)})
        run(f"CREATE OR REPLACE TEMP VIEW deltas AS FROM {quoted(path)}")
        if run("SELECT 1 FROM deltas WHERE market_ticker IS NULL LIMIT 1").fetchone() is not None:
            run(sql("lookalikes"), {"path": str(job.path)})
            run("CREATE OR REPLACE TEMP TABLE changes AS FROM deltas WHERE market_ticker IS NOT NULL")
            write_parquet(self._connection, "FROM changes", path)
            run("DROP TABLE changes")

    def _start(self, path: Path) -> _Start:
        row = self._connection.execute(
            "SELECT marker, json_extract(json, '$.facts')::VARCHAR FROM other WHERE line = 1"
        ).fetchone()
        if row is None or row[0] != "segment_start":
            raise SegmentDamaged(f"{path}: does not begin with a segment_start record: this is no segment of a capture")
        return msgspec.json.decode(row[1] or "{}", type=_Start)

    def _sessions(self, job: Job, start: _Start) -> Sessions:
        """Make the table `sessions`; what holds after the segment."""
        run = self._connection.execute
        opened = dict(
            run(
                "SELECT conn_id, arg_max(received_ns, line) FROM other WHERE marker = 'session_up' GROUP BY conn_id"
            ).fetchall()
        )
        before = job.before.result()
        known = before.opened if (before.run, before.number + 1) == (start.run, start.number) else {}
        after = Sessions(start.run, start.number, known | opened)
        job.after.set_result(after)
        run("CREATE OR REPLACE TEMP TABLE earlier_sessions AS SELECT unnest($1::INTEGER[]) AS conn_id, "
            "unnest($2::BIGINT[]) AS session", [list(known), list(known.values())])  # fmt: skip
        run(sql("sessions"))
        return after

    def _scan(self, path: Path, start: _Start, sessions: Sessions) -> Scan:
        run = self._connection.execute
        events = [Event(*row) for row in run(sql("events")).fetchall()]
        (last,) = run(
            "SELECT arg_max(received_ns, line) FROM (SELECT line, received_ns FROM other UNION ALL "
            "SELECT max(line), arg_max(received_ns, line) FROM deltas)"
        ).fetchone()
        last_messages = dict(run(sql("last_messages")).fetchall())
        return Scan(
            path.name, start.run, start.number, events[0].at, last, cut_bytes(path) > 0, events, last_messages, sessions
        )
