"""The two tables that are made of all segments at once: `markets` and `coverage`."""

import shutil
from collections.abc import Collection, Sequence
from typing import Any

from gatherer.capture_format.directory import LOCK_NAME
from gatherer.coverage import Coverage, coverage_of
from gatherer.data.engine import one_line_errors, quoted, sql, write_parquet
from gatherer.data.output import Output, read_scan
from gatherer.data.schema import column_list, empty
from gatherer.data.sources import Capture
from gatherer.data.stage import LATEST

DAY = 86_400_000_000_000
_INTERVALS = {
    "channel": "VARCHAR", "market_ticker": "VARCHAR", "state": "VARCHAR", "from": "BIGINT", "to": "BIGINT",
    "why": "VARCHAR", "gatherer": "VARCHAR",
}  # fmt: skip


def write_markets(connection: Any, output: Output, new: Collection[tuple[str, str]]) -> None:
    """Write anew the days whose markets segments (gatherer and name) have said something about.

    A market stands under the day of its first message.
    """
    files = output.files("lifecycle")
    if not files or not new:
        return
    with one_line_errors(str(output.path / "markets")):
        listed = ", ".join(quoted(path) for path in files)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW lifecycle AS FROM read_parquet([{listed}])")
        connection.execute(f"CREATE OR REPLACE TEMP TABLE markets AS {sql('markets')}")
        names = [[gatherer for gatherer, _ in new], [segment for _, segment in new]]
        days = connection.execute(sql("changed_days"), {"gatherers": names[0], "segments": names[1]}).fetchall()
    for (day,) in days:
        query = f"SELECT {column_list('markets')} FROM markets WHERE first_ns // {DAY} = {day}"
        write_parquet(connection, query, output.day_path("markets", day))


def write_coverage(connection: Any, output: Output, captures: Sequence[Capture], skip_damaged: bool) -> None:
    """Judge the published segments, and write the intervals under the days they are of.

    What was said of the time before the oldest segment that is still kept stays.
    """
    manifest = output.manifest
    start, end = manifest.start, manifest.end if manifest.end < LATEST else None
    links = output.work / "published"
    directories = []
    for capture in captures:
        directory = links / capture.name
        directory.mkdir(parents=True)
        kept = [name for name in output.done(capture.name) if (capture.path / name).exists()]
        for name in kept:
            (directory / name).symlink_to(capture.path / name)
        if (lock := capture.path / LOCK_NAME).exists():
            (directory / LOCK_NAME).symlink_to(lock)  # says whether the gatherer still runs
        if kept:
            directories.append(directory)
            if len(kept) < len(output.done(capture.name)):
                start = max(start, read_scan(output.scan_path(capture.name, min(kept))).first)
    try:
        if directories:
            coverage = coverage_of(directories, start=start or None, end=end, skip_damaged=skip_damaged)
            _write_intervals(connection, output, coverage, start > manifest.start)
    finally:
        shutil.rmtree(links)


def has_holes(connection: Any, output: Output) -> bool:
    """Whether the table `coverage` has a hole."""
    files = ", ".join(quoted(path) for path in output.files("coverage"))
    source = f"FROM read_parquet([{files}])" if files else f"FROM ({empty('coverage')})"
    (holes,) = connection.execute(f"SELECT count(*) {source} WHERE state = 'hole'").fetchone()
    return bool(holes)


def _write_intervals(connection: Any, output: Output, coverage: Coverage, is_rest: bool) -> None:
    """`is_rest`: what was said of the time before stays."""
    import numpy

    rows = [
        (feed.channel, feed.ticker, interval.state.value, interval.start, interval.end, interval.why, interval.gatherer)
        for feed in coverage.feeds
        for interval in feed.intervals
    ]
    columns: dict[str, Any] = {
        name: numpy.array([row[place] for row in rows], object if kind == "VARCHAR" else numpy.int64)
        for place, (name, kind) in enumerate(_INTERVALS.items())
    }
    connection.register("intervals", columns)
    for day in range(coverage.start // DAY, (coverage.end - 1) // DAY + 1):
        path, first, after = output.day_path("coverage", day), day * DAY, (day + 1) * DAY
        query = _between("intervals", first, after)
        if path.exists() and first < coverage.start and is_rest:
            earlier = f"read_parquet({quoted(path)}, hive_partitioning = false)"
            query += f" UNION ALL {_between(earlier, first, coverage.start)}"
        order = 'ORDER BY channel, market_ticker, "from"'
        write_parquet(connection, f"SELECT {column_list('coverage')} FROM ({query}) {order}", path)
    connection.unregister("intervals")


def _between(source: str, start: int, end: int) -> str:
    """A query for the intervals of a source, as far as they lie between two times."""
    clipped = f'* REPLACE (greatest("from", {start}) AS "from", least("to", {end}) AS "to")'
    return f'SELECT {clipped} FROM {source} WHERE "to" > {start} AND "from" < {end}'
