"""The part of HTTP and RFC 6455 that a server needs if it has only our own clients."""

import base64
import hashlib
import struct

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def upgrade_answer(request: bytes) -> bytes:
    """The 101 answer to the head of a request."""
    lines = (line.partition(b":") for line in request.split(b"\r\n"))
    key = next(value.strip() for name, _, value in lines if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
    )


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One complete frame of a server: final, not masked."""
    return header(len(payload), opcode) + payload


def header(size: int, opcode: int = TEXT) -> bytes:
    """The header of a payload of this many bytes."""
    first = 0x80 | opcode
    if size < 126:
        return bytes((first, size))
    if size < 65536:
        return struct.pack("!BBH", first, 126, size)
    return struct.pack("!BBQ", first, 127, size)


def take_frames(buffer: bytearray) -> list[tuple[int, bytes]]:
    """Remove the complete frames of a client from the front: opcode and payload, unmasked. No fragments."""
    found = []
    while len(buffer) >= 6:
        size, at = buffer[1] & 0x7F, 2
        if size > 125:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(buffer[2 : 2 + width], "big"), 2 + width
        if len(buffer) < at + 4 + size:
            break
        mask, body = buffer[at : at + 4], buffer[at + 4 : at + 4 + size]
        found.append((buffer[0] & 0x0F, _unmask(bytes(mask), bytes(body))))
        del buffer[: at + 4 + size]
    return found


def _unmask(mask: bytes, body: bytes) -> bytes:
    size = len(body)
    pattern = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(body, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")
