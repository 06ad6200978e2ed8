"""The public package for reading a capture. It holds nothing of its own: it shows what the packages below offer."""

from gatherer.capture_format import COLUMNS, read_capture

__all__ = ["COLUMNS", "read_capture"]
