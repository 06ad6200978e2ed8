"""One WebSocket to the exchange: autobahn's client, with a fast path for the frames of nearly every read."""

from collections.abc import Callable
from typing import Any

import txaio
from autobahn.twisted.websocket import WebSocketClientProtocol
from autobahn.websocket.types import ConnectingRequest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.core.wire.frames import frame_size, scan, text_frame_size
from gatherer.core.wire.handshake import is_refusal, parse_refusal
from gatherer.errors import GathererError, RemoteProtocolError
from gatherer.exchange.auth import Headers
from gatherer.exchange.interfaces import IWebSocketListener

CLOSE_TIMEOUT = 2.0
"""Seconds the exchange has to finish a closing handshake before the socket is cut."""


class ExchangeProtocol(WebSocketClientProtocol):
    """Collects the messages of each socket read and passes them on in one call.

    `scan` cuts out complete text frames. All other frames (control frames, fragments, compressed or invalid frames) go
    to autobahn unchanged and in order, one at a time, so that the fast path continues right after each.
    """

    # The attributes of each read lie together in memory: autobahn's own hundred fill many cache lines.
    __slots__ = ("_at_frame_start", "_limit", "_listener", "_tail_missing", "_texts", "_wall")

    _log = Logger()
    log = txaio.make_logger(level="critical")  # type: ignore[attr-defined]
    """Autobahn's own logger. Its errors reach the log once, as the reason of the lost connection."""

    def __init__(
        self, listener: IWebSocketListener, sign: Callable[[], Deferred[Headers]], clock: IReactorTime,
        wall: Callable[[], int],
    ) -> None:  # fmt: skip
        super().__init__()
        self._listener = IWebSocketListener(listener)
        self._sign = sign
        self._signing: Deferred[ConnectingRequest] | None = None
        self._clock = clock
        self._wall = wall
        self._limit = 0
        self._at_frame_start = False
        """Whether the connection is open, the next byte begins a frame, and autobahn has no bytes of an earlier one."""
        self._texts: list[bytes] = []
        self._tail: list[bytes] = []
        self._tail_missing = 0
        self._closing: IDelayedCall | None = None
        self.error: GathererError | None = None
        """Why the socket was or will be lost, if the WebSocket knows it better than the transport."""
        self.transport_error: Failure | None = None
        """The transport's reason. The factory only gets TCP's reason, which does not show that TLS failed."""

    # -- autobahn calls these -----------------------------------------------------------------

    def onConnecting(self, transport_details: object) -> Deferred[ConnectingRequest]:  # type: ignore[override]
        """Sign now, not when the dial was scheduled: a signature is valid for seconds only."""
        self._signing = self._sign().addCallback(self._request)
        return self._signing

    def _request(self, headers: Headers) -> ConnectingRequest:
        factory = self.factory
        return ConnectingRequest(
            host=factory.host, port=factory.port, resource=factory.resource,
            headers=dict(headers), useragent=factory.useragent,
        )  # fmt: skip

    def processHandshake(self) -> None:
        """Keep status, body and date of a refusal. Autobahn would report only the status."""
        if not is_refusal(self.data):
            super().processHandshake()
            return
        refusal = parse_refusal(self.data, self._wall() / 1e9, complete=False)
        if refusal is not None:
            self.cut(refusal)

    def onOpen(self) -> None:
        """The upgrade succeeded."""
        self._limit = self.factory.maxMessagePayloadSize
        self._guard(self.factory.opened)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A message from autobahn. It keeps its place among those of the fast path."""
        if self.wasClean:
            return  # after the exchange's close frame there is no data (RFC 6455 section 1.4)
        if not isBinary:
            self._texts.append(payload)
            return
        if self._texts:
            self._flush(self._texts)
        self._guard(self._listener.undecodable, payload, "binary", self._wall())

    def onPing(self, payload: bytes) -> None:
        """The exchange's heartbeat. An unanswered ping ends the connection (protocol section 2)."""
        super().onPing(payload)
        self._guard(self._listener.pinged)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """Keep the reason for the factory, which is called right after."""
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        if self.error is None:
            self.error = self._why()

    def sendCloseFrame(self, *args: Any, **kwargs: Any) -> None:  # passed on as they are
        """Bound the closing handshake in time, whichever side started it."""
        self._at_frame_start = False
        super().sendCloseFrame(*args, **kwargs)
        if self._closing is None:
            self._closing = self._clock.callLater(CLOSE_TIMEOUT, self.cut, None)

    # -- bytes --------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """One socket read makes at most one call of the listener, with all its text messages."""
        if self._at_frame_start:
            taken = scan(data, self._limit, self._texts)
            if taken < len(data):
                self._consume_any(data[taken:])
        else:
            self._consume_any(data)
        texts = self._texts
        if texts:
            self._flush(texts)

    def connectionLost(self, reason: Failure = Failure(GathererError("lost"))) -> None:  # noqa: B008
        """A refusal without a complete body is still a refusal."""
        if self._signing is not None:
            self._signing.cancel()
        if self.state == self.STATE_CONNECTING and self.error is None:
            self.error = parse_refusal(self.data, self._wall() / 1e9, complete=True)
        self.transport_error = reason
        super().connectionLost(reason)

    def dropConnection(self, abort: bool = False) -> None:
        """Autobahn drops the bytes that still arrive."""
        self._at_frame_start = False
        super().dropConnection(abort)

    def cut(self, error: GathererError | None) -> None:
        """Drop the socket without a closing handshake."""
        self.error = self.error or error
        self.dropConnection(abort=True)
        transport: Any = self.transport  # autobahn gives it no type
        transport.abortConnection()  # once more: autobahn does nothing if it thinks that the socket is closed

    def _why(self) -> GathererError | None:
        """What the WebSocket knows of its end. None when only the transport knows."""
        if self.localCloseCode not in (None, 1000, self.remoteCloseCode):
            return RemoteProtocolError(f"we closed with code {self.localCloseCode}: {self.localCloseReason}")
        if self.remoteCloseCode is not None:
            return RemoteProtocolError(
                f"closed with code {self.remoteCloseCode}: {self.remoteCloseReason or 'no reason'}"
            )
        return RemoteProtocolError(self.wasNotCleanReason) if self.droppedByMe and self.wasNotCleanReason else None

    def _consume_any(self, data: bytes) -> None:
        if self.state == self.STATE_OPEN or self._tail_missing:  # we may close in the middle of a frame
            self._consume_open(data)
        else:
            self._dataReceived(data)
        self._at_frame_start = self.state == self.STATE_OPEN and not self._is_mid_frame()

    def _is_mid_frame(self) -> bool:
        inside = self.current_frame is not None or self.inside_message
        return bool(inside or self._tail_missing or self.data)

    def _consume_open(self, data: bytes) -> None:
        if self._tail_missing:
            self._tail.append(data)
            self._tail_missing -= len(data)
            if self._tail_missing > 0:
                return
            data, self._tail, self._tail_missing = b"".join(self._tail), [], 0
        while data and self.state == self.STATE_OPEN:
            data = self._step(data)
        if data:
            self._dataReceived(data)

    def _step(self, data: bytes) -> bytes:
        """Consume frames from the front. Returns the rest, or b"" when nothing is left to do."""
        if self.current_frame is not None or self.inside_message:
            return self._give_autobahn(data)
        if self.data:  # autobahn has the beginning of a frame's header: take it back
            data, self.data = self.data + data, b""
        taken = scan(data, self._limit, self._texts)
        rest = data[taken:] if taken else data
        size = text_frame_size(rest, self._limit)
        if size <= len(rest):
            return self._give_autobahn(rest) if rest else b""
        # The pieces are joined once, when the frame is complete: 64 MiB come in 1,000 reads.
        self._tail, self._tail_missing = [rest], size - len(rest)
        return b""

    def _give_autobahn(self, data: bytes) -> bytes:
        """Give autobahn the bytes up to the end of its current frame."""
        if self.current_frame is not None:
            size = self.current_frame.length - self.current_frame_masker.pointer()
        else:
            size = frame_size(self.data + data[:14], 0) - len(self.data)
        piece = data[:size] if 0 < size < len(data) else data
        self._dataReceived(piece)
        return data[len(piece) :]

    def _flush(self, texts: list[bytes]) -> None:
        self._texts = []
        try:
            self._listener.received(texts, self._wall())
        except Exception:
            self._listener_failed("received")

    def _guard(self, call: Callable[..., object], *args: object) -> None:
        """Catch every exception: it would break autobahn's parser or vanish in one of its futures."""
        try:
            call(*args)
        except Exception:
            self._listener_failed(getattr(call, "__name__", repr(call)))

    def _listener_failed(self, call: str) -> None:
        self._log.failure("connection listener failed in {call}", call=call)
        self.factory.internal_error()
