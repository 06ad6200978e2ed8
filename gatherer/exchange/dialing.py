"""How to reach the WebSocket host: plain TCP to this machine, verified TLS to any other."""

from typing import Any

from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory

from gatherer.errors import ConfigError
from gatherer.exchange.records import TlsClient
from gatherer.exchange.secure import SecureFactory
from gatherer.exchange.tls import trust_root
from gatherer.exchange.urls import WEBSOCKET_SCHEMES, check_url
from gatherer.exchange.websocket import Dialer


def make_dialer(reactor: Any, url: str, ca_file: str | None, timeout: float) -> Dialer:
    """What starts one dial for a factory. Certificate and host name are checked against the system's
    authorities and those of `ca_file`. Raises `ConfigError` for a URL or file that will not do."""
    parts = check_url(url, WEBSOCKET_SCHEMES, "websocket_url")
    host = parts.hostname or ""
    if parts.scheme == "ws":
        port = parts.port or 80
        return lambda factory: reactor.connectTCP(host, port, factory, timeout=timeout)
    trust = trust_root(ca_file)
    try:
        client = TlsClient(host.rstrip("."), trust)  # certificates and SNI know no root's dot
    except ValueError as error:
        raise ConfigError(f"websocket_url {url!r}: no certificate can be for this host: {error}") from None
    port = parts.port or 443

    def dial(factory: ClientFactory) -> IConnector:
        return reactor.connectTCP(host, port, SecureFactory(factory, client), timeout=timeout)

    return dial
