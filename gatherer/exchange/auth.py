"""Signed request headers: the key, the signature, and the queue for signatures (protocol section 1, "Authentication").

Key material stays inside the `cryptography` key object: nothing here prints, logs or compares it.
"""

import base64
import os
import stat
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gatherer.errors import ConfigError

Headers = Mapping[str, str]


PrivateKey = RSAPrivateKey | Ed25519PrivateKey

_MAX_KEY_BYTES = 64 * 1024
"""Every PEM key is much shorter. A wrong path may name a huge file."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests with one API key. Sign when dialling: the exchange allows about ±10 s of clock skew."""

    key_id: str
    private_key: PrivateKey = field(repr=False, compare=False)

    def headers(self, method: str, path: str, now_ms: int) -> dict[str, str]:
        """The three headers of a request that is sent now. `now_ms` is Unix time in milliseconds.

        `path` is the full path from `/trade-api/`. A query is cut off, because it is not signed.
        """
        message = f"{now_ms}{method.upper()}{path.partition('?')[0]}".encode()
        return {
            "KALSHI-ACCESS-KEY": self.key_id,
            "KALSHI-ACCESS-TIMESTAMP": str(now_ms),
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(self._sign(message)).decode("ascii"),
        }

    def _sign(self, message: bytes) -> bytes:
        if isinstance(self.private_key, Ed25519PrivateKey):
            return self.private_key.sign(message)
        padding = PSS(mgf=MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)
        return self.private_key.sign(message, padding, hashes.SHA256())


class CurrentSigner:
    """Signs with the current key. A new key is used from the next dial and request on."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def headers(self, method: str, path: str, now_ms: int) -> dict[str, str]:
        """See `Signer.headers`."""
        return self._signer.headers(method, path, now_ms)

    def replace(self, signer: Signer) -> None:
        """Use this signer from now on."""
        self._signer = signer


class SigningQueue:
    """Signs on request: first come, first served, one signature in each turn of the reactor.

    A signature takes 0.3 ms with an RSA key of 2,048 bits and 1.6 ms with 4,096. Dials are paced, but after a hiccup of
    the network the sockets of many dials come up in the same turn; 150 signatures in it would be a quarter of a second.
    """

    def __init__(self, clock: IReactorTime, sign: Callable[[], Headers]) -> None:
        """`sign` returns the headers of a request that is sent now."""
        self._clock = clock
        self._sign = sign
        self._waiting: deque[Deferred[Headers]] = deque()
        self._call: IDelayedCall | None = None

    def __call__(self) -> Deferred[Headers]:
        """Fires with headers that are signed in the same turn. Fails with what `sign` raises. Cancel the Deferred if
        the headers are no longer needed."""
        signed: Deferred[Headers] = Deferred(self._forget)
        self._waiting.append(signed)
        self._arm()
        return signed

    def _arm(self) -> None:
        if self._waiting and self._call is None:
            self._call = self._clock.callLater(0, self._next)

    def _next(self) -> None:
        self._call = None
        signed = self._waiting.popleft()
        self._arm()
        try:
            headers = self._sign()
        except Exception:
            signed.errback()
        else:
            signed.callback(headers)

    def _forget(self, signed: Deferred[Headers]) -> None:
        if signed in self._waiting:
            self._waiting.remove(signed)
        if not self._waiting and self._call is not None:
            self._call.cancel()
            self._call = None


def load_signer(key_id: str, path: str | os.PathLike[str]) -> Signer:
    """The signer of one API key. Raises `ConfigError` like `load_key`, and for an unusable key id."""
    if not key_id or not key_id.isascii() or not key_id.isprintable() or " " in key_id:
        raise ConfigError(f"key_id {key_id!r} cannot be sent in a header: copy it from the exchange's API keys page")
    return Signer(key_id, load_key(path))


def load_key(path: str | os.PathLike[str]) -> PrivateKey:
    """Read a PEM private key, PKCS#8 or PKCS#1, RSA or Ed25519.

    Raises `ConfigError` with the file and the cause if the file is missing, if others than its owner may read it, or if
    it holds anything else. The header of a PKCS#8 file does not name the kind of key, so the kind is checked after
    loading.
    """
    name = os.fspath(path)
    pem = _read_private_file(name)
    if b"PRIVATE KEY" not in pem:
        what = "a public key" if b"PUBLIC KEY" in pem else "no PEM private key"
        raise ConfigError(f"{name}: holds {what}; need the PEM private key that belongs to key_id")
    key = _parse(name, pem)
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ConfigError(f"{name}: is a {type(key).__name__}; the exchange takes RSA and Ed25519 keys only")
    return key


def _parse(name: str, pem: bytes) -> object:
    try:
        return load_pem_private_key(pem, password=None)
    except TypeError:  # the library raises it when a password is needed
        raise ConfigError(
            f"{name}: the key is encrypted; store it without a password, readable by its owner only"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        # The library's own text may quote the file, so it is left out.
        raise ConfigError(f"{name}: the PEM private key is damaged or of an unknown kind") from None


def _read_private_file(name: str) -> bytes:
    try:
        with open(name, "rb", opener=_open_at_once) as file:
            return _read_checked(name, file)
    except ValueError as error:
        raise ConfigError(f"{name!r}: not a usable path: {error}") from None
    except OSError as error:
        raise ConfigError(f"{name}: cannot read the private key: {error.strerror or error}") from None


def _open_at_once(name: str, flags: int) -> int:
    """Open without waiting: a FIFO must not block the start."""
    return os.open(name, flags | os.O_NONBLOCK)


def _read_checked(name: str, file: BinaryIO) -> bytes:
    """Check the mode and read the content of the same open file, so that it cannot be swapped in between."""
    info = os.fstat(file.fileno())
    if not stat.S_ISREG(info.st_mode):
        raise ConfigError(f"{name}: is not a regular file")
    # Root may let a group read a key, and systemd does: a credential belongs to root, and an ACL lets one user read it.
    # The file's mode shows the ACL as the right of the group.
    allowed = stat.S_IRGRP if info.st_uid == 0 else 0
    if info.st_mode & 0o077 & ~allowed:
        mode = stat.S_IMODE(info.st_mode)
        raise ConfigError(f"{name}: mode {mode:04o} lets others use the private key; run: chmod 600 {Path(name)}")
    if info.st_size > _MAX_KEY_BYTES:
        raise ConfigError(f"{name}: holds {info.st_size} bytes, too many for a private key")
    return file.read(_MAX_KEY_BYTES)
