"""A replacement for systemd: it receives the datagrams of one process and remembers them."""

import os
import tempfile
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol


class Supervisor(DatagramProtocol):
    """Listens at `address`. The path is short, because the path of a socket must be."""

    def __init__(self, reactor: Any) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._reactor = reactor
        self._waits: list[tuple[str, int, Deferred[str]]] = []
        self._port: Any = None
        self.address = os.path.join(self._folder.name, "notify")
        self.heard: list[str] = []

    def open(self) -> None:
        """Listen."""
        self._port = self._reactor.listenUNIXDatagram(self.address, self)

    async def close(self) -> None:
        """Stop listening."""
        await self._port.stopListening()
        self._folder.cleanup()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """One message."""
        self.heard.append(datagram.decode())
        for wait in list(self._waits):
            words, after, heard = wait
            if len(self.heard) > after and words in self.heard[-1]:
                self._waits.remove(wait)
                heard.callback(self.heard[-1])

    def hears(self, words: str, seconds: float = 60.0) -> Deferred[str]:
        """The next message with these words. TimeoutError if none comes in time."""
        heard: Deferred[str] = Deferred()
        self._waits.append((words, len(self.heard), heard))
        return heard.addTimeout(seconds, self._reactor)

    def silence(self, words: str, seconds: float) -> Deferred[bool]:
        """Whether no message has these words during this time."""
        waited = self.hears(words, seconds)
        return waited.addCallbacks(lambda _: False, lambda _: True)
