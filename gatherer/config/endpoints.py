"""Checks endpoint strings when the settings are read, before anything listens."""

from typing import Any

from twisted.internet.endpoints import (
    SSL4ServerEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
    serverFromString,
)

from gatherer.core.urls import is_loopback
from gatherer.errors import ConfigError

_TCP = (TCP4ServerEndpoint, TCP6ServerEndpoint, SSL4ServerEndpoint)


def server_endpoint(text: str, where: str) -> Any:
    """Parse an endpoint string. The result is only for inspection: it has no reactor.

    Raises ConfigError, which begins with `where`, if Twisted does not understand it or cannot listen on it.
    """
    try:
        endpoint = serverFromString(object(), text)
    except Exception as error:  # a plugin may parse it, and raise anything
        cause = str(error) or type(error).__name__
        raise ConfigError(
            f'{where} must be a Twisted endpoint string such as "tcp:9090:interface=127.0.0.1", not "{text}" ({cause})'
        ) from None
    port = getattr(endpoint, "_port", 0)
    if isinstance(endpoint, _TCP) and not 0 <= port <= 65535:
        raise ConfigError(f"{where} must have a port from 0 to 65535, not {port}")
    return endpoint


def is_remote(text: str, where: str) -> bool:
    """Whether other machines can reach a TCP endpoint. False for other kinds (unix, systemd): their owner decides."""
    endpoint = server_endpoint(text, where)
    # The attribute is private to Twisted. Without it, every TCP endpoint counts as remote.
    return isinstance(endpoint, _TCP) and not is_loopback(getattr(endpoint, "_interface", ""))


def is_local(text: str, where: str) -> bool:
    """Whether only this machine can reach an endpoint: a unix socket, or TCP on loopback. False for other kinds
    (`systemd:`, `haproxy:`, plugins), because the string does not say. Raises ConfigError as `server_endpoint`."""
    endpoint = server_endpoint(text, where)
    if isinstance(endpoint, UNIXServerEndpoint):
        return True
    # The attribute is private to Twisted. Without it, no TCP endpoint counts as local.
    return isinstance(endpoint, _TCP) and is_loopback(getattr(endpoint, "_interface", ""))


def require_local(text: str, where: str) -> None:
    """Raise ConfigError if other machines can reach the endpoint, or might."""
    if not is_local(text, where):
        raise ConfigError(
            f"{where} must be reachable from this machine only: end it with :interface=127.0.0.1 or use a unix socket, "
            "or set allow_remote = true"
        )
