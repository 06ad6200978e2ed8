"""Who comes in (protocol section 1), and how often (section 6)."""

import os

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import SynchronousTestCase

from gatherer.errors import ConfigError
from gatherer.simulator.server.auth import KeyRing, load_public_key
from gatherer.simulator.server.rate_limit import AccountBucket, RateLimiter
from tests.simulator.keys import PrivateKey, ed25519_key, public_pem, rsa_key, sign, signed
from tests.simulator.rig import NOW

PATH = "/trade-api/ws/v2"


class KeyRingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.rsa, self.ed = rsa_key(), ed25519_key()
        self.ring = KeyRing({"rsa": self.rsa.public_key(), "ed": self.ed.public_key()})

    def refusal(
        self, key: PrivateKey, key_id: str = "rsa", path: str = PATH, at: float = NOW, /, **changes: str
    ) -> str:
        """Code and detail of the 401, empty text when the request is let in."""
        headers = {name.lower(): value for name, value in signed(key, key_id, "GET", path, at).items()} | {
            f"kalshi-access-{name}": value for name, value in changes.items()
        }
        body = self.ring.refuse(headers, "GET", PATH, NOW)
        error = msgspec.json.decode(body)["error"] if body is not None else {}
        return " ".join(error[name] for name in ("code", "details") if name in error)

    def test_both_kinds_of_key_open_the_door(self) -> None:
        """RSA-PSS with SHA-256, salt 32; Ed25519 directly."""
        self.assertEqual((self.refusal(self.rsa), self.refusal(self.ed, "ed")), ("", ""))

    def test_bad_signatures(self) -> None:
        """Another key's, another path's, another salt's, no base64: all INCORRECT_API_KEY_SIGNATURE."""
        text = f"{int(NOW * 1000)}GET{PATH}"
        found = {
            self.refusal(self.ed, "rsa"),
            self.refusal(self.rsa, "ed"),
            self.refusal(self.rsa, "rsa", "/elsewhere"),
            self.refusal(self.rsa, signature=sign(self.rsa, text, salt=20)),
            self.refusal(self.rsa, signature="!"),
        }
        self.assertEqual(found, {"authentication_error INCORRECT_API_KEY_SIGNATURE"})

    def test_unknown_key(self) -> None:
        """NOT_FOUND, as a demo key on production."""
        self.assertEqual(self.refusal(self.rsa, "who"), "authentication_error NOT_FOUND")

    def test_missing_header(self) -> None:
        """Each of the three is needed."""
        for name in ("key", "timestamp", "signature"):
            self.assertEqual(
                self.refusal(self.rsa, "rsa", PATH, NOW, **{name: ""}), "signature_is_missing_from_headers"
            )

    def test_clock_window_is_ten_seconds_either_way(self) -> None:
        """9.9 s off passes, 10.1 s off is header_timestamp_expired."""
        found = [self.refusal(self.rsa, "rsa", PATH, NOW + off) for off in (-10.1, -9.9, 9.9, 10.1)]
        self.assertEqual(found, ["header_timestamp_expired", "", "", "header_timestamp_expired"])
        self.assertEqual(self.refusal(self.rsa, timestamp="noon"), "authentication_error INVALID_TIMESTAMP")


class PublicKeyFileTests(SynchronousTestCase):
    def test_key_files(self) -> None:
        """PEM of either kind loads; anything else is an error that names the file."""
        path = self.mktemp()
        for key in (rsa_key(), ed25519_key()):
            with open(path, "wb") as file:
                file.write(public_pem(key))
            self.assertEqual(load_public_key(path), key.public_key())
        other = generate_private_key(SECP256R1()).public_key()
        for content in (b"", b"not a key", other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
            with open(path, "wb") as file:
                file.write(content)
            self.assertIn(path, str(self.assertRaises(ConfigError, load_public_key, path)))
        os.remove(path)
        self.assertIn("No such file", str(self.assertRaises(ConfigError, load_public_key, path)))


class BucketTests(SynchronousTestCase):
    def test_burst_then_rate(self) -> None:
        """A full bucket of 60 tokens is 6 requests at once, then 20 tokens a second are 2 requests."""
        bucket = AccountBucket(rate=20, capacity=60)
        self.assertEqual(sum(bucket.take(0.0) for _ in range(20)), 6)
        self.assertEqual(sum(bucket.take(1.0) for _ in range(20)), 2)
        self.assertEqual(sum(bucket.take(100.0) for _ in range(20)), 6)

    def test_clock_that_steps_back_gives_nothing(self) -> None:
        """No tokens for negative time."""
        bucket = AccountBucket(rate=20, capacity=10)
        self.assertEqual([bucket.take(5.0), bucket.take(0.0)], [True, False])

    def test_accounts_do_not_share(self) -> None:
        """One key's spending does not slow another."""
        buckets = RateLimiter(10, 10)
        self.assertEqual([buckets.take("a", 0), buckets.take("a", 0), buckets.take("b", 0)], [True, False, True])
