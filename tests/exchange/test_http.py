"""HTTP over real loopback sockets: whom we trust, what is left behind, and who hangs up."""

import datetime
import ipaddress
from pathlib import Path
from typing import Any, cast
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from gatherer.errors import ConfigError, RestError
from gatherer.exchange.auth import Signer
from gatherer.exchange.http import clock_skew, make_http_client
from gatherer.exchange.rest import RestClient
from gatherer.exchange.tls import PlatformTrustAnd, trust_root

PEM = serialization.Encoding.PEM


def make_certificate(
    name: str, issuer: "tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None" = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """An authority, or a certificate it issued for 127.0.0.1; made at run time and never stored."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, signing_key = (issuer[0].subject, issuer[1]) if issuer else (subject, key)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
    )
    return builder.sign(signing_key, hashes.SHA256()), key


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
    """A server whose certificate no system trusts."""

    timeout = 10

    def setUp(self) -> None:
        """Listen with a certificate of our own authority."""
        from twisted.internet import reactor

        self.reactor = cast(Any, reactor)
        self.authority = make_certificate("our authority")
        certificate, key = make_certificate("server", self.authority)
        plain = serialization.NoEncryption()
        pem = certificate.public_bytes(PEM) + key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, plain)
        self.page = StatusPage()
        options = PrivateCertificate.loadPEM(pem).options()
        self.port = self.reactor.listenSSL(0, Site(self.page), options, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.ca_file = self.mktemp()
        Path(self.ca_file).write_bytes(
            make_certificate("another")[0].public_bytes(PEM) + self.authority[0].public_bytes(PEM)
        )

    def client(self, ca_file: str | None) -> RestClient:
        """A REST client that tries twice, quickly."""
        base = f"https://127.0.0.1:{self.port.getHost().port}/v2"
        http = make_http_client(self.reactor, ca_file)
        rest = RestClient(http, base, Signer("k", ed25519.Ed25519PrivateKey.generate()), self.reactor, tries=1)
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
            rest = RestClient(make_http_client(clock), base, signer, clock, tries=1, timeout=0.1)
            try:
                await rest.exchange_status()
            except RestError as error:
                self.assertIn("no complete answer within 0.1 s", error.reason)
            await page.hung_up
            await rest.close()

        return ensureDeferred(scenario())


class TrustTests(SynchronousTestCase):
    """What `ca_file` does."""

    def test_adds_and_does_not_replace(self) -> None:
        """The system's authorities stay trusted beside those of the file."""
        path = self.mktemp()
        Path(path).write_bytes(b"".join(make_certificate(name)[0].public_bytes(PEM) for name in "ab"))
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

    def test_date_headers(self) -> None:
        """A Date header gives the skew; a missing or odd one gives none."""
        self.assertEqual(clock_skew("Thu, 15 Oct 2026 14:00:00 GMT", 1792072803.0), 3.0)
        for odd in ("", "yesterday", "Thu, 99 Oct 2026 14:00:00 GMT"):
            self.assertIsNone(clock_skew(odd, 0.0))
