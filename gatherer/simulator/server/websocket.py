"""The exchange's WebSocket: handshake, heartbeat, frames. Whatever it means is the session's business."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.feed.session import Session
from gatherer.simulator.feed.wire import encode
from gatherer.simulator.server.auth import KEY, KeyRing
from gatherer.simulator.server.outbox import BINARY, COMPRESSED, TEXT, Outbox, frame

PATH = "/trade-api/ws/v2"
PING = b"heartbeat"
MISSED_PONGS = 3
"""Intervals without a pong after which a client is cut."""
MAX_COMMAND = 16 * 1024 * 1024
"""Bytes of the largest client message."""


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """How the exchange treats its sockets."""

    heartbeat: float = 10.0
    """Seconds between pings."""
    connections: int = 200
    """Sockets a key may have open at once; HTTP 429 above it."""
    buffer_bytes: int = 16 * 1024 * 1024
    """Bytes that may wait for a slow reader before its order books end with error 25."""
    compression: bool = False
    """Whether permessage-deflate is granted to clients that offer it."""


class SimulatorProtocol(WebSocketServerProtocol):
    """One client's socket."""

    transport: Any
    _log = Logger()

    def __init__(self, factory: "SimulatorFactory") -> None:
        super().__init__()
        self.factory = factory
        self.key_id = ""
        self._session: Session | None = None
        self._outbox: Outbox | None = None
        self._ping: IDelayedCall | None = None
        self._pongs_missed = 0

    def connectionMade(self) -> None:
        """TCP is up; the upgrade request is still to come."""
        self.factory.sockets.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """TCP is gone, however it went."""
        super().connectionLost(reason)
        self._forget()
        self.factory.forget(self)

    def dataReceived(self, data: bytes) -> None:
        """A half-open socket hears nothing."""
        if self._session is None or not self._session.muted:
            super().dataReceived(data)

    def onConnect(self, request: ConnectionRequest) -> tuple[None, dict[str, str]]:
        """Let a client in, or raise ConnectionDeny with a JSON body for a reason."""
        self.factory.admit(request.path, request.headers)
        self.key_id = request.headers[KEY]
        return None, {"Date": self._date()}

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        """A refused upgrade, with a body and a Date header; autobahn's own has neither."""
        text = str(reason)
        body = text.encode() if text.startswith("{") else encode({"error": {"code": "bad_request", "message": text}})
        lines = [f"HTTP/1.1 {code} {_phrase(code)}", f"Date: {self._date()}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in responseHeaders or ()]
        lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
        self.sendData("\r\n".join(lines).encode("latin-1") + body)

    def _date(self) -> str:
        return datetimeToString(self.factory.reactor.seconds()).decode()

    def onOpen(self) -> None:
        """The upgrade succeeded: a session begins."""
        outbox = self._outbox = Outbox(self.transport, self.factory.settings.buffer_bytes, self._overflowed)
        self.transport.registerProducer(outbox, True)
        pack = compressor(self.websocket_extensions_in_use)
        self._session = self.factory.exchange.open_session(
            lambda payload: outbox.write(pack(payload, TEXT)),
            send_binary=lambda payload: outbox.write(pack(payload, BINARY)),
            cut=self.transport.abortConnection,
            crowded=outbox.crowded,
        )
        self._beat_later()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A command. A binary one cannot be JSON text, so it is none."""
        assert self._session is not None
        try:
            self._session.receive(b"" if isBinary else payload)
        except Exception:
            self._log.failure("session {session} cannot go on", session=self._session.id)
            self.transport.abortConnection()

    def onPong(self, payload: bytes) -> None:
        """The client lives."""
        self._pongs_missed = 0

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """The session ends with its socket."""
        self._forget()

    def dropConnection(self, abort: bool = False) -> None:
        """Let go of the transport first: a TLS one waits for its producer before it closes."""
        self._forget()
        super().dropConnection(abort)

    def leave(self) -> None:
        """The exchange closes down: finish what waits, say goodbye."""
        if self._session is None or self._session.muted:
            self.transport.abortConnection()
            return
        if self._outbox is not None:
            self._outbox.flush()
        self._forget()
        self.sendCloseFrame(1001, b"going away")  # sendClose is for applications and refuses 1001

    def _beat_later(self) -> None:
        self._ping = self.factory.reactor.callLater(self.factory.settings.heartbeat, self._beat)

    def _beat(self) -> None:
        self._ping = None
        assert self._session is not None
        if self._session.muted:
            return
        if self._pongs_missed >= MISSED_PONGS:
            self._log.info("session {session} does not answer pings", session=self._session.id)
            self.transport.abortConnection()
            return
        self._pongs_missed += 1
        self.sendPing(PING)
        self._beat_later()

    def _overflowed(self) -> None:
        """Not at once: the message that was too much is still being accounted for."""
        assert self._session is not None
        self._log.info("session {session} reads too slowly", session=self._session.id)
        self.factory.reactor.callLater(0, self._session.overflow)

    def _forget(self) -> None:
        """No session, no timer, no producer. Idempotent."""
        if self._ping is not None:
            self._ping.cancel()
            self._ping = None
        if self._session is not None:
            self._session.close()
        if self._outbox is not None:
            self._outbox = None
            self.transport.unregisterProducer()


def compressor(extensions: Sequence[Any]) -> Callable[[bytes, int], bytes]:
    """What makes frames on a socket that these extensions were agreed for: one, permessage-deflate, or none."""
    if not extensions:
        return frame
    deflate = extensions[0]

    def pack(payload: bytes, opcode: int) -> bytes:
        deflate.start_compress_message()
        return frame(deflate.compress_message_data(payload) + deflate.end_compress_message(), COMPRESSED | opcode)

    return pack


def grant(offers: Sequence[Any]) -> PerMessageDeflateOfferAccept | None:
    """Take the first offer of permessage-deflate, with what it asks for."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer)
    return None


def _phrase(code: int) -> str:
    return HTTPStatus(code).phrase if code in set(HTTPStatus) else "Refused"


class SimulatorFactory(WebSocketServerFactory):
    """Makes a protocol per socket and decides who comes in."""

    noisy = False

    def __init__(self, reactor: IReactorTime, exchange: Exchange, keys: KeyRing, settings: SocketSettings) -> None:
        super().__init__(reactor=reactor, server="kalshi-simulator")
        self.setProtocolOptions(webStatus=False, maxMessagePayloadSize=MAX_COMMAND)
        if settings.compression:
            self.setProtocolOptions(perMessageCompressionAccept=grant)
        self.exchange = exchange
        self.settings = settings
        self.sockets: set[SimulatorProtocol] = set()
        self._keys = keys
        self._empty: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> SimulatorProtocol:
        """A socket has connected."""
        return SimulatorProtocol(self)

    def admit(self, path: str, headers: Mapping[str, str]) -> None:
        """Return for an upgrade that is in order, else raise ConnectionDeny with a status and a JSON body."""
        refused = self.exchange.faults.next_upgrade()
        if refused is not None:
            raise ConnectionDeny(refused, encode({"error": "refused by script"}).decode())
        if path != PATH:
            raise ConnectionDeny(404, encode({"error": {"code": "not_found", "message": "not found"}}).decode())
        body = self._keys.refuse(headers, "GET", PATH, self.reactor.seconds())
        if body is not None:
            raise ConnectionDeny(401, body.decode())
        if sum(socket.key_id == headers[KEY] for socket in self.sockets) >= self.settings.connections:
            raise ConnectionDeny(429, encode({"error": "too many requests"}).decode())

    def forget(self, socket: SimulatorProtocol) -> None:
        """A socket is gone."""
        self.sockets.discard(socket)
        if not self.sockets:
            empty, self._empty = self._empty, []
            for deferred in empty:
                deferred.callback(None)

    def close_all(self) -> Deferred[None]:
        """Close every socket. Deferred: fires with None when the last is gone."""
        done: Deferred[None] = Deferred()
        if not self.sockets:
            done.callback(None)
            return done
        self._empty.append(done)
        for socket in tuple(self.sockets):
            socket.leave()
        return done
