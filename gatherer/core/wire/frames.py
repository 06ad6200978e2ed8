"""Find the complete text messages in the bytes of a socket read (RFC 6455 section 5.2).

Autobahn's parser copies the rest of the buffer for each frame and costs 10-14 µs a message. This one knows a single
shape, which is nearly all of the traffic: final, unmasked, uncompressed text frames with a minimal length. At any other
frame it stops and returns the place.
"""

from struct import Struct

FINAL_TEXT = 0x81
_MEDIUM_TEXT = FINAL_TEXT << 8 | 126
"""The first two bytes of a final, unmasked text frame of 126 to 65,535 bytes: nearly every message."""
_header = Struct(">HH").unpack_from


def scan(data: bytes, limit: int, found: list[bytes]) -> int:
    """Append the payload of each leading text frame to `found`. Returns where the first other byte is.

    It stops at a frame that is incomplete, of another kind, longer than `limit` bytes or not valid UTF-8. It also stops
    before the last three bytes: no message is that short.
    """
    start, end = 0, len(data)
    while end - start > 3:
        kind, size = _header(data, start)
        if kind == _MEDIUM_TEXT and size > 125:
            body = start + 4
            stop = body + size
        else:
            body, stop = _extent(data, start, end)
            size = stop - body
        if not body or stop > end or size > limit:
            return start
        payload = data[body:stop]
        if not payload.isascii() and not _is_utf8(payload):
            return start
        found.append(payload)
        start = stop
    return start


def frame_size(data: bytes, start: int) -> int:
    """Bytes from `start` to the end of the frame there, with header and mask. 0 if the header is incomplete."""
    if len(data) - start < 2:
        return 0
    short = data[start + 1] & 0x7F
    header = 2 + (4 if data[start + 1] & 0x80 else 0) + (0 if short < 126 else 2 if short == 126 else 8)
    if len(data) - start < header:
        return 0
    if short < 126:
        return header + short
    width = 2 if short == 126 else 8
    return header + int.from_bytes(data[start + 2 : start + 2 + width], "big")


def text_frame_size(data: bytes, limit: int) -> int:
    """The size of the incomplete text frame at the start of `data`, if `scan` will take it; otherwise 0."""
    body, stop = _extent(data, 0, len(data))
    return stop if body and stop - body <= limit else 0


def _extent(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the payload of a final, unmasked text frame begins and ends. (0, 0) for any other frame, for a length that
    is not minimal, and for an incomplete header."""
    if end - start < 2 or data[start] != FINAL_TEXT:
        return 0, 0
    short = data[start + 1]
    if short < 126:
        return start + 2, start + 2 + short
    if short == 126 and end - start >= 4:
        length = (data[start + 2] << 8) | data[start + 3]
        return (start + 4, start + 4 + length) if length > 125 else (0, 0)
    if short == 127 and end - start >= 10:
        length = int.from_bytes(data[start + 2 : start + 10], "big")
        return (start + 10, start + 10 + length) if length > 0xFFFF else (0, 0)
    return 0, 0


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
