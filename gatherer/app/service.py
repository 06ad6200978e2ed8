"""Start and stop of the whole: in which order the parts come up, and in which they go down."""

from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.errors import GathererError, RestError
from gatherer.interfaces import IConnectionManager, IExchangeRest, IMarketRegistry, IMessageRouter
from gatherer.ops.listener import ListeningService


class StopTimeouts:
    """For one stop. Once lost it stays lost."""

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


SETTLE_PATIENCE = 1.0
"""Seconds that requests under way may take to be given up at the stop."""
SOCKETS_PATIENCE = 3.0
"""Seconds that sockets and ports may take to close: an exchange that is dead is cut after 2."""
IDLE_PATIENCE = 0.5
"""Seconds for REST connections that wait for reuse."""
STATUS_PATIENCE = 10.0
"""Seconds the exchange has to tell its status before the dials begin all the same."""


class Gatherer(MultiService):
    """Router first, so that nothing is received that has no place to go; router last, so that nothing is lost."""

    _log = Logger()

    def __init__(
        self, router: Any, rest: Any, manager: Any, registry: Any, clock: IReactorTime, failed: Callable[[str], None]
    ) -> None:
        """`failed` is told, in one line, when the service cannot do its job at all."""
        super().__init__()
        self.setName("gatherer")
        self.router = IMessageRouter(router)
        self.rest = IExchangeRest(rest)
        self.manager: Any = IConnectionManager(manager)
        self.registry = IMarketRegistry(registry)
        self._clock = clock
        self._failed = failed
        self._starting: Deferred[None] | None = None
        self._patience = StopTimeouts(clock)
        self._listeners: list[ListeningService] = []

    def add_listener(self, listener: ListeningService) -> None:
        """A port that must be had for the service to start."""
        self.addService(listener)
        self._listeners.append(listener)

    def startService(self) -> None:
        """Take the capture directory and the ports, then everything else in its own time.

        Raises ConfigError, naming the setting, when one of them cannot be had.
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
        """Somebody is impatient with the stop: wait for nothing any more but for the capture to be on disk."""
        self._patience.lose()

    async def _start(self) -> None:
        await self._greet()
        self.manager.setServiceParent(self)
        await self.manager.when_ready()
        self._log.info("enough connections are live: reading the list of markets")
        active = await self.registry.start(self.manager)
        self._log.info("{active} markets to carry after the first walk", active=active)

    async def _greet(self) -> None:
        asked = Deferred.fromCoroutine(self.rest.exchange_status()).addTimeout(STATUS_PATIENCE, self._clock)
        try:
            status = await asked
        except (RestError, defer.TimeoutError) as error:
            self._log.warn("the exchange does not tell its status ({error}); dialling all the same", error=error)
            return
        self._log.info(
            "exchange active: {exchange}, trading active: {trading}",
            exchange=status.exchange_active, trading=status.trading_active,
        )  # fmt: skip

    def _require_ports(self) -> None:
        """TCP and UNIX endpoints answer at once; one that takes its time fails the running service instead."""
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
        self._failed(failure.getErrorMessage())

    async def _stop(self) -> None:
        """At most 4.5 s until the capture is closed, which itself takes at most 5: a supervisor kills after 10."""
        starting, self._starting = self._starting, None
        if starting is not None:
            starting.cancel()
        await self._patience.wait("requests", self.registry.stop(), SETTLE_PATIENCE)
        await self._patience.wait("sockets and ports", super().stopService(), SOCKETS_PATIENCE)
        await self._patience.wait("idle connections", self.rest.close(), IDLE_PATIENCE)
        await self.router.close()
        self._log.info("stopped; the capture is complete on disk")
