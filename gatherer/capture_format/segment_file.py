"""One segment on disk: its name, and the file while it is written. Blocking; runs in the threads of the router."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import zstandard

from gatherer.capture_format.zstd_frames import complete_frames, read_frame

SUFFIX = ".jsonl.zst"
OPEN_SUFFIX = SUFFIX + ".open"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_NAMEABLE = 253_402_300_799_000_000_000
"""The end of the year 9999, in ns."""


def segment_name(first_at: int, number: int) -> str:
    """Name of the finished segment whose first record is of `first_at` (Unix ns); `number` keeps equal times apart."""
    at = _EPOCH + timedelta(microseconds=min(max(first_at, 0), _LAST_NAMEABLE) // 1000)
    return f"{at:%Y%m%dT%H%M%S.%f}Z-{number:06d}{SUFFIX}"


def segment_time(name: str) -> int | None:
    """Unix ns of the first record, from the name of a segment, open or finished; None for another name."""
    try:
        at = datetime.strptime(name[:23], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


class Disk:
    """The calls to the operating system that a bad disk refuses. Tests have one that does."""

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """`os.write`."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """`os.fsync`."""
        os.fsync(fd)


@dataclass(frozen=True, slots=True)
class SyncFailure:
    """An fsync failed. The operating system may have thrown away what it could not write, and a retry that succeeds
    says nothing about it (https://lwn.net/Articles/752063/). So the segment was read back."""

    segment: str
    error: str
    size: int
    """Bytes that were written."""
    sound_size: int
    """Bytes from the start that could be read back and are right."""
    since: int
    """Unix ns of the last record among them; 0 for none. Later records of the segment may be lost."""


class SegmentFile:
    """An open segment of whole frames. Torn bytes are cut off before anything else is written."""

    def __init__(self, directory: Path, name: str, disk: Disk) -> None:
        """Create the file. FileExistsError when the name is taken, OSError when the directory refuses."""
        self.name = name
        """Its final name."""
        self.size = 0
        """Bytes of complete frames."""
        self.sync_failure: SyncFailure | None = None
        """What was found after the first fsync that failed."""
        self._directory = directory
        self._open_path = directory / (name.removesuffix(SUFFIX) + OPEN_SUFFIX)
        self._disk = disk
        self._torn = False
        if (directory / name).exists():
            raise FileExistsError(name)
        self._fd = os.open(self._open_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)

    def append(self, frame: bytes) -> None:
        """Write a whole frame. After an OSError none of it counts, and its bytes are cut off later."""
        self._cut()
        self._torn = True
        rest = memoryview(frame)
        try:
            while rest:
                rest = rest[self._disk.write(self._fd, rest) :]
        except OSError:
            self._cut()
            raise
        self._torn = False
        self.size += len(frame)

    def finish(self) -> None:
        """Make it durable under its final name, or remove it when it is empty. After an OSError call it again."""
        if self._fd >= 0:
            self._cut()
            try:
                self._disk.sync(self._fd)
            except OSError as error:
                self.sync_failure = self.sync_failure or self._read_back(error)
                raise
            fd, self._fd = self._fd, -1
            os.close(fd)
        if self._open_path.exists():
            give_final_name(self._open_path, self._directory / self.name, self.size)

    def _read_back(self, error: OSError) -> SyncFailure:
        """Find out what is on disk."""
        sound, last = 0, b""
        try:
            fd = os.open(self._open_path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # else the page cache answers, not the disk
                for frame in complete_frames(fd):
                    last = read_frame(fd, frame) or last
                    sound = frame.end
            finally:
                os.close(fd)
        except (OSError, zstandard.ZstdError):
            pass  # here ends what can be read
        return SyncFailure(self.name, error.strerror or str(error), self.size, sound, _last_time(last))

    def _cut(self) -> None:
        if self._torn:
            os.ftruncate(self._fd, self.size)
            self._torn = False


def create_segment(directory: Path, first_at: int, number: int, disk: Disk) -> SegmentFile:
    """A new segment under the first free name from `number` on."""
    while True:
        try:
            return SegmentFile(directory, segment_name(first_at, number), disk)
        except FileExistsError:
            number += 1


def give_final_name(open_path: Path, final_path: Path, size: int) -> None:
    """Rename a closed file, or remove it when it is empty, and make that survive a power failure."""
    if size:
        os.rename(open_path, final_path)
    else:
        os.unlink(open_path)
    sync_directory(final_path.parent)


def sync_directory(directory: Path) -> None:
    """Make renames in a directory durable; fsync of the file alone does not."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _last_time(lines: bytes) -> int:
    """`received_at` of the last of some lines of a capture; 0 for none."""
    line = lines[lines.rfind(b"\n", 0, -1) + 1 :]
    return int(line[: line.find(b",")].removeprefix(b'{"received_at":')) if line else 0
