"""Which certificates are trusted: those of the system's authorities, and of one more file if the settings name it."""

import os
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL.crypto import X509
from OpenSSL.SSL import OP_NO_RENEGOTIATION, Connection, X509VerificationCodes
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.ssl import Certificate, OpenSSLDefaultPaths

from gatherer.errors import ConfigError

Identity = DNS_ID | IPAddress_ID
"""The host a certificate must be for."""


class PlatformTrustAnd(OpenSSLDefaultPaths):
    """The system's authorities and some more. `trustRootFromCertificates` would replace the system's.

    It sees every context before its first connection, so it also sets the option that Twisted has no argument for.
    """

    def __init__(self, certificates: list[Certificate]) -> None:
        self._certificates = certificates

    def _addCACertsToContext(self, context: Any) -> None:  # as in Twisted
        super()._addCACertsToContext(context)
        context.set_options(OP_NO_RENEGOTIATION)
        store = context.get_cert_store()
        for certificate in self._certificates:
            store.add_cert(certificate.original)


def trust_root(ca_file: str | os.PathLike[str] | None) -> PlatformTrustAnd:
    """The `trustRoot` for `optionsForClientTLS`. `ca_file` is a PEM file with one certificate or several.

    Raises `ConfigError` with the file's name when it cannot be read or has no certificate.
    """
    if ca_file is None:
        return PlatformTrustAnd([])
    name = os.fspath(ca_file)
    try:
        with open(name, "rb") as file:
            found = x509.load_pem_x509_certificates(file.read())
    except OSError as error:
        raise ConfigError(f"ca_file {name}: cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise ConfigError(f"ca_file {name}: holds no PEM certificate, or a damaged one") from None
    return PlatformTrustAnd([Certificate.loadPEM(one.public_bytes(Encoding.PEM)) for one in found])


def identity(host: str) -> Identity:
    """The identity a certificate must have for a host. ValueError for a text that is neither name nor address."""
    return IPAddress_ID(host) if isIPAddress(host) or isIPv6Address(host) else DNS_ID(host)


class Verifier:
    """Checks the certificates of one handshake. OpenSSL calls it with each; the server's own is last, with depth 0."""

    def __init__(self, host: str, expected: Identity) -> None:
        self._host = host
        self._expected = expected
        self.passed = False
        """Whether the server's certificate was good and for this host."""
        self.refusal: str | None = None
        """The fault that was found."""

    def __call__(self, tls: Connection, certificate: X509, code: int, depth: int, good: int) -> bool:
        if not good:
            self.refusal = _meaning(code)
        elif depth == 0:
            try:
                verify_service_identity(extract_patterns(certificate), [self._expected], [])
                self.passed = True
            except (CertificateError, VerificationError, ValueError):
                self.refusal = f"hostname mismatch, it is not for {self._host!r}"
        return self.refusal is None


def _meaning(code: int) -> str:
    """OpenSSL's number of a certificate fault, in words."""
    names = [name for name, value in vars(X509VerificationCodes).items() if value == code and name.startswith("ERR_")]
    return names[0].removeprefix("ERR_").replace("_", " ").lower() if names else f"code {code}"
