"""TLS over real sockets, with a server that misbehaves: the client's errors, and the bytes that are never data."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import ClientFactory
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from gatherer.errors import ConfigError, TlsError
from gatherer.exchange.websocket.dialing import make_dialer
from tests.support.certificates import Authority
from tests.support.tls_ends import Above, ServerProtocol, TlsServer, server_context


class Client(Above):
    """Fires when it is over."""

    def __init__(self, over: "Deferred[Client]") -> None:
        super().__init__()
        self.over = over

    def connectionLost(self, reason: Any = None) -> None:
        super().connectionLost(reason)
        self.over.callback(self)


class Dial(ClientFactory):
    """One connection by the real dialler."""

    noisy = False

    def __init__(self) -> None:
        self.over: Deferred[Client] = Deferred()
        self.protocol: Any = lambda: Client(self.over)
        self.client: Any = None

    def buildProtocol(self, addr: Any) -> Any:
        self.client = super().buildProtocol(addr)
        return self.client

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        self.over.errback(reason)


class TroubleTests(TestCase):
    """A server on loopback for each test."""

    timeout = 30

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.authority = Authority()
        self.ca_file = self.mktemp()
        Path(self.ca_file).write_bytes(self.authority.pem)

    def context(self, pem: bytes | None = None, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A server's context, by default with a valid certificate."""
        return server_context(self.mktemp(), pem or self.authority.issue(), newest)

    def dial(self, server: TlsServer, host: str = "127.0.0.1") -> Dial:
        """Connect to it."""
        port = self.reactor.listenTCP(0, server, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        dial = Dial()
        make_dialer(self.reactor, f"wss://{host}:{port.getHost().port}/", self.ca_file, 5.0)(dial)
        return dial

    async def fate(self, server: TlsServer, host: str = "127.0.0.1") -> tuple[bytes, Any]:
        """What the client received, and why the connection ended."""
        client = await self.dial(server, host).over
        return client.heard, client.lost[0].value

    async def refusal(self, pem: bytes, host: str = "127.0.0.1") -> str:
        """Why a certificate is refused. The client sent nothing to its server."""
        seen: list[ServerProtocol] = []
        heard, error = await self.fate(TlsServer(self.context(pem), seen.append), host)
        self.assertIsInstance(error, TlsError)
        self.assertEqual(heard, b"")
        self.assertEqual([protocol.end.received for protocol in seen], [b""] * len(seen))
        return str(error)

    async def until(self, condition: Callable[[], object]) -> None:
        """The sockets need some turns."""
        while not condition():
            await deferLater(self.reactor, 0.005)

    async def test_a_host_name_is_checked_and_sent(self) -> None:
        """The client looks for `localhost` in the certificate, and names it to the server (SNI)."""
        names: list[str | None] = []
        context = self.context(self.authority.issue("localhost"))
        context.sni_callback = lambda tls, name, own: names.append(name)
        server = TlsServer(context, lambda protocol: (protocol.end.end(), protocol.flush()))
        _, error = await self.fate(server, "localhost")
        self.assertIsInstance(error, ConnectionDone)
        self.assertEqual(names, ["localhost"])
        wrong = self.authority.issue("elsewhere.example")
        self.assertIn("hostname mismatch, it is not for 'localhost'", await self.refusal(wrong, "localhost"))

    async def test_self_signed(self) -> None:
        """Right host, right dates, signed by itself."""
        self.assertIn("self signed", await self.refusal(self.authority.issue(own=True)))

    async def test_not_yet_valid(self) -> None:
        """A certificate from the future. Perhaps our clock is wrong."""
        self.assertIn("not yet valid", await self.refusal(self.authority.issue(days=30)))

    async def test_old_versions_are_refused(self) -> None:
        """A server with TLS 1.1 at most."""
        heard, error = await self.fate(TlsServer(self.context(newest=ssl.TLSVersion.TLSv1_1)))
        self.assertEqual(heard, b"")
        self.assertIn("TLS failed:", str(error))
        self.assertIn("version", str(error))

    async def test_truncated(self) -> None:
        """Data and a FIN without close_notify: the data is kept, the end is an error."""

        def hang_up(protocol: ServerProtocol) -> None:
            protocol.send(b"some data")
            protocol.transport.loseConnection()

        heard, error = await self.fate(TlsServer(self.context(), hang_up))
        self.assertEqual(heard, b"some data")
        self.assertIsInstance(error, TlsError)
        self.assertIn("truncated", str(error))

    async def test_closed(self) -> None:
        """Data, close_notify and FIN are a clean end."""

        def close(protocol: ServerProtocol) -> None:
            protocol.send(b"some data")
            protocol.end.end()
            protocol.flush()
            protocol.transport.loseConnection()

        heard, error = await self.fate(TlsServer(self.context(), close))
        self.assertEqual(heard, b"some data")
        self.assertIsInstance(error, ConnectionDone)

    async def test_cut(self) -> None:
        """A reset."""
        server = TlsServer(self.context(), on_data=lambda protocol: protocol.transport.abortConnection())
        _, error = await self.fate(server)
        self.assertIsInstance(error, ConnectionLost)

    async def test_cut_in_the_handshake(self) -> None:
        """The server hangs up at the first byte."""
        server = TlsServer(self.context())
        server.buildProtocol = HangUp  # type: ignore[method-assign]
        _, error = await self.fate(server)
        self.assertIn("during the TLS handshake", str(error))

    async def test_five_megabytes(self) -> None:
        """The largest answer seen so far, in records of 16 KiB and reads of 64."""
        payload = bytes(range(256)) * 20_000

        def answer(protocol: ServerProtocol) -> None:
            protocol.send(payload)
            protocol.end.end()
            protocol.flush()

        heard, error = await self.fate(TlsServer(self.context(), answer))
        self.assertEqual(heard, payload)
        self.assertIsInstance(error, ConnectionDone)

    async def test_a_slow_reader_slows_the_server(self) -> None:
        """While the protocol above pauses, the client reads nothing. The data waits in the server's buffer."""
        payload = b"x" * 20_000_000
        sessions: list[ServerProtocol] = []
        dial = self.dial(TlsServer(self.context(), sessions.append))
        await self.until(lambda: sessions and sessions[0].end.received)
        client, server = dial.client, sessions[0]
        client.transport.pauseProducing()
        server.send(payload)
        for _ in range(20):
            await deferLater(self.reactor, 0.005)
        self.assertEqual(client.heard, b"")
        self.assertGreater(len(server.transport.dataBuffer) + server.transport._tempDataLen, 1_000_000)
        client.transport.resumeProducing()
        await self.until(lambda: sum(map(len, client.reads)) == len(payload))
        client.transport.loseConnection()
        await dial.over
        self.assertIsInstance(client.lost[0].value, ConnectionDone)
        await self.until(lambda: server.end.ended)

    def test_a_host_without_a_name(self) -> None:
        """A host name that no certificate can have is a wrong setting, not a failed dial."""
        error = self.assertRaises(ConfigError, make_dialer, self.reactor, "wss://.:443/", None, 5.0)
        self.assertIn("websocket_url", str(error))

    def test_versions_and_renegotiation(self) -> None:
        """The options every context gets."""
        from gatherer.exchange.tls.records import TlsClient
        from gatherer.exchange.tls.trust import trust_root

        options = TlsClient("localhost", trust_root(None))._context.set_options(0)
        for option in (SSL.OP_NO_RENEGOTIATION, SSL.OP_NO_COMPRESSION):
            self.assertTrue(options & option)


class HangUp(ServerProtocol):
    """Closes TCP at the first bytes."""

    def __init__(self, addr: Any) -> None:
        """It needs no TLS context."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.loseConnection()
