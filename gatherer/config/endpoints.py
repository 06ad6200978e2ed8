"""Check endpoint strings before anything listens: a typing error must not wait for the start to show."""

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
    """The endpoint an endpoint string means, good for looking at only: it is bound to no reactor.

    ConfigError, beginning with `where`, for one that Twisted does not understand or that cannot be listened on.
    """
    try:
        endpoint = serverFromString(object(), text)
    except Exception as error:  # a plugin parses it, and what it raises is up to the plugin
        cause = str(error) or type(error).__name__
        raise ConfigError(
            f'{where} must be a Twisted endpoint string such as "tcp:9090:interface=127.0.0.1", not "{text}" ({cause})'
        ) from None
    port = getattr(endpoint, "_port", 0)
    if isinstance(endpoint, _TCP) and not 0 <= port <= 65535:
        raise ConfigError(f"{where} must have a port from 0 to 65535, not {port}")
    return endpoint


def is_remote(text: str, where: str) -> bool:
    """Whether other machines can reach a TCP endpoint; of others (unix, systemd) the owner decides, and it is False."""
    endpoint = server_endpoint(text, where)
    # The attribute is private to Twisted; were it gone, each endpoint would count as remote, none as loopback.
    return isinstance(endpoint, _TCP) and not is_loopback(getattr(endpoint, "_interface", ""))


def is_local(text: str, where: str) -> bool:
    """Whether an endpoint can surely be reached from this machine only: a unix socket, or TCP on loopback. Of others
    (`systemd:`, `haproxy:` and what plugins bring) the string does not tell. ConfigError as `server_endpoint`."""
    endpoint = server_endpoint(text, where)
    if isinstance(endpoint, UNIXServerEndpoint):
        return True
    # The attribute is private to Twisted; were it gone, no endpoint would count as local.
    return isinstance(endpoint, _TCP) and is_loopback(getattr(endpoint, "_interface", ""))


def require_local(text: str, where: str) -> None:
    """ConfigError for an endpoint that other machines can reach."""
    if not is_local(text, where):
        raise ConfigError(
            f"{where} may be reached from this machine only: end it with :interface=127.0.0.1 or take a unix socket, "
            "or set allow_remote = true"
        )
