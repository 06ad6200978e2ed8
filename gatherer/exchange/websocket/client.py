"""One client keeps one WebSocket to the exchange open: autobahn's factory, with the redials of Twisted's."""

from collections.abc import Callable
from enum import Enum
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory
from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept,
)
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, NotConnectingError
from twisted.internet.interfaces import IAddress, IConnector, IDelayedCall
from twisted.internet.protocol import ReconnectingClientFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer import __version__
from gatherer.core.backoff import Backoff
from gatherer.errors import GathererError, LocalProtocolError, UpgradeRefused
from gatherer.exchange.interfaces import IWebSocketClient, IWebSocketListener
from gatherer.exchange.websocket.dialing import Dialing
from gatherer.exchange.websocket.protocol import ExchangeProtocol

MAX_MESSAGE = 64 * 1024 * 1024
"""Bytes. A full acknowledgement of a big subscription was seen at 5 MB (protocol section 1, "Framing")."""

SLOW_DOWN = frozenset({401, 403, 429})
"""HTTP answers that more dials do not make better: all connections share address and key."""


class DialState(Enum):
    """Where the client is between two sockets. The value is the word in status pages and logs."""

    IDLE = "idle"
    BACKOFF = "backoff"
    QUEUED = "queued"
    DIALING = "dialing"
    OPEN = "open"
    STOPPED = "stopped"


NEXT_STATES = {
    DialState.IDLE: {DialState.QUEUED, DialState.STOPPED},
    DialState.QUEUED: {DialState.DIALING, DialState.STOPPED},
    DialState.DIALING: {DialState.OPEN, DialState.BACKOFF, DialState.STOPPED},
    DialState.OPEN: {DialState.BACKOFF, DialState.STOPPED},
    DialState.BACKOFF: {DialState.QUEUED, DialState.STOPPED},
    DialState.STOPPED: {DialState.STOPPED},
}
"""From each state to those that may follow it. Nothing follows `STOPPED`."""
WITHOUT_SOCKET = frozenset({DialState.IDLE, DialState.BACKOFF, DialState.QUEUED, DialState.STOPPED})
"""States in which no socket is open or on its way: a stop has nothing to wait for."""


def compression_options(offered: bool) -> dict[str, Any]:
    """Arguments of many kinds for autobahn's `setProtocolOptions`. Without an offer autobahn refuses every extension
    that the server grants.

    A compressed frame has a reserved bit set, so the frame scan stops at it and autobahn inflates it. Autobahn bounds
    inflation itself: it stops at the largest message it may hand over and fails the connection with code 1009. Versions
    before 26.10 cut such a message off without a word.
    """
    if not offered:
        return {}
    return {
        "perMessageCompressionOffers": [PerMessageDeflateOffer()],
        "perMessageCompressionAccept": accept_deflate,
    }


def accept_deflate(response: object) -> PerMessageDeflateResponseAccept | None:
    """Accept permessage-deflate; autobahn has checked its parameters. None fails the upgrade."""
    if isinstance(response, PerMessageDeflateResponse):
        return PerMessageDeflateResponseAccept(response)
    return None


@implementer(IWebSocketClient)
class WebSocketClient(WebSocketClientFactory, ReconnectingClientFactory):  # type: ignore[misc]
    """`retry` applies the next wait. The wait itself comes from `core.backoff`, because Twisted's jitter compounds and
    can pass the cap. Only `healthy` resets the wait: a refused upgrade connects at TCP level first, and it must make
    the next wait longer."""

    _log = Logger()
    noisy = False

    def __init__(self, listener: IWebSocketListener, dialing: Dialing, backoff: Backoff) -> None:
        super().__init__(url=dialing.url, useragent=f"gatherer/{__version__}", reactor=dialing.clock)
        # All timers are ours, on our clock: autobahn's own take the global reactor's.
        self.setProtocolOptions(
            openHandshakeTimeout=0, closeHandshakeTimeout=0, serverConnectionDropTimeout=0,
            failByDrop=False, maxFramePayloadSize=MAX_MESSAGE, maxMessagePayloadSize=MAX_MESSAGE,
            **compression_options(dialing.compression),
        )  # fmt: skip
        self._listener = IWebSocketListener(listener)
        self._dialing = dialing
        self._backoff = backoff
        self._clock = dialing.clock
        self._dial_state = DialState.IDLE
        self.internal_errors = 0
        self._socket: ExchangeProtocol | None = None
        self._deadline: IDelayedCall | None = None
        self._leave_queue: Callable[[], None] | None = None
        self._stopping: list[Deferred[None]] = []

    # -- IWebSocketClient ---------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """See `IWebSocketClient`."""
        return self._dial_state is DialState.OPEN

    @property
    def state(self) -> str:
        """See `IWebSocketClient`."""
        return self._dial_state.value

    def start(self) -> None:
        """See `IWebSocketClient`."""
        if self._dial_state is DialState.IDLE:
            self._enqueue()

    def send(self, payload: bytes) -> None:
        """See `IWebSocketClient`."""
        if not self.is_open or self._socket is None:
            raise LocalProtocolError("send on a socket that is not open")
        if self._socket.state == self._socket.STATE_OPEN:
            self._socket.sendMessage(payload, isBinary=False)

    def abort(self, error: GathererError) -> None:
        """See `IWebSocketClient`."""
        if self._socket is not None:
            self._socket.cut(error)

    def healthy(self) -> None:
        """See `IWebSocketClient`. It does not call `resetDelay`, which also forgets a scheduled call."""
        self._backoff.reset()
        self.retries = 0

    def next_dial_in(self) -> float | None:
        """See `IWebSocketClient`."""
        if self._callID is not None and self._callID.active():
            return float(self._callID.getTime() - self._clock.seconds())
        return None

    def stop(self) -> Deferred[None]:
        """See `IWebSocketClient`."""
        self.continueTrying = 0
        if self._dial_state in WITHOUT_SOCKET:
            self._stop_waiting()
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._stopping.append(done)
        if self.is_open and self._socket is not None:
            self._socket.sendClose(code=1000)
        else:
            self._give_up_dialing("stopped")
        return done

    # -- the reactor calls these ----------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> ExchangeProtocol:
        """Each socket gets a new protocol."""
        self._socket = ExchangeProtocol(self._listener, self._dialing.sign, self._clock, self._dialing.wall)
        self._socket.factory = self
        return self._socket

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """TCP did not come up."""
        self._down(reason)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """The socket is gone. The protocol may know the cause better than TCP does."""
        socket = self._socket
        if socket is not None and socket.error is not None:
            self._down(Failure(socket.error))
        else:
            self._down(socket.transport_error or reason if socket is not None else reason)

    def retry(self, connector: IConnector | None = None) -> None:
        """Dial again after the next wait."""
        self.retries += 1
        self._enter(DialState.BACKOFF)
        self.delay = self._backoff.next()
        self._callID = self._clock.callLater(self.delay, self._enqueue)

    def opened(self) -> None:
        """The upgrade succeeded."""
        self._cancel_deadline()
        self._enter(DialState.OPEN)
        self._dialing.pacer.speed_up()
        self._listener.opened()

    def internal_error(self) -> None:
        """A listener raised an error. The protocol has logged it."""
        self.internal_errors += 1

    # -- helpers --------------------------------------------------------------------------------

    def _enter(self, state: DialState) -> None:
        """Change the state; nothing else does."""
        assert state in NEXT_STATES[self._dial_state], f"{self._dial_state} is not followed by {state}"
        self._dial_state = state

    def _enqueue(self) -> None:
        self._callID = None
        self._enter(DialState.QUEUED)
        self._leave_queue = self._dialing.pacer.admit(self._dial)

    def _dial(self) -> None:
        self._leave_queue = None
        self._enter(DialState.DIALING)
        seconds = self._dialing.connect_timeout
        self._deadline = self._clock.callLater(seconds, self._give_up_dialing, f"not open within {seconds} s")
        if self.connector is None:
            self.connector = self._dialing.connect(self)
        else:
            self.connector.connect()

    def _give_up_dialing(self, why: str) -> None:
        if self._socket is not None:
            self._socket.cut(GathererError(why))
            return
        connector: Any = self.connector  # Twisted leaves the attribute without a type
        try:
            connector.stopConnecting()
        except NotConnectingError:
            self._log.debug("the dial ended by itself: {why}", why=why)

    def _down(self, reason: Failure) -> None:
        self._cancel_deadline()
        self._socket = None
        if self.continueTrying:
            if isinstance(reason.value, UpgradeRefused) and reason.value.status in SLOW_DOWN:
                self._dialing.pacer.slow_down()
            self.retry()
            self._listener.closed(reason)
        else:
            self._enter(DialState.STOPPED)
            self._listener.closed(Failure(ConnectionDone("stopped")))
            stopping, self._stopping = self._stopping, []
            for done in stopping:
                done.callback(None)

    def _stop_waiting(self) -> None:
        self._enter(DialState.STOPPED)
        if self._callID is not None and self._callID.active():
            self._callID.cancel()
        if self._leave_queue is not None:
            self._leave_queue()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
