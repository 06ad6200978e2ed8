"""Is what is on disk what was written? Every byte, every line, the numbers of the segments, and the clock.

`repair` cuts what follows the last good frame into a file of its own and deletes nothing.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import zstandard

from gatherer.capture_format.reading import DAMAGED_SUFFIX, segments_of
from gatherer.capture_format.segment_file import OPEN_SUFFIX, sync_directory
from gatherer.capture_format.zstd_frames import complete_frames, read_frame

STEP_BACK_NS = 1_000_000_000
"""A marker has the time at which it was made and a message that of its read; a larger step back is one of the clock."""


class _Line(msgspec.Struct):
    received_at: int
    conn_id: int
    marker: str = ""
    facts: msgspec.Raw = msgspec.Raw(b"{}")
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Start(msgspec.Struct):
    run: str
    number: int


_decode = msgspec.json.Decoder(_Line).decode


@dataclass(slots=True)
class Finding:
    """What is to be said of one segment."""

    segment: Path
    lines: int = 0
    """Good ones."""
    good_bytes: int = 0
    """Where the good part ends."""
    torn_bytes: int = 0
    """Bytes of the file behind it."""
    damage: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is no damage of this segment, and yet worth knowing."""
    start: tuple[str, int] | None = None
    """Run, and number within it."""
    first_at: int = 0
    last_at: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is being written, or was left by a gatherer that was killed."""
        return self.segment.name.endswith(OPEN_SUFFIX)


def check(capture: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Iterator[Finding]:
    """Read every segment of a capture, and say of each what was found. OSError for what cannot be read."""
    segments = segments_of(capture)
    before: Finding | None = None
    for number, segment in enumerate(segments):
        finding = _check(segment)
        if before is not None:
            _compare(before, finding)
        yield finding
        before = finding
        progress(number + 1, len(segments))


def repair(finding: Finding) -> Path | None:
    """Cut what follows the good part of a finished segment into `<segment>.damaged`; the path, None if nothing did.

    The tools count such a file as a loss at the end of its segment. A segment without a good part moves as a whole.
    """
    if finding.is_open or not finding.torn_bytes:
        return None
    segment = finding.segment
    rest = _free_name(segment)
    if not finding.good_bytes:
        segment.rename(rest)
        sync_directory(segment.parent)
        return rest
    with segment.open("r+b") as file:
        file.seek(finding.good_bytes)
        with rest.open("xb") as other:
            while piece := file.read(1 << 20):
                other.write(piece)
            other.flush()
            os.fsync(other.fileno())
        file.truncate(finding.good_bytes)
        os.fsync(file.fileno())
    sync_directory(segment.parent)
    return rest


def _check(segment: Path) -> Finding:
    finding = Finding(segment)
    fd = os.open(segment, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        for frame in complete_frames(fd):
            try:
                block = read_frame(fd, frame)
            except zstandard.ZstdError as error:
                finding.damage.append(f"the frame at byte {frame.offset} is damaged: {error}")
                break
            if not _lines(finding, block, frame.offset):
                break
            finding.good_bytes = frame.end
        finding.torn_bytes = size - finding.good_bytes
    finally:
        os.close(fd)
    if finding.torn_bytes and not finding.damage and not finding.is_open:
        finding.damage.append(f"the last {finding.torn_bytes} bytes are not a whole frame")
    if not size and not finding.is_open:
        finding.damage.append("is empty")
    return finding


def _lines(finding: Finding, block: bytes, offset: int) -> bool:
    """Look at the lines of a frame; False at the first that is not a record."""
    *lines, rest = block.split(b"\n")
    for line in lines:
        try:
            record = _decode(line)
            if not finding.lines:
                _first_line(finding, record)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            finding.damage.append(f"line {finding.lines + 1} (frame at byte {offset}) is not a record: {error}")
            return False
        if record.received_at < finding.last_at - STEP_BACK_NS:
            back = (finding.last_at - record.received_at) / 1e9
            finding.notes.append(f"the clock goes back by {back:.3f} s at line {finding.lines + 1}")
        finding.first_at = finding.first_at or record.received_at
        finding.last_at = record.received_at
        finding.lines += 1
    if rest:
        finding.damage.append(f"the frame at byte {offset} ends within line {finding.lines + 1}")
    return not rest


def _first_line(finding: Finding, record: _Line) -> None:
    if record.marker != "segment_start":
        raise msgspec.DecodeError("a segment begins with a segment_start record")
    start = msgspec.json.decode(record.facts, type=_Start)
    finding.start = start.run, start.number


def _compare(before: Finding, now: Finding) -> None:
    """What two segments in a row say of each other."""
    if before.start is None or now.start is None:
        return
    (run, number), (next_run, next_number) = before.start, now.start
    expected = number + 1 if run == next_run else 1
    if next_number != expected:
        first = f"{next_number - expected} segments before it are" if next_number - expected > 1 else "one before it is"
        now.damage.append(f"is number {next_number} of its run, but number {expected} was expected: {first} missing")
    if now.first_at < before.last_at - STEP_BACK_NS:
        back = (before.last_at - now.first_at) / 1e9
        now.notes.append(f"the clock goes back by {back:.3f} s at line 1")


def _free_name(segment: Path) -> Path:
    rest, number = segment.with_name(segment.name + DAMAGED_SUFFIX), 1
    while rest.exists():
        rest, number = segment.with_name(f"{segment.name}.{number}{DAMAGED_SUFFIX}"), number + 1
    return rest
