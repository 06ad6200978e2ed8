"""TLS between TCP and the WebSocket.

Why not Twisted's own TLS (`reactor.connectSSL`): it handles one record at a time, some twenty Python calls each, and
hands each up by itself. The exchange sends one record per message, so every message would reach the frame scan alone,
as a batch of one. Here all records of a socket read are decrypted in one loop (`gatherer.exchange.tls.records`) and go
up in one `dataReceived`, with two Python frames between the socket and the WebSocket.

It is a client's side only and knows no half-close: the end of either side's data, if announced by a close_notify, ends
the connection, and without one it is an error.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IConsumer, IProtocol, IPushProducer, ITransport
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.errors import TlsError
from gatherer.exchange.tls.records import TlsClient


class Stage(Enum):
    """How far the connection is."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    CLOSED = "closed"
    """Nothing is sent any more; TCP may still be flushing."""


@implementer(ITransport, IConsumer, IPushProducer)
class SecureTransport(Protocol):
    """TCP's protocol, and the transport of the protocol `above` it.

    It does not provide `ISSLTransport`: autobahn would then expect Twisted's class and pyOpenSSL's methods.
    """

    transport: Any

    def __init__(self, above: IProtocol, client: TlsClient) -> None:
        self._above = above
        self._tls = client.connection()
        self._stage = Stage.HANDSHAKE
        self._queued: list[bytes] = []
        self._producer: Any = None
        self._held: Any = None
        self._error: TlsError | None = None
        self.disconnecting = False

    # -- TCP calls these ----------------------------------------------------------------------

    def connectionMade(self) -> None:
        """TCP is up. The protocol above may start at once: what it writes waits for the handshake."""
        self._shake_hands()
        self._above.makeConnection(self)

    def dataReceived(self, data: bytes) -> None:
        """One socket read: at most one call of the protocol above, with the plaintext of all its records."""
        tls = self._tls
        if self._stage is not Stage.OPEN:
            tls.feed(data)
            if not self._shake_hands():
                return
            data = b""
        plain = tls.decrypt(data)
        if plain:
            self._above.dataReceived(plain)
        else:  # TLS talks to itself; what it has to answer to records among data may wait for the next write
            self._flush()
        if not tls.ended:
            return
        if tls.error is not None:
            self._fail(tls.error)
        else:
            self._finish()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """TCP is gone. Only a close_notify is a clean end: anybody on the way can send a FIN."""
        stage, self._stage = self._stage, Stage.CLOSED
        if self._error is not None:
            reason = Failure(self._error)
        elif stage is not Stage.CLOSED and reason.check(ConnectionDone):
            where = "during the TLS handshake" if stage is Stage.HANDSHAKE else "without a TLS close_notify"
            reason = Failure(TlsError(f"truncated: TCP was closed {where}"))
        self._above.connectionLost(reason)

    # -- the protocol above calls these -------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Encrypt and send, once the handshake is done."""
        if self._stage is Stage.OPEN:
            try:
                self._tls.encrypt(data)
            except TlsError as error:
                self._fail(error)
            self._flush()
        elif self._stage is Stage.HANDSHAKE:
            self._queued.append(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """As one `write`."""
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        """Send what was written, then close_notify, then close TCP; a producer may finish first."""
        self.disconnecting = True
        if self._stage is Stage.OPEN and self._producer is None:
            self._finish()

    def abortConnection(self) -> None:
        """Cut TCP at once: nothing that waits is sent, no close_notify either."""
        self._stage = Stage.CLOSED
        self.disconnecting = True
        self.transport.abortConnection()

    def getPeer(self) -> IAddress:
        """TCP's."""
        return self.transport.getPeer()

    def getHost(self) -> IAddress:
        """TCP's."""
        return self.transport.getHost()

    def setTcpNoDelay(self, enabled: bool) -> None:
        """TCP's."""
        self.transport.setTcpNoDelay(enabled)

    # -- back pressure ------------------------------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """TCP's buffer paces the producer; before the handshake is done it waits."""
        if self._stage is Stage.CLOSED:
            producer.stopProducing()
            return
        self.transport.registerProducer(producer, streaming)
        self._producer = producer
        if self._stage is Stage.HANDSHAKE and streaming:
            self._held = producer
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """The producer is done, and a close that waited for it goes on."""
        self._producer = self._held = None
        self.transport.unregisterProducer()
        if self.disconnecting:
            self.loseConnection()

    def pauseProducing(self) -> None:
        """Stop reading the socket. What is decrypted has been handed up already."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read the socket again."""
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """No more data is wanted."""
        self.loseConnection()

    # -- TLS ----------------------------------------------------------------------------------

    def _shake_hands(self) -> bool:
        """Go on with the handshake; True when it is done."""
        if self._stage is Stage.CLOSED:
            return False
        try:
            done = self._tls.shake_hands()
        except TlsError as error:
            self._fail(error)
            return False
        self._flush()
        if done:
            self._open()
        return self._stage is Stage.OPEN

    def _open(self) -> None:
        self._stage = Stage.OPEN
        queued, self._queued = self._queued, []
        for data in queued:
            self.write(data)
        held, self._held = self._held, None
        if held is not None:
            held.resumeProducing()
        if self.disconnecting:
            self.loseConnection()

    def _flush(self) -> None:
        if self._stage is not Stage.CLOSED:
            data = self._tls.outgoing()
            if data:
                self.transport.write(data)

    def _fail(self, error: TlsError) -> None:
        """Tell the peer by the alert OpenSSL has prepared; the protocol above learns why when TCP is gone."""
        if self._stage is not Stage.CLOSED:
            self._error = error
            self._close()

    def _finish(self) -> None:
        """Announce the end. The peer's own close_notify is not waited for (RFC 8446 section 6.1)."""
        if self._stage is not Stage.CLOSED:
            self._tls.end()
            self._close()

    def _close(self) -> None:
        self._flush()
        self._stage = Stage.CLOSED
        producer, self._producer = self._producer, None
        if producer is not None:
            self.transport.unregisterProducer()  # TCP would wait for it
            producer.stopProducing()
        self.transport.loseConnection()


class SecureFactory(WrappingFactory):
    """Puts a `SecureTransport` between TCP and each protocol of the factory it wraps."""

    noisy = False

    def __init__(self, wrapped: ClientFactory, client: TlsClient) -> None:
        super().__init__(wrapped)
        self._client = client

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """TCP is up."""
        above = self.wrappedFactory.buildProtocol(addr)
        return None if above is None else SecureTransport(above, self._client)
