"""DuckDB as this package uses it: connections with limits, SQL from files, and its errors in one line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from gatherer.errors import GathererError

MEMORY_MB = 1000
"""What DuckDB may take before it puts data aside on disk. Python and DuckDB's own needs come on top, about 250 MB."""
ROW_GROUP = 65_536
"""Rows of a Parquet row group: small, so that one market is found without reading much of the others."""


class DataError(GathererError):
    """The data cannot be read or written; the text names file and cause."""


class SegmentDamaged(DataError):
    """A finished segment holds bytes that differ from what was written."""


def connect(scratch: Path | None = None, memory_mb: int = MEMORY_MB, threads: int | None = None) -> Any:
    """A connection of its own, in memory, with UTC as its time zone. `scratch` is where large data is put aside."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET memory_limit = '{memory_mb}MB'")
    connection.execute(f"SET threads = {threads or len(os.sched_getaffinity(0))}")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    if scratch is not None:
        connection.execute(f"SET temp_directory = {quoted(scratch)}")
    return connection


def sql(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return (files("gatherer.data") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def quoted(text: object) -> str:
    """A text as SQL has it, for statements that take no parameters."""
    return "'" + str(text).replace("'", "''") + "'"


@contextmanager
def one_line_errors(doing: str, kind: type[DataError] = DataError) -> Iterator[None]:
    """Turn an error of DuckDB into `DataError`, or a kind of it, with the first line of its text."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        text = str(error).strip().splitlines()[0]
        if "No space left" in str(error):
            text = "no space left on device"
        if "No space left" in str(error) or isinstance(error, duckdb.OutOfMemoryException):
            kind = DataError
        raise kind(f"{doing}: {text}") from None


def write_parquet(connection: Any, query: str, path: Path, parameters: dict[str, Any] | None = None) -> None:
    """Write the rows of a query to a file that appears whole or not at all."""
    half = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with one_line_errors(str(path)):
        try:
            connection.execute(
                f"COPY ({query}) TO {quoted(half)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})",
                parameters or {},
            )
            _flush(half)
            os.replace(half, path)
        finally:
            half.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Have the operating system write a file to its disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
