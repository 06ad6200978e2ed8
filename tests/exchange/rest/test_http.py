"""HTTP over real loopback sockets: trusted authorities, closed connections, and limits."""

from pathlib import Path
from typing import Any, cast
from unittest import mock

from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from gatherer.errors import ConfigError, RestError
from gatherer.exchange.auth import Signer
from gatherer.exchange.rest.client import RestClient
from gatherer.exchange.rest.http import make_http_client
from gatherer.exchange.tls.trust import PlatformTrustAnd, trust_root
from tests.support.certificates import Authority
from tests.support.wall import wall_of


class StatusPage(Resource):
    """Answers every request with the status; remembers its connections."""

    isLeaf = True

    def __init__(self) -> None:
        Resource.__init__(self)
        self.peers: list[Any] = []

    def render_GET(self, request: Any) -> bytes:
        self.peers.append(request.getClientAddress().port)
        return b'{"exchange_active": true, "trading_active": true}'


class HalfPage(Resource):
    """Sends half a body and waits for the other side to hang up."""

    isLeaf = True

    def __init__(self) -> None:
        Resource.__init__(self)
        self.hung_up: Deferred[None] = Deferred()

    def render_GET(self, request: Any) -> int:
        request.notifyFinish().addErrback(lambda reason: reason.trap(ConnectionDone, ConnectionLost)).chainDeferred(
            self.hung_up
        )
        request.write(b'{"exchange_active": ')
        return NOT_DONE_YET


class TlsTests(TestCase):
    """A server with a certificate that no system trusts."""

    timeout = 10

    def setUp(self) -> None:
        """Listen with a certificate of our own authority."""
        from twisted.internet import reactor

        self.reactor = cast(Any, reactor)
        self.authority = Authority()
        self.page = StatusPage()
        options = PrivateCertificate.loadPEM(self.authority.issue()).options()
        self.port = self.reactor.listenSSL(0, Site(self.page), options, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.ca_file = self.mktemp()
        Path(self.ca_file).write_bytes(Authority().pem + self.authority.pem)

    def client(self, ca_file: str | None) -> RestClient:
        """A REST client that tries twice, quickly."""
        base = f"https://127.0.0.1:{self.port.getHost().port}/v2"
        http = make_http_client(self.reactor, ca_file)
        rest = RestClient(
            http, base, Signer("k", ed25519.Ed25519PrivateKey.generate()), self.reactor, wall_of(self.reactor), tries=1
        )
        self.addCleanup(rest.close)
        return rest

    def test_ca_file_is_trusted_and_connections_are_reused(self) -> Deferred[None]:
        """With the authority in `ca_file` (one of several) requests pass, over one connection, and close ends it."""

        async def scenario() -> None:
            rest = self.client(self.ca_file)
            for _ in range(3):
                self.assertTrue((await rest.exchange_status()).trading_active)
            self.assertEqual(len(set(self.page.peers)), 1)
            await rest.close()
            await rest.close()
            await deferLater(self.reactor, 0)

        return ensureDeferred(scenario())

    def test_unknown_authority_is_refused(self) -> Deferred[None]:
        """Without it the handshake fails, and the error says that the certificate was the reason."""

        async def scenario() -> None:
            try:
                await self.client(None).exchange_status()
            except RestError as error:
                self.assertIn("certificate verify failed", error.reason)
            else:
                self.fail("an unknown authority was trusted")
            self.assertEqual(self.page.peers, [])

        return ensureDeferred(scenario())


class HangUpTests(TestCase):
    """A server that never finishes its body."""

    timeout = 10

    def test_time_out_within_a_body_hangs_up(self) -> Deferred[None]:
        """When the time is up in the middle of a body, the connection is closed, not left to trickle."""
        from twisted.internet import reactor

        clock = cast(Any, reactor)
        page = HalfPage()
        port = clock.listenTCP(0, Site(page), interface="127.0.0.1")
        self.addCleanup(port.stopListening)

        async def scenario() -> None:
            base = f"http://127.0.0.1:{port.getHost().port}/v2"
            signer = Signer("k", ed25519.Ed25519PrivateKey.generate())
            rest = RestClient(make_http_client(clock), base, signer, clock, wall_of(clock), tries=1, timeout=0.1)
            try:
                await rest.exchange_status()
            except RestError as error:
                self.assertIn("no complete answer within 0.1 s", error.reason)
            await page.hung_up
            await rest.close()

        return ensureDeferred(scenario())


class TrustTests(SynchronousTestCase):
    """The effect of `ca_file`."""

    def test_adds_and_does_not_replace(self) -> None:
        """The system's authorities stay trusted beside those of the file."""
        path = self.mktemp()
        Path(path).write_bytes(Authority().pem + Authority().pem)
        context = mock.Mock()
        root = trust_root(path)
        self.assertIsInstance(root, PlatformTrustAnd)
        root._addCACertsToContext(context)
        context.set_default_verify_paths.assert_called_once_with()
        self.assertEqual(context.get_cert_store.return_value.add_cert.call_count, 2)

    def test_unusable_files(self) -> None:
        """A file that is missing, empty, or no certificate is a configuration error that names it."""
        missing, empty, garbage = self.mktemp(), self.mktemp(), self.mktemp()
        Path(empty).write_bytes(b"")
        Path(garbage).write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        for path in (missing, empty, garbage):
            self.assertIn(path, str(self.assertRaises(ConfigError, trust_root, path)))
