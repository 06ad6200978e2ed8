"""The directory that tables are written to: what is done, and files that appear whole or not at all.

`_gatherer/` in it is ours: what each segment said about books, the books after it, and the keys by which messages of
several connections are recognised. Readers of Parquet pass over names that begin with `_`.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gatherer.data.engine import DataError, quoted, write_parquet
from gatherer.data.sources import file_stem
from gatherer.data.stage import Scan

FORMAT = 1
"""Of the directory; another one is not touched."""
OURS = "_gatherer"


class Done(msgspec.Struct):
    """A segment whose rows are published."""

    pieces: str = ""
    """Fingerprint of what its book tables were made by."""


class Manifest(msgspec.Struct):
    """What the directory holds. It is written last, so what it names is there."""

    format: int = FORMAT
    start: int = 0
    end: int = 2**63 - 1
    captures: dict[str, str] = {}
    """Path to name."""
    done: dict[str, dict[str, Done]] = {}
    """By gatherer and segment."""
    unsummarised: list[tuple[str, str]] = []
    """Gatherer and name of segments that the tables made of all segments do not know yet."""


class Output:
    """One process at a time, between `open` and `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = Manifest()
        self._ours = path / OURS
        self._lock = -1

    def open(self, start: int, end: int) -> None:
        """Take possession. Raises `DataError` for a directory that holds something else, or another period."""
        if self.path.exists() and not self.path.is_dir():
            raise DataError(f"{self.path}: is not a directory")
        if self.path.exists() and not self._ours.is_dir() and any(self.path.iterdir()):
            raise DataError(f"{self.path}: holds something else; give --out a directory of its own")
        self._ours.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        manifest = self._ours / "manifest.json"
        if manifest.exists():
            self.manifest = read_manifest(self.path)
        else:
            self.manifest.start, self.manifest.end = start, end
        if (self.manifest.start, self.manifest.end) != (start, end):
            self.close()
            raise DataError(f"{self.path}: was made with another --from or --to; give the same, or another --out")
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()

    def close(self) -> None:
        """Let the next one in. Idempotent."""
        if self._lock >= 0:
            shutil.rmtree(self.work, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1

    @property
    def work(self) -> Path:
        """For files that are not published yet. Emptied at `open`."""
        return self._ours / "work"

    def save(self) -> None:
        """Write the manifest: whole or not at all, and it survives a power failure."""
        half = self._ours / "manifest.json.part"
        with half.open("wb") as file:
            file.write(msgspec.json.encode(self.manifest))
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, self._ours / "manifest.json")

    def done(self, gatherer: str) -> dict[str, Done]:
        """The published segments of a gatherer, by name."""
        return self.manifest.done.setdefault(gatherer, {})

    # -- what we keep for ourselves ------------------------------------------------------------

    def scan_path(self, gatherer: str, segment: str) -> Path:
        """What a segment said about books."""
        return self._made("scans", file_stem(gatherer, segment) + ".msgpack")

    def state_path(self, gatherer: str, segment: str) -> Path:
        """The books after a segment."""
        return self._made("states", file_stem(gatherer, segment) + ".parquet")

    def keys_path(self, table: str, bucket: int, gatherer: str, segment: str) -> Path:
        """The messages of one hour that a segment holds."""
        return self._made(f"keys/{table}/{bucket}", file_stem(gatherer, segment) + ".parquet")

    def keys_of(self, table: str, buckets: list[int]) -> list[Path]:
        """All that is known of the messages of some hours."""
        return [path for bucket in buckets for path in (self._ours / f"keys/{table}/{bucket}").glob("*.parquet")]

    def _made(self, folder: str, name: str) -> Path:
        path = self._ours / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    # -- what readers see ----------------------------------------------------------------------

    def publish(self, connection: Any, table: str, made: Path, gatherer: str, segment: str) -> None:
        """Put the rows of a segment in place, a file for each day. Days that have none any more lose their file."""
        name = file_stem(gatherer, segment) + ".parquet"
        days = _days(connection, made)
        for day in days:
            target = self.path / table / f"date={day}" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if len(days) == 1:
                os.replace(made, target)
            else:
                _split(connection, made, day, target)
        for old in (self.path / table).glob(f"date=*/{name}"):
            if old.parent.name.removeprefix("date=") not in days:
                old.unlink()

    def files(self, table: str) -> list[Path]:
        """All files of a table."""
        return sorted((self.path / table).glob("date=*/*.parquet"))

    def day_path(self, table: str, day: int) -> Path:
        """The one file of a table that is made of all segments, for a day (counted from 1970)."""
        date = datetime.fromtimestamp(day * 86_400, UTC).date()
        return self.path / table / f"date={date}" / f"{table}.parquet"

    def _take_lock(self) -> None:
        self._lock = os.open(self._ours / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = -1
            raise DataError(f"{self.path}: another gatherer tables writes here") from None


def is_output(path: Path) -> bool:
    """Whether a path is a directory of tables."""
    return (path / OURS / "manifest.json").is_file()


def read_manifest(path: Path) -> Manifest:
    """What a directory of tables holds. Raises `DataError`."""
    manifest = path / OURS / "manifest.json"
    try:
        found = msgspec.json.decode(manifest.read_bytes(), type=Manifest)
    except msgspec.DecodeError as error:
        raise DataError(f"{manifest}: cannot be read: {error}") from None
    if found.format != FORMAT:
        raise DataError(f"{path}: was made by another version of gatherer; give --out another directory")
    return found


@contextmanager
def opened(path: Path, start: int, end: int) -> Iterator[Output]:
    """An output, closed afterwards."""
    is_new = not path.exists()
    output = Output(path)
    output.open(start, end)
    try:
        yield output
    finally:
        output.close()
        if not is_output(path):  # nothing was published: leave no trace
            shutil.rmtree(path / OURS)
            if is_new:
                path.rmdir()


def write_scan(path: Path, scan: Scan) -> None:
    """Keep what a segment said."""
    half = path.with_name(path.name + ".part")
    half.write_bytes(msgspec.msgpack.encode(scan))
    os.replace(half, path)


def read_scan(path: Path) -> Scan:
    """What a segment said."""
    return msgspec.msgpack.decode(path.read_bytes(), type=Scan)


def _days(connection: Any, made: Path) -> list[str]:
    rows = connection.execute(
        f"SELECT DISTINCT strftime(received_at, '%Y-%m-%d') FROM {quoted(made)} ORDER BY 1"
    ).fetchall()
    return [day for (day,) in rows]


def _split(connection: Any, made: Path, day: str, target: Path) -> None:
    query = f"FROM {quoted(made)} WHERE strftime(received_at, '%Y-%m-%d') = {quoted(day)}"
    write_parquet(connection, query, target)
