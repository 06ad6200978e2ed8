"""How connections reach the exchange: one pacer for all dials, plain TCP on this machine, verified TLS elsewhere."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConnector, IDelayedCall, IReactorTCP, IReactorTime
from twisted.internet.protocol import ClientFactory

from gatherer.core.urls import WEBSOCKET_SCHEMES, check_url
from gatherer.errors import ConfigError
from gatherer.exchange.auth import Headers
from gatherer.exchange.tls.records import TlsClient
from gatherer.exchange.tls.transport import SecureFactory
from gatherer.exchange.tls.trust import trust_root

Dialer = Callable[[ClientFactory], IConnector]
Signature = Callable[[], Deferred[Headers]]
"""Asks for the headers of an upgrade, which is sent as soon as they arrive."""

MAX_INTERVAL = 10.0
"""Seconds between dials, at most, after any number of 429 answers."""


class DialPacer:
    """All dials, first and repeated, pass one pacer: 150 sockets must not dial in the same second.

    It admits one dial after the other, `rate` of them each second. An answer 429, 401 or 403 halves the pace of all
    dials. Every upgrade that succeeds doubles it, up to `rate`.
    """

    def __init__(self, clock: IReactorTime, rate: float) -> None:
        self._clock = clock
        self._fastest = 1.0 / rate
        self._interval = self._fastest
        self._next_at = 0.0
        self._queue: deque[Callable[[], object]] = deque()
        self._call: IDelayedCall | None = None

    @property
    def interval(self) -> float:
        """Seconds between two dials now."""
        return self._interval

    def set_rate(self, rate: float) -> None:
        """Admit this many dials a second from the next one on. It forgets earlier refusals."""
        self._fastest = self._interval = 1.0 / rate

    def admit(self, dial: Callable[[], object]) -> Callable[[], None]:
        """Call `dial` when its turn comes. Returns a function that takes it out of the queue."""
        self._queue.append(dial)
        self._arm()
        return lambda: self._withdraw(dial)

    def slow_down(self) -> None:
        """The exchange refused an upgrade."""
        self._interval = min(MAX_INTERVAL, self._interval * 2)
        self._next_at = max(self._next_at, self._clock.seconds() + self._interval)

    def speed_up(self) -> None:
        """An upgrade succeeded."""
        self._interval = max(self._fastest, self._interval / 2)

    def _withdraw(self, dial: Callable[[], object]) -> None:
        if dial in self._queue:
            self._queue.remove(dial)
        if not self._queue and self._call is not None:
            self._call.cancel()
            self._call = None

    def _arm(self) -> None:
        if self._queue and self._call is None:
            self._call = self._clock.callLater(max(0.0, self._next_at - self._clock.seconds()), self._turn)

    def _turn(self) -> None:
        self._call = None
        now = self._clock.seconds()
        if now < self._next_at:  # the pace has slowed down since the call was scheduled
            return self._arm()
        self._next_at = now + self._interval
        dial = self._queue.popleft()
        self._arm()
        dial()


@dataclass(frozen=True, slots=True)
class Dialing:
    """What all clients of a pool share: how to reach the exchange and how to sign the upgrade."""

    url: str
    connect: Dialer
    sign: Signature
    pacer: DialPacer
    clock: IReactorTime
    wall: Callable[[], int]
    """Unix time in nanoseconds."""
    connect_timeout: float
    """Seconds from the dial to the finished upgrade."""
    compression: bool = False
    """Whether permessage-deflate is offered."""


def make_dialer(reactor: IReactorTCP, url: str, ca_file: str | None, timeout: float) -> Dialer:
    """A function that starts one dial for a factory. It checks certificate and host name against the system's
    authorities and those of `ca_file`. Raises `ConfigError` for an unusable URL or file."""
    parts = check_url(url, WEBSOCKET_SCHEMES, "websocket_url")
    host = parts.hostname or ""
    if parts.scheme == "ws":
        port = parts.port or 80
        return lambda factory: reactor.connectTCP(host, port, factory, timeout=timeout)
    trust = trust_root(ca_file)
    try:
        client = TlsClient(host.rstrip("."), trust)  # certificates and SNI have no final dot
    except ValueError as error:
        raise ConfigError(f"websocket_url {url!r}: no certificate can be for this host: {error}") from None
    port = parts.port or 443

    def dial(factory: ClientFactory) -> IConnector:
        return reactor.connectTCP(host, port, SecureFactory(factory, client), timeout=timeout)

    return dial
