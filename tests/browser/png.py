"""The same picture in fewer bytes: a page has large flat areas, and PNG's filters make those larger."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 6: 4}
"""Bytes of a pixel for RGB and RGBA, the two that browsers write."""


def smaller(picture: bytes) -> bytes:
    """Lossless: no filters, the strongest compression. ValueError for a PNG that no browser writes."""
    parts = list(_parts(picture))
    header = parts[0][1]
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if depth != 8 or colour not in CHANNELS or interlaced:
        raise ValueError("only plain RGB or RGBA of 8 bits")
    raw = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
    rows = _unfiltered(raw, width * CHANNELS[colour], height, CHANNELS[colour])
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return SIGNATURE + b"".join(_part(*part) for part in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b"")))


def _parts(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not picture.startswith(SIGNATURE):
        raise ValueError("no PNG")
    at = len(SIGNATURE)
    while at < len(picture):
        (length,) = struct.unpack_from(">I", picture, at)
        yield picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        at += 12 + length


def _part(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _unfiltered(raw: bytes, length: int, height: int, step: int) -> Iterator[bytes]:
    """The rows without filters: each filter adds a prediction from the left, above and above left."""
    above = bytearray(length)
    for number in range(height):
        start = number * (length + 1)
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + length])
        for at in range(length if kind else 0):
            left, corner = (row[at - step], above[at - step]) if at >= step else (0, 0)
            row[at] = (row[at] + _predicted(kind, left, above[at], corner)) & 255
        yield bytes(row)
        above = row


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:
        guess = left + up - corner
        return min((left, up, corner), key=lambda value: abs(guess - value))
    return (0, left, up, (left + up) // 2)[kind]
