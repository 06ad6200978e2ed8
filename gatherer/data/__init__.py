"""What was captured, ready for use: tables, books at a time, the check of the files, and the tail of a running capture.

Everything here reads segments and writes only where it is asked to. The SQL is in `sql/`, one file a statement; Python
does what SQL cannot say. DuckDB and numpy are imported in functions, because only the extra `data` brings them.
"""

from gatherer.data.book import Book
from gatherer.data.check import check, repair
from gatherer.data.engine import MEMORY_MB, DataError
from gatherer.data.library import Library, open_captures
from gatherer.data.tables import Written, write_tables
from gatherer.data.tail import Filter, follow

__all__ = [
    "MEMORY_MB",
    "Book",
    "DataError",
    "Filter",
    "Library",
    "Written",
    "check",
    "follow",
    "open_captures",
    "repair",
    "write_tables",
]
