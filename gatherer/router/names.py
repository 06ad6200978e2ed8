"""Names of segment files: they sort by time, are unique, and tell an open segment from a finished one."""

from datetime import UTC, datetime, timedelta

SUFFIX = ".jsonl.zst"
OPEN_SUFFIX = SUFFIX + ".open"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_NAMEABLE = 253_402_300_799_000_000_000
"""The end of the year 9999, in ns."""


def segment_name(first_at: int, number: int) -> str:
    """Name of the finished segment whose first record is of `first_at` (Unix ns); `number` tells equals apart."""
    at = _EPOCH + timedelta(microseconds=min(max(first_at, 0), _LAST_NAMEABLE) // 1000)
    return f"{at:%Y%m%dT%H%M%S.%f}Z-{number:06d}{SUFFIX}"


def segment_time(name: str) -> int | None:
    """Unix ns of the first record, from the name of a segment, open or finished; None for another name."""
    try:
        at = datetime.strptime(name[:23], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000
