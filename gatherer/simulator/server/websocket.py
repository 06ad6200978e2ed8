"""The exchange's WebSocket: handshake, heartbeat, frames. `ClientSession` knows what the messages mean."""

from collections.abc import Callable, Iterable, Mapping, Sequence
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

from gatherer.simulator.feed.faults import Faults
from gatherer.simulator.feed.session import ClientSession
from gatherer.simulator.feed.wire import encode
from gatherer.simulator.server.auth import KEY, KeyRing
from gatherer.simulator.server.outbox import BINARY, COMPRESSED, TEXT, Outbox, frame

PATH = "/trade-api/ws/v2"
PING = b"heartbeat"
MAX_MISSED_PONGS = 3
"""A client is cut after so many intervals without a pong."""
MAX_COMMAND_BYTES = 16 * 1024 * 1024
"""The largest client message."""


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """How the exchange treats its sockets."""

    heartbeat: float = 10.0
    """Seconds between pings."""
    connections: int = 200
    """Open sockets that a key may have; HTTP 429 above it."""
    buffer_bytes: int = 16 * 1024 * 1024
    """Bytes that may wait for a slow reader; above it, its order books end with error 25."""
    compression: bool = False
    """Whether to accept permessage-deflate from clients that offer it."""


class SimulatorProtocol(WebSocketServerProtocol):
    """One client's socket."""

    transport: Any  # autobahn and Twisted declare it differently
    _log = Logger()

    def __init__(self, factory: "SimulatorFactory") -> None:
        super().__init__()
        self.factory = factory
        self.key_id = ""
        self._session: ClientSession | None = None
        self._outbox: Outbox | None = None
        self._ping: IDelayedCall | None = None
        self._pongs_missed = 0

    def connectionMade(self) -> None:
        """TCP is up; the upgrade request is still to come."""
        self.factory.sockets.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """TCP is gone, for any reason."""
        super().connectionLost(reason)
        self._forget()
        self.factory.forget(self)

    def dataReceived(self, data: bytes) -> None:
        """A half-open socket hears nothing."""
        if self._session is None or not self._session.is_half_open:
            super().dataReceived(data)

    def onConnect(self, request: ConnectionRequest) -> tuple[None, dict[str, str]]:
        """Accept a client, or raise ConnectionDeny with a JSON body as its reason."""
        self.factory.admit(request.path, request.headers)
        self.key_id = request.headers[KEY]
        return None, {"Date": self._date()}

    def sendHttpErrorResponse(
        self, code: int, reason: str, responseHeaders: Iterable[tuple[str, str]] | None = None
    ) -> None:
        """Refuse an upgrade with a body and a Date header. The answer of autobahn has neither."""
        text = str(reason)
        body = text.encode() if text.startswith("{") else encode({"error": {"code": "bad_request", "message": text}})
        lines = [f"HTTP/1.1 {code} {_phrase(code)}", f"Date: {self._date()}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in responseHeaders or ()]
        lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
        self.sendData("\r\n".join(lines).encode("latin-1") + body)

    def _date(self) -> str:
        return datetimeToString(self.factory.now()).decode()

    def onOpen(self) -> None:
        """The upgrade succeeded: a session begins."""
        outbox = self._outbox = Outbox(self.transport, self.factory.settings.buffer_bytes, self._overflowed)
        self.transport.registerProducer(outbox, True)
        pack = compressor(self.websocket_extensions_in_use)
        self._session = self.factory.open_session(
            lambda payload: outbox.write(pack(payload, TEXT)),
            send_binary=lambda payload: outbox.write(pack(payload, BINARY)),
            cut=self.transport.abortConnection,
            crowded=outbox.crowded,
        )
        self._beat_later()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A command. A binary message is not JSON text, so it counts as an invalid command."""
        assert self._session is not None
        try:
            self._session.receive(b"" if isBinary else payload)
        except Exception:
            self._log.failure(
                "session {session} failed while it executed a command; its socket is cut", session=self._session.id
            )
            self.transport.abortConnection()

    def onPong(self, payload: bytes) -> None:
        """The client is alive."""
        self._pongs_missed = 0

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """The session ends with its socket."""
        self._forget()

    def dropConnection(self, abort: bool = False) -> None:
        """Unregister the producer first: a TLS transport waits for it before it closes."""
        self._forget()
        super().dropConnection(abort)

    def go_away(self) -> None:
        """The exchange closes down: write the waiting frames, then a close frame."""
        if self._session is None or self._session.is_half_open:
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
        if self._session.is_half_open:
            return
        if self._pongs_missed >= MAX_MISSED_PONGS:
            self._log.info("session {session} does not answer pings", session=self._session.id)
            self.transport.abortConnection()
            return
        self._pongs_missed += 1
        self.sendPing(PING)
        self._beat_later()

    def _overflowed(self) -> None:
        """End the order books in the next reactor turn: the outbox is still counting the message that overflowed it."""
        assert self._session is not None
        self._log.info("session {session} reads too slowly", session=self._session.id)
        self.factory.reactor.callLater(0, self._session.overflow)

    def _forget(self) -> None:
        """End the session, the timer and the producer. Idempotent."""
        if self._ping is not None:
            self._ping.cancel()
            self._ping = None
        if self._session is not None:
            self._session.close()
        if self._outbox is not None:
            self._outbox = None
            self.transport.unregisterProducer()


def compressor(extensions: Sequence[Any]) -> Callable[[bytes, int], bytes]:
    """The function that makes frames. `extensions` is empty or holds permessage-deflate."""
    if not extensions:
        return frame
    deflate = extensions[0]  # autobahn has no type for an extension in use

    def pack(payload: bytes, opcode: int) -> bytes:
        deflate.start_compress_message()
        return frame(deflate.compress_message_data(payload) + deflate.end_compress_message(), COMPRESSED | opcode)

    return pack


def grant(offers: Sequence[object]) -> PerMessageDeflateOfferAccept | None:
    """Accept the first offer of permessage-deflate as it is."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer)
    return None


def _phrase(code: int) -> str:
    return HTTPStatus(code).phrase if code in set(HTTPStatus) else "Refused"


class SimulatorFactory(WebSocketServerFactory):
    """Makes a protocol for each socket and decides which upgrades to accept."""

    noisy = False

    def __init__(
        self,
        reactor: IReactorTime,
        now: Callable[[], float],
        open_session: Callable[..., ClientSession],
        faults: Faults,
        keys: KeyRing,
        settings: SocketSettings,
    ) -> None:
        """`open_session` is `Exchange.open_session`."""
        super().__init__(reactor=reactor, server="kalshi-simulator")
        self.now = now
        """Unix time in seconds."""
        self.setProtocolOptions(webStatus=False, maxMessagePayloadSize=MAX_COMMAND_BYTES)
        if settings.compression:
            self.setProtocolOptions(perMessageCompressionAccept=grant)
        self.open_session = open_session
        self._faults = faults
        self.settings = settings
        self.sockets: set[SimulatorProtocol] = set()
        self._keys = keys
        self._empty: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> SimulatorProtocol:
        """A socket has connected."""
        return SimulatorProtocol(self)

    def admit(self, path: str, headers: Mapping[str, str]) -> None:
        """Return if the upgrade is valid, else raise ConnectionDeny with a status and a JSON body."""
        refused = self._faults.next_upgrade()
        if refused is not None:
            raise ConnectionDeny(refused, encode({"error": "refused by script"}).decode())
        if path != PATH:
            raise ConnectionDeny(404, encode({"error": {"code": "not_found", "message": "not found"}}).decode())
        body = self._keys.refuse(headers, "GET", PATH, self.now())
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
        """Close every socket. The Deferred fires with None when the last is gone."""
        done: Deferred[None] = Deferred()
        if not self.sockets:
            done.callback(None)
            return done
        self._empty.append(done)
        for socket in tuple(self.sockets):
            socket.go_away()
        return done
