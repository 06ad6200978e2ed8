"""Which URLs may be dialled: encrypted ones, and plain ones only to this machine."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from gatherer.errors import ConfigError

REST_SCHEMES = ("https", "http")
WEBSOCKET_SCHEMES = ("wss", "ws")


def is_loopback(host: str) -> bool:
    """Whether a host name or address (IPv6 without brackets) always means this machine."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def check_url(url: str, schemes: tuple[str, str], what: str = "URL") -> SplitResult:
    """The parts of a base URL. `schemes` is (encrypted, plain); `what` names the setting in the error.

    Raises `ConfigError` for a URL that is malformed, has another scheme, is plain but leaves this machine, or has a
    user, a query or a fragment.
    """

    def wrong(cause: str) -> ConfigError:
        return ConfigError(f"{what} {url!r}: {cause}")

    encrypted, plain = schemes
    if not url.isascii() or not url.isprintable() or " " in url:
        raise wrong("holds a blank, a control character or a letter outside ASCII")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise wrong(str(error)) from None
    if parts.scheme not in schemes:
        raise wrong(f"must start with {encrypted}:// (or {plain}:// for this machine)")
    if not host or port == 0:
        raise wrong("names no host" if not host else "port 0 cannot be dialled")
    if parts.username is not None or parts.password is not None:
        raise wrong("must not hold a user name or password: requests are signed with the key")
    if parts.query or parts.fragment:
        raise wrong("must not hold a query or fragment")
    if parts.scheme == plain and not is_loopback(host):
        raise wrong(f"{plain}:// is not encrypted and allowed to this machine only; use {encrypted}://")
    return parts
