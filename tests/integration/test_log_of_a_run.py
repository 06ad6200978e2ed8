"""The whole log of a run on real sockets, at debug, in both formats: what each line has, and what none may have."""

import base64
import io
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from gatherer.config.settings import PoolSettings
from gatherer.exchange.auth import PrivateKey, Signer
from gatherer.log.levels import LevelControl
from gatherer.log.observer import make_observer
from gatherer.log.repeats import MAX_LINES
from tests.support.loopback_service import LoopbackService, run

POOL = PoolSettings(dial_rate=500.0, orderbook=24, min_healthy=30)
SIZE = 30


def secrets_of(key: PrivateKey) -> set[str]:
    """The key as text in every notation, in pieces as long as a line of PEM."""
    found = set()
    for encoding in (Encoding.PEM, Encoding.DER):
        data = key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
        found |= {line for line in data.decode("latin-1").splitlines() if len(line) >= SIZE and "---" not in line}
        for text in (data.hex(), base64.b64encode(data).decode()):
            found |= {text[at : at + SIZE] for at in range(0, len(text) - SIZE, SIZE)}
    return found


class LogTests(TestCase):
    """A start, refused keys and REST errors, many lost sockets, odd messages, a bug, a stop."""

    timeout = 90

    def scene(self, key: PrivateKey, style: str) -> Deferred[str]:
        """The log of it."""
        from twisted.internet import reactor

        stream = io.StringIO()
        observer = make_observer(stream, style, LevelControl("debug"))
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

        async def play() -> str:
            loopback = LoopbackService(reactor, self.mktemp(), 100, 200.0, POOL, key=key)
            try:
                loopback.exchange.faults.refuse_upgrade(401, times=4)
                loopback.exchange.faults.rest_status(401)
                loopback.exchange.faults.rest_status(503, times=2)
                await loopback.open()
                loopback.exchange.faults.garbage("json")
                loopback.exchange.faults.garbage("unknown_type")
                loopback.exchange.faults.error(18, times=2)
                loopback.exchange.faults.cut(count=30)
                await loopback.pause(0.5)
                await loopback.until(loopback.is_whole)
                loopback.exchange.create_market()
                await loopback.until(loopback.is_whole)
                loopback.gatherer.manager.upgrade_refused(None)  # a bug that logs its argument
            except AttributeError as error:
                loopback.gatherer.manager._log.failure("a bug with {signer}", signer=Signer("test", key), cause=error)
            finally:
                await loopback.close()
            self.flushLoggedErrors()
            return stream.getvalue()

        return run(play())

    def collect_signatures(self) -> list[str]:
        """Each that is made from now on."""
        made: list[str] = []
        headers = Signer.headers

        def remembering(signer: Signer, method: str, path: str, now_ms: int) -> dict[str, str]:
            signed = headers(signer, method, path, now_ms)
            made.append(signed["KALSHI-ACCESS-SIGNATURE"])
            return signed

        self.patch(Signer, "headers", remembering)
        return made

    async def test_no_key_material(self) -> None:
        """No piece of either kind of key, no PEM, no signature and no header of one, at debug, in text and in JSON."""
        keys: tuple[PrivateKey, ...] = (Ed25519PrivateKey.generate(), generate_private_key(65537, 2048))
        for key, style in zip(keys, ("text", "json"), strict=True):
            made = self.collect_signatures()
            log = await self.scene(key, style)
            self.assertGreater(len(made), 60)
            self.assertIn("HTTP 401", log)
            self.assertIn("a bug with", log)
            for secret in {*made, *(one[:SIZE] for one in made), *secrets_of(key), "-----BEGIN", "ACCESS-SIGNATURE"}:
                self.assertNotIn(secret, log)

    async def test_each_line_is_an_object(self) -> None:
        """JSON: every line has time, level, component and event, and no unknown key."""
        log = await self.scene(Ed25519PrivateKey.generate(), "json")
        records: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
        self.assertGreater(len(records), 50)
        for record in records:
            self.assertEqual(set(record) - {"fields", "traceback"}, {"time", "level", "component", "event"})
            self.assertIn(record["level"], ("debug", "info", "warn", "error", "critical"))
            self.assertTrue(
                record["component"].startswith(("gatherer.", "twisted.", "autobahn.", "log_legacy", "-")), record
            )
        lost = [record for record in records if "lost:" in record["event"]]
        self.assertLessEqual(len(lost), MAX_LINES + 2)
        self.assertGreater(len(lost), 1)
