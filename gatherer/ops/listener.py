"""A service that listens on one endpoint: bounded, closed at the stop, with a clear error for a port in use."""

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred, succeed
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure

from gatherer.errors import ConfigError


class BoundedFactory(WrappingFactory):
    """Refuses connections above `limit` and can cut those there are."""

    # `Any` as in WrappingFactory, which Twisted leaves untyped.
    noisy = False

    def __init__(self, wrapped: Any, limit: int) -> None:
        super().__init__(wrapped)
        self._limit = limit
        self._waiting: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """None, which closes the connection at once, when there are enough."""
        return None if len(self.protocols) >= self._limit else super().buildProtocol(addr)

    def unregisterProtocol(self, p: Any) -> None:
        """A connection is gone."""
        super().unregisterProtocol(p)
        waiting, self._waiting = self._waiting, []
        for changed in waiting:
            changed.callback(None)

    async def cut_all(self) -> None:
        """Abort every connection, and wait until they are gone."""
        for protocol in list(self.protocols):
            protocol.transport.abortConnection()
        while self.protocols:
            changed: Deferred[None] = Deferred()
            self._waiting.append(changed)
            await changed


class ListeningService(Service):
    """Listens while it runs. `table` is the table of the settings, for error texts."""

    _log = Logger()

    def __init__(
        self, endpoint: IStreamServerEndpoint, table: str, limit: int, make_factory: Callable[[], IProtocolFactory]
    ) -> None:
        """`make_factory` is called at each start and may raise ConfigError; connections above `limit` are refused."""
        self._endpoint = IStreamServerEndpoint(endpoint)
        self._table = table
        self._limit = limit
        self._make_factory = make_factory
        self._listening: Deferred[Any] | None = None  # with the callbacks, it fires with nothing of use
        self._factory: BoundedFactory | None = None
        self._port: IListeningPort | None = None
        self._outcome: IAddress | Failure | None = None
        self._waiting: list[Deferred[IAddress]] = []

    def startService(self) -> None:
        """Listen. ConfigError for what can be known at once; `when_listening` reports the rest."""
        self._factory = BoundedFactory(self._make_factory(), self._limit)
        super().startService()
        self._outcome = None
        listening: Deferred[IListeningPort] = maybeDeferred(self._endpoint.listen, self._factory)
        self._listening = listening
        listening.addCallbacks(self._listens, self._refused).addErrback(self._bug)

    def when_listening(self) -> Deferred[IAddress]:
        """Fires with the address; fails with ConfigError if the port is not available, CancelledError if
        the stop came first. A new Deferred for each caller."""
        if isinstance(self._outcome, Failure):
            return fail(self._outcome)
        if self._outcome is not None:
            return succeed(self._outcome)
        waiting: Deferred[IAddress] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def stopService(self) -> Deferred[None]:
        """Fires when the port is closed and every connection is cut."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)
        if self._factory is not None:
            await self._factory.cut_all()

    def _listens(self, port: IListeningPort) -> None:
        self._port = port
        self._log.info("[{table}] listening on {address}", table=self._table, address=_readable(port.getHost()))
        self._settle(port.getHost())

    def _refused(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            self._settle(failure)
            return
        error = ConfigError(f"[{self._table}] listen: cannot listen: {failure.getErrorMessage()}")
        self._log.error("{error}", error=str(error))
        self._settle(Failure(error))

    def _settle(self, outcome: IAddress | Failure) -> None:
        self._outcome = outcome
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(outcome)  # a Failure becomes an errback

    def _bug(self, failure: Failure) -> None:
        self._log.failure("a bug while listening", failure)


def _readable(address: IAddress) -> str:
    """`127.0.0.1:9090`, or whatever the address says of itself."""
    if isinstance(address, IPv4Address | IPv6Address):
        host = f"[{address.host}]" if isinstance(address, IPv6Address) else address.host
        return f"{host}:{address.port}"
    return str(address)
