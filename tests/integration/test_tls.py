"""WebSockets over TLS on loopback: which servers we trust, and what the log says about the others."""

import random
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from gatherer.core.backoff import Backoff
from gatherer.exchange.auth import Signer, SigningQueue
from gatherer.exchange.websocket.client import WebSocketClient
from gatherer.exchange.websocket.dialing import Dialing, DialPacer, make_dialer
from gatherer.simulator.exchange import Exchange
from gatherer.simulator.service import SimulatorService
from tests.support.certificates import Authority
from tests.support.sockets import RecordingListener


class TlsTests(TestCase):
    """A simulator behind a certificate of our own authority."""

    timeout = 30

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.authority = Authority()
        self.ca_file = self.mktemp()
        Path(self.ca_file).write_bytes(self.authority.pem)

    async def dial(self, pem: bytes, ca_file: str | None, key: Any = None) -> RecordingListener:
        """Dial once. Returns the listener when the dial has ended."""
        key = key or Ed25519PrivateKey.generate()
        options = PrivateCertificate.loadPEM(pem).options()
        secure = SSL4ServerEndpoint(self.reactor, 0, options, interface="127.0.0.1")
        plain = TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1")
        exchange = Exchange(10, now=self.reactor.seconds(), clock=self.reactor)
        simulator = SimulatorService(self.reactor, exchange, secure, plain, {"id": key.public_key()})
        simulator.startService()
        port, _ = await simulator.when_listening()
        listener = RecordingListener()
        client = self.client(f"wss://127.0.0.1:{port}/trade-api/ws/v2", ca_file, listener, Signer("id", key))
        client.start()
        while not listener.calls:
            await deferLater(self.reactor, 0.01)
        await client.stop()
        await simulator.stopService()
        return listener

    def client(self, url: str, ca_file: str | None, listener: Any, signer: Signer) -> WebSocketClient:
        """A real client with the real dialler."""
        dialer = make_dialer(self.reactor, url, ca_file, 5.0)
        sign = lambda: signer.headers("GET", "/trade-api/ws/v2", int(self.reactor.seconds() * 1000))  # noqa: E731
        pacer = DialPacer(self.reactor, 10.0)
        dialing = Dialing(url, dialer, SigningQueue(self.reactor, sign), pacer, self.reactor, time.time_ns, 5.0)
        return WebSocketClient(listener, dialing, Backoff(60.0, 60.0, 2.0, 0.0, random.random))

    def check_refused(self, pem: bytes, ca_file: str | None, words: str) -> Deferred[None]:
        """The dial fails, and the reason names the cause."""

        async def scenario() -> None:
            listener = await self.dial(pem, ca_file)
            self.assertEqual(listener.calls[0][0], "closed")
            self.assertIn(words, str(listener.calls[0][1]))

        return Deferred.fromCoroutine(scenario())

    async def test_ca_file_adds_an_authority(self) -> None:
        """With it the upgrade succeeds, with either kind of key."""
        for key in (Ed25519PrivateKey.generate(), generate_private_key(65537, 2048)):
            listener = await self.dial(self.authority.issue(), self.ca_file, key)
            self.assertEqual(listener.calls[0], ("opened",))

    def test_an_unknown_authority_is_refused(self) -> Deferred[None]:
        """The system does not know the authority, so the dial fails."""
        return self.check_refused(self.authority.issue(), None, "certificate verify failed")

    def test_another_host_is_refused(self) -> Deferred[None]:
        """A valid certificate for another host."""
        return self.check_refused(
            self.authority.issue("127.0.0.2"), self.ca_file, "hostname mismatch, it is not for '127.0.0.1'"
        )

    def test_an_expired_certificate_is_refused(self) -> Deferred[None]:
        """A certificate that expired a day ago."""
        return self.check_refused(self.authority.issue(days=-1), self.ca_file, "cert has expired")
