"""The public package for reading a capture. It holds nothing of its own: it shows what the packages below offer."""

from gatherer.capture_format import COLUMNS, read_capture
from gatherer.data import Book, Library, check, write_tables
from gatherer.data import open_captures as open

__all__ = ["COLUMNS", "Book", "Library", "check", "open", "read_capture", "write_tables"]
