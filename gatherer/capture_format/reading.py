"""Read a capture back, for the tools, tests and benchmarks. The running service does not use it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from gatherer.capture_format.segment_file import OPEN_SUFFIX, SUFFIX
from gatherer.capture_format.zstd_frames import Frame, complete_frames, read_frame
from gatherer.errors import GathererError

DAMAGED_SUFFIX = ".damaged"
"""Of a file that holds what a repair has cut off the end of a segment."""


class CaptureDamaged(GathererError):
    """A segment holds bytes that differ from what was written. The text names file, place and cause."""

    def __init__(self, path: Path, offset: int, cause: str) -> None:
        super().__init__(f"{path}: the frame at byte {offset} is damaged: {cause}")
        self.path = path
        self.offset = offset
        self.cause = cause


def read_capture(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The records of a segment, or of all segments of a directory in order, the one being written included.

    A torn last frame is skipped: the writer was killed or is still at work. Raises `CaptureDamaged` for a complete
    frame whose content is wrong, OSError for a file that cannot be read.
    """
    decode = msgspec.json.Decoder().decode
    for line in read_lines(path):
        yield decode(line)


def read_lines(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """Like `read_capture`, but the undecoded lines without their line break."""
    for segment in segments_of(Path(path)):
        for block in read_blocks(segment):
            yield from block.split(b"\n")[:-1]


def read_blocks(segment: Path) -> Iterator[bytes]:
    """The complete frames of one segment, decompressed: whole lines, many at a time. Raises like `read_capture`."""
    with _opened(segment) as fd:
        for frame in complete_frames(fd):
            yield _content(fd, frame, segment)


def read_blocks_backwards(segment: Path) -> Iterator[bytes]:
    """The same from the last frame to the first, for a reader that needs only the end."""
    with _opened(segment) as fd:
        for frame in reversed(list(complete_frames(fd))):
            yield _content(fd, frame, segment)


def torn_bytes(segment: Path) -> int:
    """How many bytes follow the last complete frame: 0 unless the writer was killed or is still at work.

    What `gatherer check --repair` has cut off counts as well: it is missing from the segment all the same.
    """
    with _opened(segment) as fd:
        end = 0
        for frame in complete_frames(fd):
            end = frame.end
        return os.fstat(fd).st_size - end + cut_bytes(segment)


def cut_bytes(segment: Path) -> int:
    """How many bytes a repair has cut off the end of a segment."""
    cut = segment.with_name(segment.name + DAMAGED_SUFFIX)
    return cut.stat().st_size if cut.exists() else 0


def segments_of(path: Path) -> list[Path]:
    """The segment files of a directory, oldest first; the path itself when it is a file."""
    if not path.is_dir():
        return [path]
    return sorted(entry for entry in path.iterdir() if entry.name.endswith((SUFFIX, OPEN_SUFFIX)))


@contextmanager
def _opened(segment: Path) -> Iterator[int]:
    fd = os.open(segment, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _content(fd: int, frame: Frame, segment: Path) -> bytes:
    try:
        return read_frame(fd, frame)
    except zstandard.ZstdError as error:
        raise CaptureDamaged(segment, frame.offset, str(error)) from None
