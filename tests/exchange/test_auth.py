"""Signatures that the exchange accepts, and keys that are refused."""

import base64
import logging
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from twisted.trial.unittest import SynchronousTestCase

from gatherer.errors import ConfigError
from gatherer.exchange.auth import Signer, load_key, load_signer

RSA_KEY = rsa.generate_private_key(65537, 2048)  # made once: each takes about 100 ms
ED_KEY = ed25519.Ed25519PrivateKey.generate()

Format = serialization.PrivateFormat


def pem_of(
    key: PrivateKeyTypes, form: serialization.PrivateFormat = Format.PKCS8, password: bytes | None = None
) -> bytes:
    """A key as PEM text, encrypted when there is a password."""
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, lock)


class SignerTests(SynchronousTestCase):
    """The signed text and the headers."""

    def test_rsa_signature_verifies(self) -> None:
        """An RSA signature is PSS with SHA-256, MGF1-SHA-256 and exactly 32 bytes of salt."""
        headers = Signer("key-1", RSA_KEY).headers("GET", "/trade-api/ws/v2", 1_792_072_800_123)
        self.assertEqual(headers["KALSHI-ACCESS-KEY"], "key-1")
        self.assertEqual(headers["KALSHI-ACCESS-TIMESTAMP"], "1792072800123")
        RSA_KEY.public_key().verify(
            base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"], validate=True),
            b"1792072800123GET/trade-api/ws/v2",
            padding.PSS(padding.MGF1(hashes.SHA256()), 32),
            hashes.SHA256(),
        )

    def test_ed25519_signs_the_bytes_directly(self) -> None:
        """An Ed25519 signature covers the text itself, not its hash."""
        headers = Signer("key-1", ED_KEY).headers("GET", "/trade-api/v2/markets", 5)
        signature = base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"], validate=True)
        ED_KEY.public_key().verify(signature, b"5GET/trade-api/v2/markets")

    def test_query_is_not_signed(self) -> None:
        """The query string is cut off, and the method is sent in capitals."""
        signer = Signer("k", ED_KEY)  # Ed25519 signatures are deterministic, so they can be compared
        self.assertEqual(signer.headers("get", "/a?cursor=x&y=%3F", 7), signer.headers("GET", "/a", 7))

    def test_time_and_path_and_method_matter(self) -> None:
        """A signature for one request does not pass for another."""
        headers = Signer("k", ED_KEY).headers("GET", "/a", 7)
        signature = base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"])
        for other in (b"8GET/a", b"7GET/b", b"7POST/a"):
            with self.assertRaises(InvalidSignature):
                ED_KEY.public_key().verify(signature, other)

    def test_nothing_printable_shows_the_key(self) -> None:
        """repr, str, format and a log line of a signer never show key material."""
        secrets = [str(RSA_KEY.private_numbers().d), pem_of(RSA_KEY).decode().splitlines()[2]]
        secrets += [ED_KEY.private_bytes_raw().hex(), pem_of(ED_KEY).decode().splitlines()[1], "PRIVATE"]
        for signer in (Signer("k", RSA_KEY), Signer("k", ED_KEY)):
            record = logging.LogRecord("x", logging.INFO, "", 0, "%r %s", (signer, signer), None)
            shown = f"{signer!r} {signer} {record.getMessage()} {signer.headers('GET', '/a', 1)}"
            for secret in secrets:
                self.assertNotIn(secret, shown)
            self.assertNotIn("private", repr(signer))


class LoadKeyTests(SynchronousTestCase):
    """Which files `load_key` accepts, and its errors for the others."""

    def write(self, content: bytes, mode: int = 0o600) -> str:
        """The path of a file with this content and mode."""
        path = Path(self.mktemp())
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)

    def refused(self, path: str) -> str:
        """The error for a refused key file. It always names the file."""
        text = str(self.assertRaises(ConfigError, load_key, path))
        self.assertIn(path, text)
        return text

    def test_every_form_the_exchange_hands_out(self) -> None:
        """PKCS#8 and PKCS#1 RSA keys and PKCS#8 Ed25519 keys load and sign, with any header."""
        for pem in (pem_of(RSA_KEY), pem_of(RSA_KEY, Format.TraditionalOpenSSL), pem_of(ED_KEY)):
            for content in (pem, pem.replace(b"\n", b"\r\n"), b"\n" + pem):
                signer = load_signer("k", self.write(content))
                self.assertIn("KALSHI-ACCESS-SIGNATURE", signer.headers("GET", "/", 1))

    def test_other_kinds_are_refused_by_name(self) -> None:
        """An elliptic curve key is refused, and the error names the kinds that are accepted."""
        text = self.refused(self.write(pem_of(ec.generate_private_key(ec.SECP256R1()))))
        self.assertIn("RSA and Ed25519", text)

    def test_encrypted_key(self) -> None:
        """A key with a password is refused as encrypted, in both PEM forms."""
        for form in (Format.PKCS8, Format.TraditionalOpenSSL):
            self.assertIn("encrypted", self.refused(self.write(pem_of(RSA_KEY, form, b"pw"))))

    def test_public_key(self) -> None:
        """A public key is refused, and the error says that it is public."""
        pem = RSA_KEY.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.assertIn("public key", self.refused(self.write(pem)))

    def test_garbage(self) -> None:
        """Empty, foreign, cut and damaged files are refused, and the error quotes nothing of them."""
        pem = pem_of(RSA_KEY)
        self.assertIn("no PEM private key", self.refused(self.write(b"")))
        self.assertIn("no PEM private key", self.refused(self.write(b"\x00\xff" * 50)))
        for broken in (pem[:400], pem.replace(pem[100:110], b"!!!!!!!!!!"), pem.replace(b"MII", b"AAA", 1)):
            text = self.refused(self.write(broken))
            self.assertIn("damaged", text)
            self.assertNotIn(pem[200:220].decode(), text)

    def test_missing_directory_and_fifo(self) -> None:
        """A path that is not a regular file is refused at once: a FIFO does not block the start."""
        self.assertIn("No such file", self.refused(self.mktemp()))
        directory, fifo = self.mktemp(), self.mktemp()
        os.mkdir(directory)
        os.mkfifo(fifo, 0o600)
        self.assertIn("Is a directory", self.refused(directory))
        self.assertIn("regular file", self.refused(fifo))
        self.assertRaises(ConfigError, load_key, "nul\0byte")

    def test_unreadable(self) -> None:
        """A file that cannot be opened is refused with the system's reason."""

        def deny(name: str, flags: int) -> int:
            raise PermissionError(13, "Permission denied")

        path = self.write(pem_of(ED_KEY))
        self.patch(os, "open", deny)
        self.assertIn("Permission denied", self.refused(path))

    def test_open_to_others(self) -> None:
        """A key that group or others can use is refused, and the error names the command that fixes it."""
        for mode in (0o640, 0o440, 0o604, 0o620, 0o666):
            path = self.write(pem_of(ED_KEY), mode)
            self.owned_by(1000)
            self.assertIn(f"chmod 600 {path}", self.refused(path))
        for mode in (0o600, 0o400):
            load_key(self.write(pem_of(ED_KEY), mode))

    def test_a_group_the_superuser_lets_read(self) -> None:
        """The group may read a file of root. A systemd credential with an ACL looks like that, and an administrator may
        share a key so. The group may not write it, and others may not read it."""
        self.owned_by(0)
        for mode in (0o440, 0o640, 0o400):
            load_key(self.write(pem_of(ED_KEY), mode))
        for mode in (0o444, 0o460, 0o450, 0o660, 0o644):
            path = self.write(pem_of(ED_KEY), mode)
            self.assertIn(f"chmod 600 {path}", self.refused(path))

    def owned_by(self, user: int) -> None:
        """Make files appear to belong to this user: a test may not be allowed to change their owner."""
        real = os.fstat

        def fstat(fd: int) -> os.stat_result:
            found = list(real(fd))
            found[4] = user
            return os.stat_result(found)

        self.patch(os, "fstat", fstat)

    def test_oversized(self) -> None:
        """A huge file is refused without reading it."""
        self.assertIn("too many", self.refused(self.write(pem_of(ED_KEY) + b"\n" * 70_000)))

    def test_key_id_must_fit_a_header(self) -> None:
        """An empty key id, or one with a line break, is a configuration error."""
        path = self.write(pem_of(ED_KEY))
        for key_id in ("", "a\r\nX: y", "a b", "\u00e9"):
            self.assertIn("key_id", str(self.assertRaises(ConfigError, load_signer, key_id, path)))
