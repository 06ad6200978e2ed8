"""Which certificate authorities are trusted: the system's, and one file more if the settings name one."""

import os
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.ssl import Certificate, OpenSSLDefaultPaths, platformTrust

from gatherer.errors import ConfigError


class PlatformTrustAnd(OpenSSLDefaultPaths):
    """The system's authorities plus some more: `trustRootFromCertificates` alone would replace them."""

    def __init__(self, certificates: list[Certificate]) -> None:
        self._certificates = certificates

    def _addCACertsToContext(self, context: Any) -> None:
        super()._addCACertsToContext(context)
        store = context.get_cert_store()
        for certificate in self._certificates:
            store.add_cert(certificate.original)


def trust_root(ca_file: str | os.PathLike[str] | None) -> Any:
    """The `trustRoot` for `optionsForClientTLS`. `ca_file` is a PEM file with one certificate or several.

    Raises `ConfigError`, naming the file, when it cannot be read or holds no certificate.
    """
    if ca_file is None:
        return platformTrust()
    name = os.fspath(ca_file)
    try:
        with open(name, "rb") as file:
            found = x509.load_pem_x509_certificates(file.read())
    except OSError as error:
        raise ConfigError(f"ca_file {name}: cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise ConfigError(f"ca_file {name}: holds no PEM certificate, or a damaged one") from None
    return PlatformTrustAnd([Certificate.loadPEM(one.public_bytes(Encoding.PEM)) for one in found])
