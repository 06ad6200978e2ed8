"""A verdict as text for people and as JSON for programs."""

from datetime import UTC, datetime
from typing import Any

from gatherer.coverage.judge import Verdict
from gatherer.coverage.timeline import Cause, Interval, Standing

MAX_CAUSES = 4
"""Causes told of one hole; a disk that is too slow for an hour has thousands."""


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


def as_text(verdict: Verdict) -> str:
    """One line per interval, notes, and the verdict in the last line."""
    lines = [f"{verdict.ticker}: order book from {utc(verdict.start)} to {utc(verdict.end)}"]
    lines += [_line(interval) for interval in verdict.intervals]
    if verdict.is_growing:
        lines.append("note: the capture ends without the gatherer having been stopped: it still runs, or was killed")
    return "\n".join([*lines, conclusion(verdict)]) + "\n"


def conclusion(verdict: Verdict) -> str:
    """The verdict line."""
    complete, absent = verdict.length(Standing.COMPLETE), verdict.length(Standing.ABSENT)
    if verdict.holes:
        length = duration(verdict.length(Standing.HOLE))
        count = len(verdict.holes)
        return f"INCOMPLETE: {count} hole{'s' * (count > 1)}, {length} in all; complete for {duration(complete)}"
    if not verdict.is_complete:
        return "NOT CARRIED: no order book of this market was captured in this time"
    if absent:
        return f"COMPLETE while it was carried: {duration(complete)}; not carried for {duration(absent)}"
    return f"COMPLETE: {duration(complete)} without a hole"


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The same, JSON-ready. Times are Unix ns, and as text beside them."""
    return {
        "ticker": verdict.ticker, "from": verdict.start, "to": verdict.end,
        "from_utc": utc(verdict.start), "to_utc": utc(verdict.end),
        "complete": verdict.is_complete, "verdict": conclusion(verdict).split(":")[0].split(" while")[0].lower(),
        "holes": len(verdict.holes), "growing": verdict.is_growing, "segments_read": verdict.segments,
        "seconds": {standing.value: verdict.length(standing) / 1e9 for standing in Standing},
        "intervals": [_interval(interval) for interval in verdict.intervals],
    }  # fmt: skip


def _interval(interval: Interval) -> dict[str, Any]:
    return {
        "standing": interval.standing.value, "from": interval.start, "to": interval.end,
        "from_utc": utc(interval.start), "to_utc": utc(interval.end),
        "causes": [{"at": cause.at, "kind": cause.kind, "text": cause.text} for cause in _causes(interval)],
    }  # fmt: skip


def _causes(interval: Interval) -> tuple[Cause, ...]:
    return () if interval.standing is Standing.COMPLETE else interval.causes


def _line(interval: Interval) -> str:
    causes = [cause.text for cause in _causes(interval)[:MAX_CAUSES]]
    more = len(_causes(interval)) - len(causes)
    text = "; then ".join([*causes, f"{more} more"] if more > 0 else causes)
    head = f"{interval.standing.value:<11}  {utc(interval.start)}  {utc(interval.end)}  {duration(interval.length):>12}"
    return f"{head}  {text}".rstrip()
