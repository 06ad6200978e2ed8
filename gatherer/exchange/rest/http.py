"""HTTP below the REST client: pooled TLS connections, bodies with a limit, and errors in words."""

from collections.abc import Callable
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse
from zope.interface import implementer

from gatherer.exchange.tls.trust import trust_root

NETWORK_ERRORS = (
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    RequestTransmissionFailed,
    ResponseFailed,
    DeferredTimeout,
)
"""The errors when the exchange cannot be reached, hangs up, or takes too long. They are worth a retry."""


class PooledHTTPClient(HTTPClient):
    """A treq client that can close its idle connections. `reactor` needs all interfaces of Twisted's `Agent`."""

    def __init__(self, reactor: Any, ca_file: str | None, max_connections: int, connect_timeout: float) -> None:
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self._pool.maxPersistentPerHost = max_connections
        policy = BrowserLikePolicyForHTTPS(trust_root(ca_file))
        super().__init__(Agent(reactor, policy, connectTimeout=connect_timeout, pool=self._pool))

    def close(self) -> Deferred[None]:
        """Fires with None when no idle connection is left. The client may be used again."""
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed


def make_http_client(
    reactor: Any, ca_file: str | None = None, max_connections: int = 4, connect_timeout: float = 10.0
) -> PooledHTTPClient:
    """A treq client over a pool of persistent connections. `reactor` is as in `PooledHTTPClient`.

    `ca_file` names a PEM file with authorities that are trusted besides the system's. Raises `ConfigError` if it is not
    usable. `max_connections` idle connections are kept for each host. `connect_timeout` is in seconds.
    """
    return PooledHTTPClient(reactor, ca_file, max_connections, connect_timeout)


class BodyTooLarge(Exception):
    """The exchange sent a body that is larger than any expected answer."""


@implementer(IProtocol)
class _BoundedBody(Protocol):
    """Collect a decompressed body. Hang up when it grows past `limit` bytes or the caller cancels."""

    def __init__(self, limit: int) -> None:
        self._room = limit
        self._chunks: list[bytes] = []
        self._done: Deferred[bytes] | None = Deferred(lambda _: self._hang_up())
        self.body = self._done

    def _hang_up(self) -> None:
        """Close the connection: a half-read body would occupy it for as long as the exchange sends."""
        self._done, self._chunks = None, []
        if self.transport is not None:
            # Every transport that Twisted uses here has `loseConnection`; some lack `abortConnection`.
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        if (done := self._done) is None:
            return
        self._chunks.append(data)
        self._room -= len(data)
        if self._room < 0:
            self._hang_up()
            done.errback(BodyTooLarge())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        # PotentialDataLoss: no length was announced. Decoding shows whether the JSON is complete.
        if reason.check(ResponseDone, PotentialDataLoss):
            done.callback(b"".join(self._chunks))
        else:
            done.errback(reason)


def read_body(response: IResponse, limit: int) -> Deferred[bytes]:
    """Fires with the body. Fails with `BodyTooLarge`, or with the error that cut it short. Cancelling hangs up."""
    collector = _BoundedBody(limit)
    response.deliverBody(collector)
    return collector.body


def was_cancelled(error: BaseException) -> bool:
    """Whether a request ended because its caller cancelled it. Twisted wraps that in `ResponseFailed`."""
    reasons = getattr(error, "reasons", ())
    return isinstance(error, CancelledError) or any(was_cancelled(reason.value) for reason in reasons)


def raise_timeout(seconds: float) -> Callable[[object, float], object]:
    """For `addTimeout`: the caller sees a timeout, whatever error ended the cancelled request."""

    def timed_out(_: object, __: float) -> object:
        raise DeferredTimeout(seconds, "no complete answer")

    return timed_out


def explain(error: BaseException) -> str:
    """One line for the log. Wrapped errors are unwrapped down to the innermost."""
    if isinstance(error, DeferredTimeout):
        return f"no complete answer within {error.args[0]} s"
    reasons = [explain(reason.value) for reason in getattr(error, "reasons", ())]
    return "; ".join(reasons) if reasons else f"{type(error).__name__}: {error}"
