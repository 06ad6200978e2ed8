"""Checks signed requests (protocol section 1). Pure: the time is an argument."""

from base64 import b64decode
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gatherer.errors import ConfigError
from gatherer.simulator.feed.wire import encode

PublicKey = RSAPublicKey | Ed25519PublicKey
MAX_SKEW_SECONDS = 10.0
"""How far the time of a signature may be off, in both directions."""
KEY, TIMESTAMP, SIGNATURE = "kalshi-access-key", "kalshi-access-timestamp", "kalshi-access-signature"


def load_public_key(path: str) -> PublicKey:
    """Read an RSA or Ed25519 public key in PEM form. Raises ConfigError that names the file."""
    try:
        with open(path, "rb") as file:
            key = load_pem_public_key(file.read())
    except OSError as error:
        raise ConfigError(f"cannot read public key {path}: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"cannot read public key {path}: not a public key in PEM form") from error
    if not isinstance(key, RSAPublicKey | Ed25519PublicKey):
        raise ConfigError(f"cannot use public key {path}: it must be RSA or Ed25519")
    return key


def _body(code: str, details: str = "") -> bytes:
    """The JSON of a 401."""
    facts = {"code": code, "message": code, "details": details}
    return encode({"error": {key: value for key, value in facts.items() if value}})


def _verify(key: PublicKey, signature: str, text: str) -> bool:
    """Whether a base64 signature of the text was made with the key."""
    try:
        raw = b64decode(signature, validate=True)
        if isinstance(key, Ed25519PublicKey):
            key.verify(raw, text.encode())
        else:
            key.verify(raw, text.encode(), PSS(mgf=MGF1(SHA256()), salt_length=32), SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True


class KeyRing:
    """The public keys of the clients, by key id."""

    def __init__(self, keys: Mapping[str, PublicKey]) -> None:
        self._keys = dict(keys)

    def is_signed(self, headers: Mapping[str, str]) -> bool:
        """Whether a request has any header of a signature."""
        return any(name in headers for name in (KEY, TIMESTAMP, SIGNATURE))

    def refuse(self, headers: Mapping[str, str], method: str, path: str, now: float) -> bytes | None:
        """None for a request with a valid signature, else the JSON body of the 401.

        Header names are lower case, `path` has no query string, `now` is Unix time in seconds.
        """
        if not all(headers.get(name) for name in (KEY, TIMESTAMP, SIGNATURE)):
            return _body("signature_is_missing_from_headers")
        key, timestamp = self._keys.get(headers[KEY]), headers[TIMESTAMP]
        if key is None:
            return _body("authentication_error", "NOT_FOUND")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 20):
            return _body("authentication_error", "INVALID_TIMESTAMP")
        if abs(int(timestamp) / 1000 - now) > MAX_SKEW_SECONDS:
            return _body("header_timestamp_expired")
        if not _verify(key, headers[SIGNATURE], f"{timestamp}{method}{path}"):
            return _body("authentication_error", "INCORRECT_API_KEY_SIGNATURE")
        return None
