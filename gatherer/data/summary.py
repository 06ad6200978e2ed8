"""The two tables that are made of all segments at once: `markets` and `coverage`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gatherer.coverage import Interval
from gatherer.coverage.joining import join
from gatherer.data.engine import one_line_errors, quoted, sql, write_parquet
from gatherer.data.judged import JudgedCapture
from gatherer.data.output import Output
from gatherer.data.schema import column_list, empty

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


def write_coverage(connection: Any, output: Output, judged: Mapping[str, JudgedCapture]) -> None:
    """Write what the published segments say of every feed, under the days that the intervals are of."""
    import numpy

    rows = [
        (channel, ticker, interval.state.value, interval.start, interval.end, interval.why, interval.gatherer)
        for channel, ticker in sorted({feed for one in judged.values() for feed in one.feeds()}, key=str)
        for interval in _intervals(output, judged, channel, ticker)
    ]
    if not rows:
        return
    columns: dict[str, Any] = {
        name: numpy.array([row[place] for row in rows], object if kind == "VARCHAR" else numpy.int64)
        for place, (name, kind) in enumerate(_INTERVALS.items())
    }
    connection.register("intervals", columns)
    for day in range(int(columns["from"].min()) // DAY, int(columns["to"].max() - 1) // DAY + 1):
        first, after = day * DAY, (day + 1) * DAY
        clipped = f'* REPLACE (greatest("from", {first}) AS "from", least("to", {after}) AS "to")'
        query = f'SELECT {clipped} FROM intervals WHERE "to" > {first} AND "from" < {after}'
        order = 'ORDER BY channel, market_ticker, "from"'
        write_parquet(
            connection, f"SELECT {column_list('coverage')} FROM ({query}) {order}", output.day_path("coverage", day)
        )
    connection.unregister("intervals")


def _intervals(
    output: Output, judged: Mapping[str, JudgedCapture], channel: str, ticker: str | None
) -> Sequence[Interval]:
    """The answer about one feed, from the beginning of the captures to the time until which one of them is sure."""
    said = (one.voices(name, channel, ticker) for name, one in judged.items())
    voices = [voice for voice in said if voice is not None]
    start = max(output.manifest.start, min((one.first for one in judged.values()), default=0))
    end = min(output.manifest.end, max((voice.end for voice in voices), default=0))
    return join(voices, start, end) if start < end else ()


def has_holes(connection: Any, output: Output) -> bool:
    """Whether the table `coverage` has a hole."""
    files = ", ".join(quoted(path) for path in output.files("coverage"))
    source = f"FROM read_parquet([{files}])" if files else f"FROM ({empty('coverage')})"
    (holes,) = connection.execute(f"SELECT count(*) {source} WHERE state = 'hole'").fetchone()
    return bool(holes)
