"""WebSocket frames made by hand, valid and invalid (RFC 6455 section 5.2, RFC 7692)."""

import zlib
from typing import Any

TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A
"""First bytes of complete frames."""
COMPRESSED = 0x40
"""The reserved bit of permessage-deflate."""


def frame(payload: bytes, first: int = TEXT, mask: bytes = b"") -> bytes:
    """One frame; `first` is FIN, RSV and opcode."""
    bit, size = (0x80 if mask else 0), len(payload)
    if size < 126:
        head = bytes([first, bit | size])
    elif size <= 0xFFFF:
        head = bytes([first, bit | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, bit | 127]) + size.to_bytes(8, "big")
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)) if mask else payload
    return head + mask + body


def close(code: int, reason: bytes = b"") -> bytes:
    """A close frame."""
    return frame(code.to_bytes(2, "big") + reason, CLOSE)


def fragments(parts: list[bytes], first: int = TEXT, between: bytes = b"") -> bytes:
    """One message in several frames, with `between` after each but the last."""
    if len(parts) == 1:
        return frame(parts[0], first)
    opcode = first & 0x7F
    frames = [frame(part, opcode if i == 0 else 0) for i, part in enumerate(parts[:-1])]
    return between.join([*frames, frame(parts[-1], 0x80)])


class Deflater:
    """A server's compressor of one connection."""

    def __init__(self, takeover: bool = True, window: int = 15) -> None:
        self._takeover = takeover
        self._window = window
        self._deflate: Any = None

    def squeeze(self, payload: bytes) -> bytes:
        """The payload of a compressed message."""
        if self._deflate is None or not self._takeover:
            self._deflate = zlib.compressobj(wbits=-self._window)
        return bytes(self._deflate.compress(payload) + self._deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def frame(self, payload: bytes, first: int = TEXT) -> bytes:
        """A compressed message in one frame."""
        return frame(self.squeeze(payload), first | COMPRESSED)


def parse(data: bytes) -> list[tuple[int, bytes]]:
    """What a client sent: first byte and unmasked payload of each frame. Each must be masked."""
    found = []
    while data:
        assert data[1] & 0x80, "a client masks its frames"
        size, at = data[1] & 0x7F, 2
        if size > 125:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
        mask, body = data[at : at + 4], data[at + 4 : at + 4 + size]
        found.append((data[0], bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))))
        data = data[at + 4 + size :]
    return found
