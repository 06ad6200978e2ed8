"""Certificates made at run time and never stored."""

import datetime
import ipaddress
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_numbers = count(1)
"""OpenSSL confuses two authorities with the same name."""


class Authority:
    """A certificate authority that no system trusts."""

    def __init__(self) -> None:
        self._key = generate_private_key(SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {next(_numbers)}")])
        self.pem = self._sign(self._name, self._key, [], ca=True, days=1).public_bytes(Encoding.PEM)

    def issue(self, address: str = "127.0.0.1", days: float = 1.0, own: bool = False) -> bytes:
        """Certificate and key in PEM, for an IP address or host name, valid for `days` (negative: expired).

        With `own` the certificate signs itself.
        """
        key = generate_private_key(SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        certificate = self._sign(name, key, [_general_name(address)], ca=False, days=days, own=own)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return certificate.public_bytes(Encoding.PEM) + private

    def _sign(
        self, name: x509.Name, key: EllipticCurvePrivateKey, names: list[x509.GeneralName], ca: bool, days: float,
        own: bool = False,
    ) -> x509.Certificate:  # fmt: skip
        end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name if own else self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - datetime.timedelta(days=2))
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(key if own else self._key, hashes.SHA256())


def _general_name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)
