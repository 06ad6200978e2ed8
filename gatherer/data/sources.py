"""Which captures there are, what they are called, and their finished segments."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatherer.capture_format.reading import cut_bytes, torn_bytes
from gatherer.capture_format.segment_file import OPEN_SUFFIX, SUFFIX
from gatherer.data.engine import DataError


@dataclass(frozen=True, slots=True)
class Capture:
    """One gatherer's directory; perhaps only some segments of it."""

    path: Path
    """Absolute, without links."""
    name: str
    chosen: frozenset[str] = frozenset()
    """Segments that were named one by one; empty for all."""

    def finished(self) -> list[Path]:
        """Its finished segments in the order of writing."""
        return [path for path in self._files() if path.name.endswith(SUFFIX)]

    def open(self) -> list[Path]:
        """Segments that are being written, or were left by a gatherer that was killed."""
        return [path for path in self._files() if path.name.endswith(OPEN_SUFFIX)]

    def _files(self) -> list[Path]:
        found = [entry for entry in self.path.iterdir() if entry.name.endswith((SUFFIX, OPEN_SUFFIX))]
        return sorted(entry for entry in found if not self.chosen or entry.name in self.chosen)


def captures(paths: Sequence[Path | str], known: Mapping[str, str] | None = None) -> list[Capture]:
    """The captures behind paths, each directory once, in the order given.

    `known` has the names that earlier runs gave, by path; they stay. Raises `DataError` for a path without segments.
    """
    chosen: dict[Path, set[str]] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise DataError(f"{path}: no such file or directory")
        directory = Path(os.path.realpath(path if path.is_dir() else path.parent))
        names = chosen.setdefault(directory, set())
        if not path.is_dir():
            names.add(path.name)
    called = _names(list(chosen), known or {})
    found = [Capture(path, called[path], frozenset(some)) for path, some in chosen.items()]
    for capture in found:
        if not capture.finished() and not capture.open():
            raise DataError(f"{capture.path}: no segments (*{SUFFIX}) in this directory")
    return found


def _names(paths: Sequence[Path], known: Mapping[str, str]) -> dict[Path, str]:
    """The last name of each; for two of one name, the shortest tails that differ."""
    names = {path: known[str(path)] for path in paths if str(path) in known}
    taken = set(known.values())
    new = [path for path in paths if path not in names]
    for path in new:
        others = [other for other in new if other != path]
        for length in range(1, len(path.parts) + 1):
            tail = _tail(path, length)
            if tail not in taken and all(_tail(other, length) != tail for other in others):
                break
        names[path] = tail
    return names


def _tail(path: Path, length: int) -> str:
    return "/".join(part for part in path.parts[-length:] if part != "/") or "capture"


def file_stem(gatherer: str, segment: str) -> str:
    """The first part of the names of the files that hold the rows of a segment."""
    return f"{gatherer.replace('/', '+')}-{segment.removesuffix(SUFFIX)}"


def damage(segment: Path) -> str:
    """Why a finished segment cannot be whole, as far as the headers of its frames tell; "" if they tell nothing."""
    try:
        torn = torn_bytes(segment) - cut_bytes(segment)
        return f"the last {torn} bytes are not a whole frame" if torn else ""
    except OSError as error:
        return str(error.strerror)
