"""What other machines and users can reach and read: ports, key material."""

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from gatherer.app.builder import Builder
from gatherer.config.settings import Settings, WebSettings
from gatherer.exchange.auth import Signer
from gatherer.router.memory import MemoryRouter


class WebExposureTests(SynchronousTestCase):
    """`[web] listen` on an address that other machines can reach."""

    def warnings(self, listen: str) -> list[str]:
        """The log of a gatherer with that setting before it starts."""
        settings = replace(Settings(), web=WebSettings(listen=listen))
        signer = Signer("id", Ed25519PrivateKey.generate())
        with capturedLogs() as events:
            Builder(settings, signer, MemoryReactorClock(), lambda: 0.5, self.fail).gatherer(MemoryRouter())
        return [str(event["log_format"]) for event in events if event["log_level"] is LogLevel.warn]

    def test_the_default_says_nothing(self) -> None:
        """There is no warning for loopback addresses and for a socket in the file system."""
        for listen in (
            WebSettings().listen,
            "tcp6:1:interface=\\:\\:1",
            "unix:/tmp/x",
            "tcp:1:interface=localhost",
            "",
        ):
            self.assertEqual(self.warnings(listen), [], listen)

    def test_every_other_address_is_told(self) -> None:
        """There is a warning for all interfaces (Twisted's default), and for each address that is not loopback."""
        for listen in ("tcp:9090", "tcp:9090:interface=0.0.0.0", "tcp:9090:interface=192.0.2.1", "tcp6:9090"):
            (line,) = self.warnings(listen)
            self.assertIn("read-only", line)
