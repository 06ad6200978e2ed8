"""The public package for reading a capture. It holds nothing of its own: it shows what the packages below offer."""

from gatherer.capture_format.reading import read_capture
from gatherer.capture_format.records import COLUMNS

__all__ = ["COLUMNS", "read_capture"]
