"""The router's side in the writer thread: compress and write. Blocking; knows no reactor, logs nothing.

Only one thread at a time may be inside `SegmentWriter`. It returns what the reactor thread has to know.
"""

from dataclasses import dataclass
from pathlib import Path

import zstandard

from gatherer import __version__
from gatherer.capture_format import Disk, SegmentFile, create_segment, encode_segment_start
from gatherer.router.backlog import Backlog, Block

_BLOCKS_PER_DRAIN = 16
"""Under constant load a visit ends after this many blocks, so that rotation by age has its turn."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What one visit to the writer thread did."""

    finished: SegmentFile | None = None
    """A full segment. Call its `finish` in another thread: the fsync may take seconds."""
    error: OSError | None = None
    """Why the writer stopped. The block it was about to write is kept and comes first next time."""


class SegmentWriter:
    """Turns the backlog into zstd frames, each independent of the others, in segments of about `segment_bytes`."""

    def __init__(
        self,
        directory: Path,
        backlog: Backlog,
        segment_bytes: int,
        level: int,
        disk: Disk,
    ) -> None:
        self.bytes_written = 0
        """Compressed bytes handed to the operating system."""
        self.segments = 0
        """Segments begun."""
        self.busy = False
        """Set by the caller before a visit; unset here, in the writer thread, when a visit ends well."""
        self._directory = directory
        self._backlog = backlog
        self._segment_bytes = segment_bytes
        self._compressor = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True)
        self._disk = disk
        self._file: SegmentFile | None = None
        self._block: Block | None = None
        self._named_at = 0
        self._run = ""

    @property
    def current(self) -> str | None:
        """Name of the segment being written, None between segments."""
        return self._file.name if self._file else None

    @property
    def holds_block(self) -> bool:
        """Whether a block was taken that is not written yet."""
        return self._block is not None

    def drain(self, at_least: int, rotate: bool = False) -> Drained:
        """Write what waits, and go on while `at_least` messages have gathered meanwhile; then rotate if asked.

        After an error `busy` stays set: the reactor thread must know the error before it sends the writer again.
        """
        try:
            for _ in range(_BLOCKS_PER_DRAIN):
                self._block = self._block or self._backlog.take()
                if self._block is None:
                    break
                segment = self._write_block(self._block)
                if rotate := rotate or segment.size >= self._segment_bytes:
                    break
                if self._backlog.waiting < at_least:
                    break
        except OSError as error:
            return Drained(error=error)
        finished = self._detach() if rotate else None
        self.busy = False
        return Drained(finished)

    def abandon(self) -> SegmentFile | None:
        """Give up the block that cannot be written, if any. Returns the open segment, for `finish`."""
        self._block = None
        return self._detach()

    def _write_block(self, block: Block) -> SegmentFile:
        segment = self._file
        if segment is None:
            # Clocks step back and markers look back; names must sort in the order the segments were written.
            self._named_at = max(self._named_at, block.first_at)
            segment = self._file = create_segment(self._directory, self._named_at, self.segments + 1, self._disk)
            self.segments += 1
            self._run = self._run or segment.name
        lines = block.lines
        if not segment.size:
            lines = [encode_segment_start(block.first_at, self._facts(segment.name)), *lines]
        frame = self._compressor.compress(b"".join(lines))
        segment.append(frame)
        self.bytes_written += len(frame)
        self._block = None
        self._backlog.mark_written(block)
        return segment

    def _facts(self, name: str) -> dict[str, str | int]:
        """`number` counts the segments of a run, and `run` is the name of its first segment. So a reader sees a restart
        of the gatherer and a missing segment."""
        return {"gatherer": __version__, "segment": name, "run": self._run, "number": self.segments}

    def _detach(self) -> SegmentFile | None:
        segment, self._file = self._file, None
        return segment
