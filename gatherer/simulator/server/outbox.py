"""What waits to be written to one socket, counted exactly."""

from collections import deque
from collections.abc import Callable
from struct import pack

from twisted.internet.interfaces import IPushProducer, ITransport
from zope.interface import implementer

TEXT, BINARY = 1, 2
"""Opcodes of RFC 6455."""
COMPRESSED = 0x40
"""The reserved bit that permessage-deflate uses (RFC 7692)."""
CHUNK = 1 << 18
"""Bytes joined for one write."""


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """A complete server frame: unmasked, in one piece."""
    size = len(payload)
    if size < 126:
        return pack(">BB", 0x80 | opcode, size) + payload
    if size < 1 << 16:
        return pack(">BBH", 0x80 | opcode, 126, size) + payload
    return pack(">BBQ", 0x80 | opcode, 127, size) + payload


@implementer(IPushProducer)
class Outbox:
    """Holds frames back while the transport is full, so that nothing grows unseen inside it.

    `overflowed` is called once each time the waiting bytes pass `limit`; what is written
    after that waits all the same.
    """

    def __init__(self, transport: ITransport, limit: int, overflowed: Callable[[], None]) -> None:
        self.waiting = 0
        """Bytes held back."""
        self._transport = transport
        self._limit = limit
        self._overflowed = overflowed
        self._queue: deque[bytes] = deque()
        self._paused = False
        self._over = False

    def write(self, data: bytes) -> None:
        """Write a whole frame, now or when there is room."""
        if not self._paused:
            self._transport.write(data)
            return
        self._queue.append(data)
        self.waiting += len(data)
        if self.waiting > self._limit and not self._over:
            self._over = True
            self._overflowed()

    def crowded(self) -> bool:
        """Whether bulky things had better wait."""
        return self.waiting > self._limit // 4

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The transport is empty: fill it again, until it says stop."""
        self._paused = False
        while self._queue and not self._paused:
            chunk = [self._queue.popleft()]
            size = len(chunk[0])
            while self._queue and size < CHUNK:
                chunk.append(self._queue.popleft())
                size += len(chunk[-1])
            self.waiting -= size
            self._transport.write(b"".join(chunk))
        self._over = self._over and self.waiting > self._limit

    def stopProducing(self) -> None:
        """The socket is gone: forget what waits."""
        self._paused = True
        self._queue.clear()
        self.waiting = 0

    def flush(self) -> None:
        """Hand everything to the transport, full or not: it is about to be closed."""
        rest = b"".join(self._queue)
        self._queue.clear()
        self.waiting = 0
        if rest:
            self._transport.write(rest)
