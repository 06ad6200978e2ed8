"""The tables of an output directory as views of a connection to DuckDB."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gatherer.data.engine import connect, quoted
from gatherer.data.schema import NAMES, column_list, empty


def connect_tables(directory: Path, names: Iterable[str] = NAMES) -> Any:
    """A connection with the tables as views; a table without a file is there and empty."""
    connection = connect()
    for name in names:
        pattern = directory / name / "date=*" / "*.parquet"
        has_files = next((directory / name).glob("date=*/*.parquet"), None) is not None
        query = f"SELECT {column_list(name)} FROM read_parquet({quoted(pattern)})" if has_files else empty(name)
        connection.execute(f"CREATE VIEW {name} AS {query}")
    return connection
