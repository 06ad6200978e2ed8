"""The frames that wait to be written to one socket, and how many bytes they are."""

from collections import deque
from collections.abc import Callable
from struct import pack

from twisted.internet.interfaces import IPushProducer, ITransport
from zope.interface import implementer

TEXT, BINARY = 1, 2
"""Opcodes of RFC 6455."""
COMPRESSED = 0x40
"""The reserved bit that permessage-deflate uses (RFC 7692)."""
MAX_WRITE_BYTES = 1 << 18
"""Frames are joined into writes of about this size."""


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """A complete server frame: not masked, not fragmented."""
    size = len(payload)
    if size < 126:
        return pack(">BB", 0x80 | opcode, size) + payload
    if size < 1 << 16:
        return pack(">BBH", 0x80 | opcode, 126, size) + payload
    return pack(">BBQ", 0x80 | opcode, 127, size) + payload


@implementer(IPushProducer)
class Outbox:
    """Holds frames back while the transport is full, because the buffer of a transport has no limit.

    `overflowed` is called each time the waiting bytes pass `limit`. Frames written after that wait too.
    """

    def __init__(self, transport: ITransport, limit: int, overflowed: Callable[[], None]) -> None:
        self.waiting = 0
        """Bytes held back."""
        self._transport = transport
        self._limit = limit
        self._overflowed = overflowed
        self._queue: deque[bytes] = deque()
        self._paused = False
        self._is_over = False

    def write(self, data: bytes) -> None:
        """Write a whole frame, now or when the transport has room."""
        if not self._paused:
            self._transport.write(data)
            return
        self._queue.append(data)
        self.waiting += len(data)
        if self.waiting > self._limit and not self._is_over:
            self._is_over = True
            self._overflowed()

    def crowded(self) -> bool:
        """Whether snapshots should wait."""
        return self.waiting > self._limit // 4

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The transport is empty: fill it until it pauses again."""
        self._paused = False
        while self._queue and not self._paused:
            chunk = [self._queue.popleft()]
            size = len(chunk[0])
            while self._queue and size < MAX_WRITE_BYTES:
                chunk.append(self._queue.popleft())
                size += len(chunk[-1])
            self.waiting -= size
            self._transport.write(b"".join(chunk))
        self._is_over = self._is_over and self.waiting > self._limit

    def stopProducing(self) -> None:
        """The socket is gone: drop the waiting frames."""
        self._paused = True
        self._queue.clear()
        self.waiting = 0

    def flush(self) -> None:
        """Hand everything to the transport even if it is full, because it is about to close."""
        rest = b"".join(self._queue)
        self._queue.clear()
        self.waiting = 0
        if rest:
            self._transport.write(rest)
