"""The format of a capture on disk: records, zstd frames and segment files, and how they are recovered and read.

The router writes with it, and each reader of a capture reads with it. It knows bytes and files only: no reactor, no
settings, no judgement on whether a capture is complete.
"""

from gatherer.capture_format.directory import CaptureDirectory
from gatherer.capture_format.reading import (
    CaptureDamaged,
    read_blocks,
    read_blocks_backwards,
    read_capture,
    read_lines,
    segments_of,
    torn_bytes,
)
from gatherer.capture_format.records import COLUMNS, encode_batch, encode_marker, encode_segment_start
from gatherer.capture_format.segment_file import (
    OPEN_SUFFIX,
    SUFFIX,
    Disk,
    SegmentFile,
    SyncFailure,
    create_segment,
    segment_name,
    segment_time,
)

__all__ = [
    "COLUMNS",
    "OPEN_SUFFIX",
    "SUFFIX",
    "CaptureDamaged",
    "CaptureDirectory",
    "Disk",
    "SegmentFile",
    "SyncFailure",
    "create_segment",
    "encode_batch",
    "encode_marker",
    "encode_segment_start",
    "read_blocks",
    "read_blocks_backwards",
    "read_capture",
    "read_lines",
    "segment_name",
    "segment_time",
    "segments_of",
    "torn_bytes",
]
