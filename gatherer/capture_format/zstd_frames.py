"""Where zstd frames begin and end in a file, found from their headers alone (RFC 8878, section 3.1).

Only `read_frame` decompresses; the walk over a file of gigabytes takes milliseconds.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import zstandard

_FRAME_MAGIC = 0xFD2FB528
_SKIPPABLE_MAGICS = range(0x184D2A50, 0x184D2A60)
_MAX_HEADER = 18
_DICTIONARY_ID_BYTES = (0, 1, 2, 4)
_CONTENT_SIZE_BYTES = (0, 2, 4, 8)
_RLE, _RESERVED = 1, 3


@dataclass(frozen=True, slots=True)
class Frame:
    """A complete frame: all its bytes are in the file. Only its checksum says whether they are the right ones."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        """Offset of the first byte after it."""
        return self.offset + self.size


def complete_frames(fd: int, offset: int = 0) -> Iterator[Frame]:
    """The frames from `offset`, where one begins, up to the first that is torn or is not a frame at all."""
    length = os.fstat(fd).st_size
    while offset < length:
        end = _frame_end(fd, offset)
        if end is None or end > length:
            return
        yield Frame(offset, end - offset)
        offset = end


def read_frame(fd: int, frame: Frame) -> bytes:
    """Its content. Raises `zstandard.ZstdError` when the bytes or the checksum are wrong."""
    packed = os.pread(fd, frame.size, frame.offset)
    if int.from_bytes(packed[:4], "little") in _SKIPPABLE_MAGICS:
        return b""
    return zstandard.ZstdDecompressor().decompressobj().decompress(packed)


def _frame_end(fd: int, offset: int) -> int | None:
    """Where the frame that starts at `offset` should end; None when its headers are torn or not those of a frame."""
    header = os.pread(fd, _MAX_HEADER, offset)
    magic = int.from_bytes(header[:4], "little")
    if len(header) >= 8 and magic in _SKIPPABLE_MAGICS:
        return offset + 8 + int.from_bytes(header[4:8], "little")
    if len(header) < 5 or magic != _FRAME_MAGIC:
        return None
    descriptor = header[4]
    single_segment = descriptor >> 5 & 1
    content_size = _CONTENT_SIZE_BYTES[descriptor >> 6] or single_segment
    first_block = offset + 5 + (1 - single_segment) + _DICTIONARY_ID_BYTES[descriptor & 3] + content_size
    end = _blocks_end(fd, first_block)
    return None if end is None else end + 4 * (descriptor >> 2 & 1)


def _blocks_end(fd: int, offset: int) -> int | None:
    while True:
        header = int.from_bytes(block := os.pread(fd, 3, offset), "little")
        kind = header >> 1 & 3
        if len(block) < 3 or kind == _RESERVED:
            return None
        offset += 3 + (1 if kind == _RLE else header >> 3)
        if header & 1:
            return offset
