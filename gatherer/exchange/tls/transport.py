"""TLS between TCP and the WebSocket.

Twisted's own TLS (`reactor.connectSSL`) handles one record at a time, with some twenty Python calls, and passes each
record up alone. The exchange sends one record for each message, so every message would reach the frame scan alone, as a
batch of one. Here one loop decrypts all records of a socket read (`gatherer.exchange.tls.records`). They go up in one
`dataReceived`, with two Python frames between the socket and the WebSocket.

This is the client's side only, without half-close. A close_notify of either side ends the connection. An end without
one is an error.
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


class TlsState(Enum):
    """How far the connection is."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    CLOSED = "closed"
    """Nothing is sent any more. TCP may still be flushing."""


@implementer(ITransport, IConsumer, IPushProducer)
class SecureTransport(Protocol):
    """The protocol of TCP, and the transport of the protocol `above` it.

    It does not provide `ISSLTransport`, because autobahn would then expect Twisted's class and pyOpenSSL's methods.
    """

    transport: Any  # of TCP: an `ITCPTransport` that is also a consumer and a producer

    def __init__(self, above: IProtocol, client: TlsClient) -> None:
        self._above = above
        self._tls = client.connection()
        self._state = TlsState.HANDSHAKE
        self._queued: list[bytes] = []
        self._producer: Any = None  # an `IPushProducer` or an `IPullProducer`
        self._paused_producer: IPushProducer | None = None
        self._error: TlsError | None = None
        self.disconnecting = False

    # -- TCP calls these ----------------------------------------------------------------------

    def connectionMade(self) -> None:
        """TCP is up. The protocol above may start at once; its data waits for the handshake."""
        self._shake_hands()
        self._above.makeConnection(self)

    def dataReceived(self, data: bytes) -> None:
        """One socket read makes at most one call of the protocol above, with the plaintext of all its records."""
        tls = self._tls
        if self._state is TlsState.CLOSED:
            return  # TCP may still have bytes after a cut; they mean nothing any more
        if self._state is not TlsState.OPEN:
            tls.feed(data)
            if not self._shake_hands():
                return
            data = b""
        plain = tls.decrypt(data)
        if plain:
            self._above.dataReceived(plain)
        else:  # a message of TLS itself may need an answer; one among data may wait for the next write
            self._flush()
        if not tls.ended:
            return
        if tls.error is not None:
            self._fail(tls.error)
        else:
            self._finish()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """TCP is gone. Only a close_notify is a clean end: any machine on the way can send a FIN."""
        stage, self._state = self._state, TlsState.CLOSED
        if self._error is not None:
            reason = Failure(self._error)
        elif stage is not TlsState.CLOSED and reason.check(ConnectionDone):
            where = "during the TLS handshake" if stage is TlsState.HANDSHAKE else "without a TLS close_notify"
            reason = Failure(TlsError(f"truncated: TCP was closed {where}"))
        self._above.connectionLost(reason)

    # -- the protocol above calls these -------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Encrypt and send, once the handshake is done."""
        if self._state is TlsState.OPEN:
            try:
                self._tls.encrypt(data)
            except TlsError as error:
                self._fail(error)
            self._flush()
        elif self._state is TlsState.HANDSHAKE:
            self._queued.append(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """One `write` of all pieces."""
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        """Send the written data, then a close_notify, then close TCP. A producer may finish first."""
        self.disconnecting = True
        if self._state is TlsState.OPEN and self._producer is None:
            self._finish()

    def abortConnection(self) -> None:
        """Cut TCP at once. Waiting data is not sent, and neither is a close_notify."""
        self._state = TlsState.CLOSED
        self.disconnecting = True
        self.transport.abortConnection()

    def getPeer(self) -> IAddress:
        """See `ITransport`."""
        return self.transport.getPeer()

    def getHost(self) -> IAddress:
        """See `ITransport`."""
        return self.transport.getHost()

    def setTcpNoDelay(self, enabled: bool) -> None:
        """See `ITransport`."""
        self.transport.setTcpNoDelay(enabled)

    # -- back pressure ------------------------------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """TCP's buffer paces the producer. A streaming producer is paused until the handshake is done."""
        if self._state is TlsState.CLOSED:
            producer.stopProducing()
            return
        self.transport.registerProducer(producer, streaming)
        self._producer = producer
        if self._state is TlsState.HANDSHAKE and streaming:
            self._paused_producer = producer
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """The producer is done. A close that waited for it continues."""
        self._producer = self._paused_producer = None
        self.transport.unregisterProducer()
        if self.disconnecting:
            self.loseConnection()

    def pauseProducing(self) -> None:
        """Stop reading the socket. Decrypted data has already gone up."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Read the socket again."""
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """No more data is wanted."""
        self.loseConnection()

    # -- TLS ----------------------------------------------------------------------------------

    def _shake_hands(self) -> bool:
        """Continue the handshake. True when it is done."""
        if self._state is TlsState.CLOSED:
            return False
        try:
            done = self._tls.shake_hands()
        except TlsError as error:
            self._fail(error)
            return False
        self._flush()
        if done:
            self._open()
        return self._state is TlsState.OPEN

    def _open(self) -> None:
        self._state = TlsState.OPEN
        queued, self._queued = self._queued, []
        for data in queued:
            self.write(data)
        held, self._paused_producer = self._paused_producer, None
        if held is not None:
            held.resumeProducing()
        if self.disconnecting:
            self.loseConnection()

    def _flush(self) -> None:
        if self._state is not TlsState.CLOSED:
            data = self._tls.outgoing()
            if data:
                self.transport.write(data)

    def _fail(self, error: TlsError) -> None:
        """Send the peer the alert that OpenSSL has prepared. The protocol above gets the error when TCP is gone."""
        if self._state is not TlsState.CLOSED:
            self._error = error
            self._close()

    def _finish(self) -> None:
        """Announce the end. The peer's own close_notify is not waited for (RFC 8446 section 6.1)."""
        if self._state is not TlsState.CLOSED:
            self._tls.end()
            self._close()

    def _close(self) -> None:
        self._flush()
        self._state = TlsState.CLOSED
        producer, self._producer = self._producer, None
        if producer is not None:
            self.transport.unregisterProducer()  # otherwise TCP would wait for it
            producer.stopProducing()
        self.transport.loseConnection()


class SecureFactory(WrappingFactory):
    """Puts a `SecureTransport` between TCP and each protocol of the factory it wraps."""

    noisy = False

    def __init__(self, wrapped: ClientFactory, client: TlsClient) -> None:
        super().__init__(wrapped)
        self._client = client

    def buildProtocol(self, addr: IAddress | None) -> Any:  # `WrappingFactory` promises a wrapper of its own
        """TCP is up: wrap a new protocol."""
        above = self.wrappedFactory.buildProtocol(addr)
        return None if above is None else SecureTransport(above, self._client)
