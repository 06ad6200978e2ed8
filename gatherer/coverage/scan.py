"""The few lines of a segment that can matter to one market, found on bytes: nearly all lines are never decoded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gatherer.capture_format.reading import read_blocks, read_blocks_backwards, torn_bytes
from gatherer.capture_format.segment_file import OPEN_SUFFIX
from gatherer.errors import GathererError

MARKER = b',"marker":"'
MARKETS = b',"marker":"markets_'
SNAPSHOT = b'"orderbook_snapshot"'
DELTA = b'"orderbook_delta"'
MESSAGE = b',"seq_gap":'
"""Only the head of a message has it; inside of its data a quotation mark would be escaped or a key of ours unknown."""


class NotACapture(GathererError):
    """What was named is no capture, or not one this version can read; the text says what and why."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """One record (see `docs/capture.md`)."""

    received_at: int
    conn_id: int
    marker: str = ""
    facts: msgspec.Raw = msgspec.Raw(b"{}")
    data: msgspec.Raw = msgspec.Raw(b"null")


decode_line: Callable[[bytes], Line] = msgspec.json.Decoder(Line).decode


class Start(msgspec.Struct, frozen=True):
    """Facts of `segment_start`."""

    run: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class SegmentScan:
    """What is left of a segment."""

    path: Path
    first_at: int
    start: Start
    lines: list[bytes]
    """Markers (those of other markets left out), the market's snapshots and the first of its deltas, in order."""
    torn: int
    """Bytes at its end that are no complete frame."""


def digest(path: Path, ticker: str) -> SegmentScan | None:
    """Read a segment. None for one without a complete frame: just begun, or its writer died at once.

    Raises `NotACapture`, `CaptureDamaged` and OSError.
    """
    lines: list[bytes] = []
    first: bytes | None = None
    needle = b'"' + ticker.encode() + b'"'
    delta_seen = False
    for block in read_blocks(path):
        first = first if first is not None else block[: block.find(b"\n")]
        for line in _candidates(block, needle):
            if MARKER in line[:80]:
                lines.append(line)
            elif SNAPSHOT in line or (DELTA in line and not delta_seen):
                delta_seen = True
                lines.append(line)
    torn = torn_bytes(path)
    if first is None:
        if torn and not path.name.endswith(OPEN_SUFFIX):
            raise NotACapture(f"{path}: no zstd frame at its start: this is no segment of a capture")
        return None
    head = _head(path, first)
    return SegmentScan(path, head.received_at, msgspec.json.decode(head.facts, type=Start), lines, torn)


def first_record(path: Path) -> Start | None:
    """How the segment begins; None when it has no complete frame."""
    for block in read_blocks(path):
        return msgspec.json.decode(_head(path, block[: block.find(b"\n")]).facts, type=Start)
    return None


def last_message(path: Path, conn_id: int | None, not_before: int = 0) -> int:
    """When the last message (of a connection) in a segment was read, Unix ns; 0 for none.

    The search ends at a block whose last message is older than `not_before`.
    """
    needle = MESSAGE if conn_id is None else b',"conn_id":%d%b' % (conn_id, MESSAGE)
    for block in read_blocks_backwards(path):
        found = _last_head(block, needle)
        if found or (not_before and 0 < _last_head(block, MESSAGE) < not_before):
            return found
    return 0


def last_record(path: Path) -> int:
    """When the last record of a segment was made, Unix ns; 0 for none."""
    return next((_at(block, block.rfind(b"\n", 0, -1) + 1) for block in read_blocks_backwards(path)), 0)


def _last_head(block: bytes, needle: bytes) -> int:
    hit = block.rfind(needle)
    if hit < 0:
        return 0
    return _at(block, block.rfind(b"\n", 0, hit) + 1)


def _at(block: bytes, start: int) -> int:
    """The time at the head of the line that starts there."""
    return int(block[start : block.find(b",", start)].removeprefix(b'{"received_at":'))


def _head(path: Path, line: bytes) -> Line:
    try:
        head = decode_line(line)
    except msgspec.DecodeError:
        head = None
    if head is None or head.marker != "segment_start":
        raise NotACapture(f"{path}: does not begin with a segment_start record: this is no segment of a capture")
    return head


def _candidates(block: bytes, needle: bytes) -> list[bytes]:
    """The lines that are markers or name the market, in order."""
    starts: dict[int, int] = {}
    _collect(block, needle, starts)
    named = set(starts)
    _collect(block, MARKER, starts)
    found = []
    for start in sorted(starts):
        line = block[start : starts[start]]
        if start in named or MARKETS not in line[:80]:
            found.append(line)
    return found


def _collect(block: bytes, needle: bytes, starts: dict[int, int]) -> None:
    """Note where each line with the needle starts and ends."""
    find, hit = block.find, block.find(needle)
    while hit >= 0:
        end = find(b"\n", hit)
        starts[block.rfind(b"\n", 0, hit) + 1] = end
        hit = find(needle, end)
