"""Start and stop of the whole: in which order the parts come up, and in which they go down."""

from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.errors import CaptureIncomplete, GathererError, RestError
from gatherer.interfaces import (
    IConnectionManager,
    IExchangeRest,
    IMarketChangeListener,
    IMarketRegistry,
    IMessageRouter,
)
from gatherer.ops.listener import ListeningService


class StopTimeouts:
    """How long one stop waits for each part. After `lose()`, every wait ends at once."""

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._lost = False
        self._waits: list[Deferred[None]] = []

    def lose(self) -> None:
        """End every wait, now and from now on."""
        self._lost = True
        waits, self._waits = self._waits, []
        for wait in waits:
            wait.cancel()

    def wait(self, what: str, ending: Deferred[Any], seconds: float) -> Deferred[None]:
        """Fires with None when `ending` fired, at the latest after `seconds`; never fails. `what` names it in the log.

        `ending` itself is not cancelled: it goes on as long as the process does.
        """
        wait: Deferred[None] = Deferred()

        def ended(_: object) -> None:
            if not wait.called:
                wait.callback(None)

        ending.addErrback(self._failed, what).addBoth(ended)
        if not wait.called:
            wait.addTimeout(seconds, self._clock, lambda result, _: result).addErrback(self._over, what)
            self._waits.append(wait)
            if self._lost:
                self.lose()
        return wait

    def _failed(self, failure: Failure, what: str) -> None:
        self._log.failure("{what} did not end properly", failure, what=what)

    def _over(self, failure: Failure, what: str) -> None:
        failure.trap(CancelledError)
        self._log.warn("{what} do not end in time: going on without them", what=what)


SETTLE_SECONDS = 1.0
"""Seconds that requests under way may take to be given up at the stop."""
SOCKETS_SECONDS = 3.0
"""Seconds that sockets and ports may take to close: an exchange that is dead is cut after 2."""
IDLE_SECONDS = 0.5
"""Seconds for REST connections that wait for reuse."""
STATUS_SECONDS = 10.0
"""Seconds the exchange has to answer its status; dialling starts regardless."""


class Gatherer(MultiService):
    """The router starts first, so every message has a place to go, and stops last, so nothing is lost."""

    _log = Logger()

    def __init__(
        self,
        router: IMessageRouter,
        rest: IExchangeRest,
        manager: IConnectionManager,
        registry: IMarketRegistry,
        clock: IReactorTime,
        failed: Callable[[str], None],
    ) -> None:
        """`failed` gets one line when the service cannot do its job at all."""
        super().__init__()
        self.setName("gatherer")
        self.router = IMessageRouter(router)
        self.rest = IExchangeRest(rest)
        self.manager = IConnectionManager(manager)
        self.registry = IMarketRegistry(registry)
        self._clock = clock
        self._failed = failed
        self._starting: Deferred[None] | None = None
        self._timeouts = StopTimeouts(clock)
        self._listeners: list[ListeningService] = []

    def add_listener(self, listener: ListeningService) -> None:
        """A port that the service needs to start."""
        self.addService(listener)
        self._listeners.append(listener)

    def startService(self) -> None:
        """Take the capture directory and the ports; start everything else in its own time.

        Raises ConfigError, naming the setting, if one of them is not available.
        """
        self.router.start()
        super().startService()
        self._require_ports()
        self._starting = Deferred.fromCoroutine(self._start())
        self._starting.addErrback(self._could_not_start)

    def stopService(self) -> Deferred[None]:
        """Take no more changes, close the sockets, write what is left."""
        return Deferred.fromCoroutine(self._stop())

    def hurry(self) -> None:
        """Stop faster: wait only until the capture is on disk."""
        self._timeouts.lose()

    async def _start(self) -> None:
        await self._greet()
        self.manager.setServiceParent(self)
        await self.manager.when_ready()
        self._log.info("enough connections are live: reading the list of markets")
        active = await self.registry.start(IMarketChangeListener(self.manager))
        self._log.info("{active} markets to carry after the first walk", active=active)

    async def _greet(self) -> None:
        asked = Deferred.fromCoroutine(self.rest.exchange_status()).addTimeout(STATUS_SECONDS, self._clock)
        try:
            status = await asked
        except (RestError, defer.TimeoutError) as error:
            self._log.warn("the exchange does not answer its status ({error}); dialling starts regardless", error=error)
            return
        self._log.info(
            "exchange active: {exchange}, trading active: {trading}",
            exchange=status.exchange_active, trading=status.trading_active,
        )  # fmt: skip

    def _require_ports(self) -> None:
        """TCP and UNIX endpoints answer at once; a slower one fails the running service instead."""
        refused: list[Failure] = []
        for listener in self._listeners:
            listener.when_listening().addErrback(refused.append)
        if refused:
            refused[0].raiseException()

    def _could_not_start(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(GathererError) is None:
            self._log.failure("bug while starting", failure)
        self._failed(f"giving up: {failure.getErrorMessage()}")

    async def _stop(self) -> None:
        """At most 4.5 s until the capture is closed, which itself takes at most 5: a supervisor kills after 10."""
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.cancel()
        await self._timeouts.wait("requests", self.registry.stop(), SETTLE_SECONDS)
        await self._timeouts.wait("sockets and ports", super().stopService(), SOCKETS_SECONDS)
        await self._timeouts.wait("idle connections", self.rest.close(), IDLE_SECONDS)
        try:
            await self.router.close()
        except CaptureIncomplete as error:
            self._failed(f"the gatherer has stopped, but the capture is not complete on disk: {error}")
            return
        if losses := self.router.status().losses:
            text = (
                "stopped; the capture is on disk, but {losses} records were dropped; its local_drop markers count them"
            )
            self._log.warn(text, losses=losses)
        else:
            self._log.info("stopped; the capture is complete on disk")
