"""The two timers of an open socket: how long it may be silent, and when it counts as healthy."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from gatherer.errors import RemoteProtocolError
from gatherer.exchange.context import ConnectionSettings
from gatherer.exchange.interfaces import IWebSocketClient


class SocketTimers:
    """Cuts a socket that sends no pings. Tells the client when the socket has worked for long enough."""

    def __init__(
        self,
        clock: IReactorTime,
        client: IWebSocketClient,
        settings: ConnectionSettings,
        is_settled: Callable[[], bool],
    ) -> None:
        """`is_settled` says whether everything is subscribed. A socket without that does not count as healthy."""
        self._clock = clock
        self._client = client
        self._settings = settings
        self._is_settled = is_settled
        self._watchdog: IDelayedCall = clock.callLater(settings.ping_timeout, self._no_ping)
        self._probation: IDelayedCall = clock.callLater(settings.healthy_after, self._looks_healthy)

    def pinged(self) -> None:
        """The exchange sent a ping."""
        if self._watchdog.active():
            self._watchdog.reset(self._settings.ping_timeout)

    def stop(self) -> None:
        """The socket is gone."""
        for call in (self._watchdog, self._probation):
            if call.active():
                call.cancel()

    def _no_ping(self) -> None:
        self._client.abort(RemoteProtocolError(f"no ping for {self._settings.ping_timeout} s"))

    def _looks_healthy(self) -> None:
        if self._is_settled():
            self._client.healthy()
        else:
            self._probation = self._clock.callLater(self._settings.healthy_after, self._looks_healthy)
