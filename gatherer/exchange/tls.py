"""Which certificate authorities are trusted: the system's, and those of one file more if the settings name one.

REST goes through treq and Twisted's pyOpenSSL, the WebSockets through the standard library's `ssl`
(`gatherer.exchange.secure` says why), so the same trust is expressed twice.
"""

import os
import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.ssl import Certificate, OpenSSLDefaultPaths, platformTrust

from gatherer.errors import ConfigError

Path = str | os.PathLike[str]


class PlatformTrustAnd(OpenSSLDefaultPaths):
    """The system's authorities plus some more: `trustRootFromCertificates` alone would replace them."""

    def __init__(self, certificates: list[Certificate]) -> None:
        self._certificates = certificates

    def _addCACertsToContext(self, context: Any) -> None:
        super()._addCACertsToContext(context)
        store = context.get_cert_store()
        for certificate in self._certificates:
            store.add_cert(certificate.original)


def trust_root(ca_file: Path | None) -> Any:
    """The `trustRoot` for `optionsForClientTLS`. `ca_file` is a PEM file with one certificate or several.

    Raises `ConfigError`, naming the file, when it cannot be read or holds no certificate.
    """
    if ca_file is None:
        return platformTrust()
    return PlatformTrustAnd([Certificate.loadPEM(one.public_bytes(Encoding.PEM)) for one in _certificates(ca_file)])


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """The same trust for `ssl`. Chain and host name are verified, the name by the certificate's subjectAltName only.

    Every option is set here and none left to `create_default_context`, whose idea of strict has changed between
    versions of Python: 3.13 refuses authorities that 3.12 accepts. Raises like `trust_root`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = True
    context.hostname_checks_common_name = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_default_certs()
    if ca_file is not None:
        context.load_verify_locations(cadata=b"".join(one.public_bytes(Encoding.DER) for one in _certificates(ca_file)))
    return context


def _certificates(ca_file: Path) -> list[x509.Certificate]:
    name = os.fspath(ca_file)
    try:
        with open(name, "rb") as file:
            return x509.load_pem_x509_certificates(file.read())
    except OSError as error:
        raise ConfigError(f"ca_file {name}: cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise ConfigError(f"ca_file {name}: holds no PEM certificate, or a damaged one") from None
