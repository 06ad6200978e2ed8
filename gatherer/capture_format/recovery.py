"""Segments that an earlier run left open: torn frames are cut off, whole frames stay. Blocking; runs at start."""

import os
from dataclasses import dataclass
from pathlib import Path

import zstandard

from gatherer.capture_format.segment_file import OPEN_SUFFIX, SUFFIX, give_final_name
from gatherer.capture_format.zstd_frames import Frame, complete_frames, read_frame


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was done with one open segment."""

    name: str
    """Its final name; "" when no frame was whole and the file was removed."""
    kept: int
    """Bytes of whole frames."""
    cut: int
    """Bytes after them that were cut off."""


def recover_all(directory: Path) -> list[Recovered]:
    """Recover every `*.jsonl.zst.open`, oldest first. The caller holds the directory's lock. OSError passes through."""
    return [recover(path) for path in sorted(directory.glob("*" + OPEN_SUFFIX))]


def recover(path: Path) -> Recovered:
    """Cut one file at its last whole frame and give it its final name, or remove it when no frame is whole."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        length = os.fstat(fd).st_size
        kept = _sound_length(fd)
        if kept < length:
            os.ftruncate(fd, kept)
        os.fsync(fd)
    finally:
        os.close(fd)
    final = _free_name(path)
    give_final_name(path, final, kept)
    return Recovered(final.name if kept else "", kept, length - kept)


def _sound_length(fd: int) -> int:
    """Where the last sound frame ends.

    After a kill the headers are enough to know. After a power failure the last pages may be zeros inside a frame that
    looks whole, so frames are checked from the end until one is sound.
    """
    frames = list(complete_frames(fd))
    while frames and not _is_sound(fd, frames[-1]):
        frames.pop()
    return frames[-1].end if frames else 0


def _is_sound(fd: int, frame: Frame) -> bool:
    try:
        read_frame(fd, frame)
    except zstandard.ZstdError:
        return False
    return True


def _free_name(path: Path) -> Path:
    stem = path.name.removesuffix(OPEN_SUFFIX)
    final = path.with_name(stem + SUFFIX)
    number = 1
    while final.exists():
        final = path.with_name(f"{stem}-{number}{SUFFIX}")
        number += 1
    return final
