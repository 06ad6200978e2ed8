"""A client protocol on a fake transport: bytes in, listener calls out, no reactor."""

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConnector
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.core.backoff import Backoff
from gatherer.exchange.auth import Headers
from gatherer.exchange.interfaces import IWebSocketListener
from gatherer.exchange.websocket.client import WebSocketClient
from gatherer.exchange.websocket.dialing import Dialing, DialPacer
from gatherer.exchange.websocket.protocol import ExchangeProtocol

URL = "ws://127.0.0.1:9001/trade-api/ws/v2"


@implementer(IWebSocketListener)
class RecordingListener:
    """Keeps every call as a tuple."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def opened(self) -> None:
        self.calls.append(("opened",))

    def received(self, payloads: list[bytes], received_at: int) -> None:
        self.calls.append(("received", payloads, received_at))

    def undecodable(self, payload: bytes, reason: str, received_at: int) -> None:
        self.calls.append(("undecodable", payload, reason))

    def pinged(self) -> None:
        self.calls.append(("pinged",))

    def closed(self, reason: Failure) -> None:
        self.calls.append(("closed", reason.value))

    @property
    def texts(self) -> list[bytes]:
        """All text messages so far, from all batches."""
        return [payload for call in self.calls if call[0] == "received" for payload in call[1]]


@implementer(IConnector)
class FakeConnector:
    """What `reactor.connectTCP` returns: it counts the dials and reports the result of each."""

    def __init__(self, factory: WebSocketClient, clock: Clock) -> None:
        self.factory = factory
        self.clock = clock
        self.dials = 1
        self.stopped = 0
        self.transport: Any = None

    def connect(self) -> None:
        self.dials += 1

    def disconnect(self) -> None:
        self.transport.loseConnection()

    def getDestination(self) -> Any:
        return None

    def stopConnecting(self) -> None:
        self.stopped += 1
        self.factory.clientConnectionFailed(self, Failure(ConnectionRefusedError("stopped")))

    def accept(self) -> ExchangeProtocol:
        """TCP comes up."""
        protocol = self.factory.buildProtocol(None)
        self.transport = LosingTransport(self, protocol)
        protocol.makeConnection(self.transport)
        return protocol


class LosingTransport(StringTransport):
    """Reports a cut to protocol and factory, like a real transport."""

    def __init__(self, connector: FakeConnector, protocol: ExchangeProtocol) -> None:
        super().__init__()
        self._connector = connector
        self._protocol = protocol
        self.lost = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing to delay."""

    def abortConnection(self) -> None:
        self.lose(ConnectionAbortedError("cut"))

    def loseConnection(self) -> None:
        self.lose(ConnectionAbortedError("closed"))

    def unregisterProducer(self) -> None:
        """A producer is optional."""

    def lose(self, error: Exception) -> None:
        """The socket is gone. As in a reactor, the report comes in the next turn."""
        if not self.lost:
            self.lost = True
            self._connector.clock.callLater(0, self._tell, Failure(error))

    def _tell(self, reason: Failure) -> None:
        self._protocol.connectionLost(reason)
        self._connector.factory.clientConnectionLost(self._connector, reason)


class Rig:
    """One client, its listener, and a clock."""

    def __init__(self, backoff: Backoff | None = None, compression: bool = False) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000.0)
        self.listener = RecordingListener()
        self.connectors: list[FakeConnector] = []
        self.signatures = 0
        self.pacer = DialPacer(self.clock, 10.0)
        dialing = Dialing(URL, self._connect, self._sign, self.pacer, self.clock, self._wall, 10.0, compression)
        self.client = WebSocketClient(self.listener, dialing, backoff or Backoff(1.0, 300.0, 2.0, 0.0, lambda: 0.5))

    def _connect(self, factory: Any) -> Any:
        self.connectors.append(FakeConnector(factory, self.clock))
        return self.connectors[-1]

    def _sign(self) -> Deferred[Headers]:
        self.signatures += 1
        return succeed({"KALSHI-ACCESS-KEY": f"signature {self.signatures}"})

    def _wall(self) -> int:
        return int(self.clock.seconds() * 1e9)

    @property
    def connector(self) -> FakeConnector:
        return self.connectors[-1]

    def open(self, extensions: str = "") -> ExchangeProtocol:
        """Dial, connect and finish the upgrade."""
        self.client.start()
        self.clock.advance(0)
        return self.upgrade(extensions)

    def upgrade(self, extensions: str = "") -> ExchangeProtocol:
        """The current dial succeeds. The exchange grants these extensions."""
        protocol = self.connector.accept()
        protocol.dataReceived(acceptance(protocol, extensions))
        return protocol

    def refuse(self, response: bytes) -> None:
        """The answer to the current dial."""
        self.connector.accept().dataReceived(response)
        self.clock.advance(0)


def acceptance(protocol: ExchangeProtocol, extensions: str = "") -> bytes:
    """The 101 that answers this protocol's request (RFC 6455 section 4.2.2)."""
    from base64 import b64encode
    from hashlib import sha1

    digest = sha1(protocol.websocket_key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    if extensions:
        head += f"Sec-WebSocket-Extensions: {extensions}\r\n".encode()
    return head + b"Sec-WebSocket-Accept: " + b64encode(digest) + b"\r\n\r\n"
