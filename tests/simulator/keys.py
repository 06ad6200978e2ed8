"""Keys made for one test run, and what a client signs with them."""

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


def rsa_key() -> RSAPrivateKey:
    """A fresh RSA key."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def ed25519_key() -> Ed25519PrivateKey:
    """A fresh Ed25519 key: a hundred times faster to make."""
    return Ed25519PrivateKey.generate()


def public_pem(key: PrivateKey) -> bytes:
    """The public half, as a file has it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: PrivateKey) -> bytes:
    """The private half, as a file has it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def sign(key: PrivateKey, text: str, salt: int = 32) -> str:
    """A signature in base64."""
    if isinstance(key, Ed25519PrivateKey):
        return b64encode(key.sign(text.encode())).decode()
    return b64encode(key.sign(text.encode(), PSS(mgf=MGF1(SHA256()), salt_length=salt), SHA256())).decode()


def signed(key: PrivateKey, key_id: str, method: str, path: str, now: float) -> dict[str, str]:
    """The three headers of protocol section 1."""
    timestamp = str(int(now * 1000))
    return {
        "KALSHI-ACCESS-KEY": key_id,
        "KALSHI-ACCESS-TIMESTAMP": timestamp,
        "KALSHI-ACCESS-SIGNATURE": sign(key, f"{timestamp}{method}{path}"),
    }
