"""The two ends of a TLS connection in memory: an exchange with Python's `ssl`, and the layer above our transport."""

import ssl
import warnings
from pathlib import Path
from typing import Any

from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from gatherer.exchange.tls.records import Records, TlsClient
from gatherer.exchange.tls.transport import SecureFactory
from gatherer.exchange.tls.trust import trust_root
from tests.support.certificates import Authority

HOST = "127.0.0.1"


def server_context(file: str, pem: bytes, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """The context of an exchange with this certificate. It writes `file`."""
    Path(file).write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if newest is not None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # the old versions are switched off otherwise
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = newest
    return context


class ServerEnd:
    """An exchange's TLS, by hand. By itself it answers only the handshake."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.open = False
        self.received = b""
        self.ended = False
        """Whether the client has sent its close_notify."""

    def feed(self, data: bytes) -> None:
        """Bytes from the client. Raises `ssl.SSLError` if they are not TLS."""
        self._incoming.write(data)
        try:
            if not self.open:
                self.tls.do_handshake()
                self.open = True
            while True:
                piece = self.tls.read(16384)
                if not piece:
                    self.ended = True
                    return
                self.received += piece
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:
            self.ended = True

    def send(self, data: bytes) -> None:
        """A record of its own."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.tls.write(rest) :]

    def end(self) -> None:
        """Send the close_notify."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            return

    def take(self) -> bytes:
        """The bytes for the client."""
        return self._outgoing.read()


class Above(Protocol):
    """The protocol above ours. It writes at once, like a WebSocket, and keeps everything that it receives."""

    greeting = b"GET / HTTP/1.1\r\n\r\n"

    def __init__(self) -> None:
        self.reads: list[bytes] = []
        self.lost: list[Failure] = []

    @property
    def heard(self) -> bytes:
        """Everything received."""
        return b"".join(self.reads)

    def connectionMade(self) -> None:
        self.transport.write(self.greeting)

    def dataReceived(self, data: bytes) -> None:
        self.reads.append(data)

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        self.lost.append(reason)


class Tcp(StringTransport):
    """A TCP transport with `setTcpNoDelay`, and a consumer for a producer."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing to delay."""


class Pair:
    """Our client's transport and a server end, wired by hand."""

    def __init__(self, context: ssl.SSLContext, client: TlsClient) -> None:
        self.server = ServerEnd(context)
        factory: Any = ClientFactory.forProtocol(Above)
        self.secure: Any = SecureFactory(factory, client).buildProtocol(None)
        self.above: Above = self.secure._above
        self.tcp = Tcp()
        self.secure.makeConnection(self.tcp)

    def to_server(self) -> bytes:
        """What the client has sent since the last time."""
        data = self.tcp.value()
        self.tcp.clear()
        self.server.feed(data)
        return data

    def to_client(self, data: bytes | None = None) -> None:
        """Some bytes, by default all, in one read."""
        data = self.server.take() if data is None else data
        if data:
            self.secure.dataReceived(data)

    def shake_hands(self) -> "Pair":
        """Exchange bytes until both ends are open."""
        for _ in range(3):
            self.to_server()
            self.to_client()
        return self


class PublicClient(TlsClient):
    """As with a pyOpenSSL that hides its internals."""

    def connection(self) -> Records:
        fast = super().connection()
        return Records(fast._tls, fast._verifier)


def make_client(authority: Authority, file: str, kind: type[TlsClient] = TlsClient, host: str = HOST) -> TlsClient:
    """A client that trusts this authority. It writes `file`."""
    Path(file).write_bytes(authority.pem)
    return kind(host, trust_root(file))


class ServerProtocol(Protocol):
    """A `ServerEnd` on a real socket."""

    transport: Any

    def __init__(self, factory: "TlsServer") -> None:
        self.factory: TlsServer = factory
        self.end = ServerEnd(factory.context)

    def dataReceived(self, data: bytes) -> None:
        was_open = self.end.open
        try:
            self.end.feed(data)
        except ssl.SSLError:
            self.flush()
            self.transport.loseConnection()
            return
        self.flush()
        if self.end.open and not was_open:
            self.factory.on_open(self)
        self.factory.on_data(self)

    def send(self, data: bytes) -> None:
        """One plaintext."""
        self.end.send(data)
        self.flush()

    def flush(self) -> None:
        self.transport.write(self.end.take())


class TlsServer(Factory):
    """Listens on loopback. The test decides what happens."""

    noisy = False

    def __init__(self, context: ssl.SSLContext, on_open: Any = None, on_data: Any = None) -> None:
        self.context = context
        self.on_open = on_open or (lambda protocol: None)
        self.on_data = on_data or (lambda protocol: None)

    def buildProtocol(self, addr: Any) -> Any:
        return ServerProtocol(self)
