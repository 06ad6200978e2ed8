"""HTTP underneath the REST client: pooled TLS connections, bounded bodies, cancellation that stays one."""

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

NETWORK_TROUBLE = (
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    RequestTransmissionFailed,
    ResponseFailed,
    DeferredTimeout,
)
"""What a request fails with when the exchange cannot be reached, hangs up, or takes too long: worth a retry."""


class PooledHTTPClient(HTTPClient):
    """A treq client that can close the connections it keeps for reuse."""

    def __init__(self, reactor: Any, ca_file: str | None, max_connections: int, connect_timeout: float) -> None:
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self._pool.maxPersistentPerHost = max_connections
        policy = BrowserLikePolicyForHTTPS(trust_root(ca_file))
        super().__init__(Agent(reactor, policy, connectTimeout=connect_timeout, pool=self._pool))

    def close(self) -> Deferred[None]:
        """Fires with None when no idle connection is left. It may be used again."""
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed


def make_http_client(
    reactor: Any, ca_file: str | None = None, max_connections: int = 4, connect_timeout: float = 10.0
) -> PooledHTTPClient:
    """A treq client over a pool of persistent connections.

    `ca_file` names a PEM file with authorities trusted besides the system's; `ConfigError` if it will not do.
    `max_connections` is how many idle connections are kept per host, `connect_timeout` is in seconds.
    """
    return PooledHTTPClient(reactor, ca_file, max_connections, connect_timeout)


class BodyTooLarge(Exception):
    """The exchange sent a body larger than any answer we ask for."""


@implementer(IProtocol)
class _BoundedBody(Protocol):
    """Collect a body (decompressed), or hang up when it grows past `limit` bytes or nobody waits any more."""

    def __init__(self, limit: int) -> None:
        self._room = limit
        self._chunks: list[bytes] = []
        self._done: Deferred[bytes] | None = Deferred(lambda _: self._hang_up())
        self.body = self._done

    def _hang_up(self) -> None:
        """A half-read body would hold its connection for as long as the exchange cares to send."""
        self._done, self._chunks = None, []
        if self.transport is not None:
            # Named `loseConnection` by every transport Twisted puts here; some lack `abortConnection`.
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
        # PotentialDataLoss: no length was announced; whether the JSON is whole will show.
        if reason.check(ResponseDone, PotentialDataLoss):
            done.callback(b"".join(self._chunks))
        else:
            done.errback(reason)


def read_body(response: IResponse, limit: int) -> Deferred[bytes]:
    """Fires with the body; fails with `BodyTooLarge`, or with what cut it short. Cancelling hangs up."""
    collector = _BoundedBody(limit)
    response.deliverBody(collector)
    return collector.body


def was_cancelled(error: BaseException) -> bool:
    """Whether a request ended because its caller gave up: Twisted wraps that in `ResponseFailed`."""
    reasons = getattr(error, "reasons", ())
    return isinstance(error, CancelledError) or any(was_cancelled(reason.value) for reason in reasons)


def raise_timeout(seconds: float) -> Callable[[object, float], object]:
    """For `addTimeout`: whatever the cancelled request ended with, tell the caller it was the time."""

    def timed_out(_: object, __: float) -> object:
        raise DeferredTimeout(seconds, "no complete answer")

    return timed_out


def explain(error: BaseException) -> str:
    """One line for the log: wrapped errors are unwrapped down to the one that says something."""
    if isinstance(error, DeferredTimeout):
        return f"no complete answer within {error.args[0]} s"
    reasons = [explain(reason.value) for reason in getattr(error, "reasons", ())]
    return "; ".join(reasons) if reasons else f"{type(error).__name__}: {error}"
