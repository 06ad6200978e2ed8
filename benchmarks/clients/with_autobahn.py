"""autobahn as it comes: Twisted's default reactor, its own frame parser, Twisted's own TLS."""

from pathlib import Path
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

from benchmarks.clients.work import Books, Sink, Task


class Protocol(WebSocketClientProtocol):
    """The protocol that its documentation shows."""

    def onOpen(self) -> None:
        """See `WebSocketClientProtocol`."""
        self._read = self.factory.books.make_reader()
        self.factory.sink.opened()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """See `WebSocketClientProtocol`."""
        self._read(payload)


class Factory(WebSocketClientFactory):
    """One for all connections."""

    protocol = Protocol
    noisy = False

    def __init__(self, url: str, books: Books, sink: Sink) -> None:
        super().__init__(url)
        self.books = books
        self.sink = sink


def run(task: Task, sink: Sink) -> None:
    """See `benchmarks.clients.process`."""
    from twisted.internet import reactor

    loop: Any = reactor
    factory = Factory(task.url, Books(sink), sink)
    for _ in range(task.connections):
        if task.ca_file is None:
            loop.connectTCP("127.0.0.1", task.port, factory)
        else:
            root = trustRootFromCertificates([Certificate.loadPEM(Path(task.ca_file).read_bytes())])
            loop.connectSSL("127.0.0.1", task.port, factory, optionsForClientTLS("127.0.0.1", trustRoot=root))
    loop.run()
