"""A coverage as text for people and as JSON for programs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gatherer.coverage.answer import BOOKS, Coverage, FeedCoverage, Interval, State
from gatherer.text import counted

MAX_WORST = 20
"""Feeds with holes that the text names."""
MAX_FULL = 3
"""Feeds of which the text shows every interval."""
MAX_INTERVALS = 10
"""Holes of one feed that the text shows when there are many feeds."""
_WORDS = {State.COMPLETE: "complete", State.HOLE: "hole", State.NOT_CARRIED: "not carried"}


def utc(at: int) -> str:
    """Unix ns as ISO-8601 with all its digits."""
    seconds, ns = divmod(at, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ns:09d}Z"


def duration(ns: int) -> str:
    """Seconds, with days, hours and minutes before them when there are any."""
    seconds, rest = divmod(ns, 1_000_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d" * bool(days), f"{hours} h" * bool(hours), f"{minutes} min" * bool(minutes)]
    return " ".join([*filter(None, parts), f"{seconds}.{rest // 1000:06d} s"])


@dataclass(slots=True)
class Group:
    """The sum of several feeds. Lengths are in ns."""

    name: str
    feeds: int = 0
    with_holes: int = 0
    holes: int = 0
    complete: int = 0
    missing: int = 0
    not_carried: int = 0

    def add(self, feed: FeedCoverage) -> None:
        """Count one more feed."""
        holes = len(feed.holes)
        self.feeds += 1
        self.holes += holes
        self.with_holes += bool(holes)
        self.complete += feed.length(State.COMPLETE)
        self.missing += feed.length(State.HOLE)
        self.not_carried += feed.length(State.NOT_CARRIED)

    @property
    def share(self) -> float:
        """The part of the carried time that is complete, 0 to 1."""
        carried = self.complete + self.missing
        return self.complete / carried if carried else 0.0

    def row(self) -> tuple[str, ...]:
        """For the table."""
        share = f"{int(self.share * 1e6) / 1e4:.4f} %" if self.complete + self.missing else "-"
        return self.name, f"{self.feeds:,}", f"{self.with_holes:,}", f"{self.holes:,}", share, duration(self.missing)


_HEADS = ("series", "feeds", "with holes", "holes", "complete", "missing")


def as_text(coverage: Coverage) -> str:
    """A few feeds interval by interval; of many the sums of each series, worst first, and the worst feeds. The last
    line is the conclusion."""
    several = len({i.gatherer for feed in coverage.feeds for i in feed.intervals if i.gatherer}) > 1
    lines = [f"from {utc(coverage.start)} to {utc(coverage.end)}, {duration(coverage.end - coverage.start)}", ""]
    if len(coverage.feeds) <= MAX_FULL:
        for feed in coverage.feeds:
            lines += [f"{_name(feed)}:", *(_line(interval, several) for interval in feed.intervals), ""]
    else:
        lines += [*_table(_groups(coverage.feeds)), "", *_worst(coverage.feeds, several)]
    return "\n".join([*lines, conclusion(coverage)]) + "\n"


def conclusion(coverage: Coverage) -> str:
    """The last line."""
    total = Group("all")
    for feed in coverage.feeds:
        total.add(feed)
    if total.holes:
        holes, feeds = counted(total.holes, "hole"), counted(total.feeds, "feed")
        return f"INCOMPLETE: {holes} in {total.with_holes:,} of {feeds}, {duration(total.missing)} in all"
    if not total.complete:
        return "NOT CARRIED: nothing of this was captured in this time"
    if total.not_carried:
        return f"COMPLETE while it was carried: {counted(total.feeds, 'feed')} without a hole"
    return f"COMPLETE: {counted(total.feeds, 'feed')} without a hole"


def as_json(coverage: Coverage) -> dict[str, Any]:
    """JSON-ready. Times are Unix ns; `from` is inclusive, `to` exclusive."""
    return {"from": coverage.start, "to": coverage.end, "feeds": [_feed(feed) for feed in coverage.feeds]}


def _feed(feed: FeedCoverage) -> dict[str, Any]:
    intervals: list[dict[str, Any]] = []
    for interval in feed.intervals:
        last = intervals[-1] if intervals else None
        if last and (last["state"], last["gatherer"], last["why"]) == (
            interval.state.value, interval.gatherer, interval.why
        ):  # fmt: skip
            last["to"] = interval.end  # only the connection changed
            continue
        intervals.append({
            "state": interval.state.value, "from": interval.start, "to": interval.end,
            "why": interval.why, "gatherer": interval.gatherer,
        })  # fmt: skip
    return {"channel": feed.channel, "ticker": feed.ticker, "intervals": intervals}


def _groups(feeds: Iterable[FeedCoverage]) -> list[Group]:
    """Channels and series, worst first, and all together at the end."""
    groups: dict[str, Group] = {}
    total = Group("all")
    for feed in feeds:
        name = feed.channel if feed.channel != BOOKS else (feed.ticker or "").partition("-")[0]
        groups.setdefault(name, Group(name)).add(feed)
        total.add(feed)
    return [*sorted(groups.values(), key=lambda group: (group.share, -group.missing, group.name)), total]


def _table(groups: Sequence[Group]) -> list[str]:
    rows = [_HEADS, *(group.row() for group in groups)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    return [
        "  ".join(cell.ljust(width) if not column else cell.rjust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]


def _worst(feeds: Iterable[FeedCoverage], several: bool) -> list[str]:
    broken = sorted((feed for feed in feeds if feed.holes), key=lambda feed: -feed.length(State.HOLE))
    lines = []
    for feed in broken[:MAX_WORST]:
        holes = feed.holes
        lines.append(f"{_name(feed)}: {counted(len(holes), 'hole')}, {duration(feed.length(State.HOLE))}")
        lines += [_line(hole, several) for hole in holes[:MAX_INTERVALS]]
        if len(holes) > MAX_INTERVALS:
            lines.append(f"  and {len(holes) - MAX_INTERVALS:,} more")
    if len(broken) > MAX_WORST:
        lines.append(f"and {len(broken) - MAX_WORST:,} more")
    return [*lines, ""] if lines else []


def _name(feed: FeedCoverage) -> str:
    return feed.channel if feed.ticker is None else f"{feed.ticker} ({feed.channel})"


def _line(interval: Interval, several: bool) -> str:
    """`several`: name the gatherer."""
    times = f"{utc(interval.start)}  {utc(interval.end)}  {duration(interval.length):>14}"
    where = f"[{interval.gatherer}] " if several and interval.gatherer else ""
    return f"  {_WORDS[interval.state]:<11}  {times}  {where}{interval.why}".rstrip()
