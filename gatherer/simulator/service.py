"""The running simulator: the exchange on two listening ports."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime, IStreamServerEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.fault_options import TimedFault
from gatherer.simulator.server.auth import KeyRing, PublicKey
from gatherer.simulator.server.rate_limit import RateLimiter
from gatherer.simulator.server.rest import RestFactory, RestResource
from gatherer.simulator.server.websocket import SimulatorFactory, SocketSettings

TICK_SECONDS = 0.02
"""Seconds between two bursts of market data."""
MAX_BURST_SECONDS = 1.0
"""After a delay, only the market data of this last time is made up for."""


class SimulatorService(MultiService):
    """Serves an exchange. Timers follow the reactor; `now` gives the Unix time of the messages, by default the
    reactor's seconds.

    `rate` is random events a second (see `Exchange.emit`), `heartbeat` the seconds between pings. An account gets
    `rest_tokens` tokens a second and can save up `rest_burst` (by default three seconds' worth); a request costs 10.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        exchange: Exchange,
        websocket_endpoint: IStreamServerEndpoint,
        rest_endpoint: IStreamServerEndpoint,
        keys: Mapping[str, PublicKey],
        rate: float = 0.0,
        heartbeat: float = 10.0,
        *,
        now: Callable[[], float] | None = None,
        connections: int = 200,
        buffer_bytes: int = 16 * 1024 * 1024,
        rest_tokens: float = 200.0,
        rest_burst: float | None = None,
        rest_must_sign: bool = False,
        compression: bool = False,
        faults: Sequence[TimedFault] = (),
    ) -> None:
        super().__init__()
        self.exchange = exchange
        self._reactor, self._now = reactor, now or reactor.seconds
        self._endpoints = (IStreamServerEndpoint(websocket_endpoint), IStreamServerEndpoint(rest_endpoint))
        self.rate = rate
        """Random events a second; it may change while the service runs."""
        self._faults = faults
        ring = KeyRing(keys)
        limiter = RateLimiter(rest_tokens, 3 * rest_tokens if rest_burst is None else rest_burst)
        own = SocketSettings(heartbeat, connections, buffer_bytes, compression)
        self._factory = SimulatorFactory(reactor, self._now, exchange.open_session, exchange.faults, ring, own)
        self._site = RestFactory(
            RestResource(reactor, self._now, exchange.rest, exchange.faults, ring, limiter, rest_must_sign), reactor
        )
        self._ports: list[IListeningPort] = []
        self._closing: Deferred[None] = succeed(None)
        self._loops: list[LoopingCall] = []
        self._calls: list[IDelayedCall] = []
        self._waiting: list[Deferred[tuple[int, int]]] = []
        self._outcome: tuple[int, int] | Failure | None = None
        self._emitted_at = self._overdue = 0.0

    def when_listening(self) -> Deferred[tuple[int, int]]:
        """Fires with (WebSocket port, REST port), 0 for an endpoint without TCP; fails if the service cannot listen."""
        waiter: Deferred[tuple[int, int]] = Deferred()
        self._waiting.append(waiter)
        self._notify()
        return waiter

    def startService(self) -> None:
        """Listen on both endpoints, or on none."""
        super().startService()
        Deferred.fromCoroutine(self._start()).addBoth(self._started)

    def _started(self, outcome: tuple[int, int] | Failure) -> None:
        self._outcome = outcome
        if isinstance(outcome, Failure):
            self._log.error("cannot listen: {error}", error=outcome.value)
        self._notify()

    def _notify(self) -> None:
        if self._outcome is not None:
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                waiter.callback(self._outcome)

    async def _start(self) -> tuple[int, int]:
        factories: tuple[Any, Any] = (self._factory, self._site)  # autobahn and Twisted share no type here
        numbers = []
        for endpoint, factory in zip(self._endpoints, factories, strict=True):
            try:
                port = await endpoint.listen(factory)
            except Exception:
                # Not awaited: a port closes only once the reactor runs; the program must know of the failure before.
                self._closing = Deferred.fromCoroutine(self._stop_listening())
                raise
            self._ports.append(port)
            numbers.append(getattr(port.getHost(), "port", 0))
        websocket, rest = numbers
        if not self.running:  # stopped while it waited for a port
            await self._stop_listening()
            return websocket, rest
        self._begin()
        self._log.info("exchange open: WebSocket port {websocket}, REST port {rest}", websocket=websocket, rest=rest)
        return websocket, rest

    def _begin(self) -> None:
        self._emitted_at = self._reactor.seconds()
        self.exchange.advance(self._now())
        self._every(TICK_SECONDS, self._tick)
        for fault in self._faults:
            if fault.every:
                self._every(fault.after, partial(fault.apply, self.exchange.faults))
            else:
                self._calls.append(self._reactor.callLater(fault.after, fault.apply, self.exchange.faults))

    def _every(self, seconds: float, action: Callable[[], None]) -> None:
        loop = LoopingCall(action)
        loop.clock = self._reactor
        self._loops.append(loop)
        done = loop.start(seconds, now=False)
        done.addErrback(lambda failure: self._log.failure("the exchange has stopped producing data", failure))

    def _tick(self) -> None:
        now = self._reactor.seconds()
        elapsed = min(MAX_BURST_SECONDS, max(0.0, now - self._emitted_at))
        self._emitted_at = now
        self.exchange.advance(self._now())
        self._overdue += elapsed * self.rate
        count = int(self._overdue)
        self._overdue -= count
        self.exchange.emit(count)

    def stopService(self) -> Deferred[None]:
        """Close ports and sockets. The Deferred fires with None when they are gone and no timer is left."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await super().stopService()
        for loop in self._loops:
            loop.stop()
        for call in self._calls:
            if call.active():
                call.cancel()
        self._loops, self._calls = [], []
        await self._stop_listening()
        await self._closing
        await self._factory.close_all()
        await self._site.close_all()
        self.exchange.cancel_delayed()

    async def _stop_listening(self) -> None:
        ports, self._ports = self._ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
