"""A WebSocket without a socket: messages take a while, and may come twice."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.core.backoff import Backoff
from gatherer.errors import GathererError, LocalProtocolError, RemoteProtocolError, UpgradeRefused
from gatherer.exchange.interfaces import IWebSocketClient, IWebSocketListener
from gatherer.exchange.websocket.dialing import DialPacer
from gatherer.simulator.exchange import Exchange

SID = re.compile(rb',"sid":\d+')
CONTROL = (b'"type":"ok"', b'"type":"subscribed"', b'"type":"unsubscribed"', b'"type":"error"')


class Heart:
    """The exchange's pings on all sockets at once: one timer instead of 150."""

    def __init__(self, clock: IReactorTime, interval: float) -> None:
        self._clock = clock
        self._interval = interval
        self._clients: dict[MemoryClient, None] = {}
        self._call: Any = None

    def join(self, client: "MemoryClient") -> None:
        """A socket opened."""
        self._clients[client] = None
        if self._call is None:
            self._call = self._clock.callLater(self._interval, self._beat)

    def leave(self, client: "MemoryClient") -> None:
        """A socket is gone. The timer ends with the last one."""
        self._clients.pop(client, None)
        if not self._clients and self._call is not None:
            self._call.cancel()
            self._call = None

    def _beat(self) -> None:
        self._call = self._clock.callLater(self._interval, self._beat)
        for client in list(self._clients):
            client.beat()


def nothing(conn_id: int, payload: bytes) -> None:
    """The default observer: it does nothing."""


@dataclass
class Wire:
    """The network between both sides. `latency` is one way, in seconds."""

    clock: Any
    exchange: Exchange
    heart: Heart
    latency: float = 0.0
    pacer: DialPacer | None = None
    reuse_sids: bool = False
    """Whether the exchange gives a sid that is over to the next subscription of the socket (not known)."""
    on_command: Callable[[int, bytes], None] = nothing
    on_delivery: Callable[[int, bytes], None] = nothing
    """Called with each text message before the connection gets it."""
    duplicate: list[int] = field(default_factory=list)
    """Connections whose next reply comes twice."""
    nameless: list[int] = field(default_factory=list)
    """Connections whose next `subscribed` names no sid."""


@implementer(IWebSocketClient)
class MemoryClient:
    """Frames go to a session of the simulator and back, in turns of their own."""

    def __init__(self, conn_id: int, listener: Any, wire: Wire, backoff: Backoff) -> None:
        self._conn_id = conn_id
        self._listener = IWebSocketListener(listener)
        self._wire = wire
        self._exchange = wire.exchange
        self._clock = wire.clock
        self._backoff = backoff
        self._inbox: list[tuple[bytes, bool]] = []
        self._retry: Any = None
        self._withdraw: Callable[[], None] | None = None
        self.session: Any = None
        self.stopped = False
        self.commands: list[bytes] = []
        self.dialled_at: list[float] = []

    @property
    def is_open(self) -> bool:
        return self.session is not None

    @property
    def state(self) -> str:
        return "open" if self.is_open else "backoff"

    def start(self) -> None:
        self._retry = self._clock.callLater(0, self._queue)

    def send(self, payload: bytes) -> None:
        if self.session is None:
            raise LocalProtocolError("not open")
        self.commands.append(payload)
        self._wire.on_command(self._conn_id, payload)
        self._clock.callLater(self._wire.latency, self._to_exchange, self.session, payload)

    def abort(self, error: GathererError) -> None:
        self.lose(error)

    def healthy(self) -> None:
        self._backoff.reset()

    def next_dial_in(self) -> float | None:
        return None if self._retry is None else float(self._retry.getTime() - self._clock.seconds())

    def stop(self) -> Deferred[None]:
        self.stopped = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._withdraw is not None:
            self._withdraw()
            self._withdraw = None
        self.lose(RemoteProtocolError("stopped"))
        return succeed(None)

    def lose(self, error: Exception) -> None:
        """The socket is gone, with everything on the way."""
        session, self.session = self.session, None
        if session is None:
            return
        session.close()
        self._inbox = []
        self._wire.heart.leave(self)
        self._down(error)

    def receive(self, payloads: list[bytes]) -> None:
        """One read brings these payloads."""
        self._hand_over(payloads, int(self._clock.seconds() * 1e9))

    def beat(self) -> None:
        """The exchange pings, unless the socket is half-open."""
        if self.session is not None and not self.session.is_half_open:
            self._listener.pinged()

    def _queue(self) -> None:
        self._retry = None
        if self._wire.pacer is None:
            self._dial()
        else:
            self._withdraw = self._wire.pacer.admit(self._dial)

    def _dial(self) -> None:
        self._withdraw = None
        self.dialled_at.append(self._clock.seconds())
        status, pacer = self._exchange.faults.next_upgrade(), self._wire.pacer
        if status is not None:
            if pacer is not None and status == 429:
                pacer.slow_down()
            self._down(UpgradeRefused(status, "scripted"))
            return
        if pacer is not None:
            pacer.speed_up()
        self.session = self._exchange.open_session(self._text, cut=self._cut, send_binary=self._binary)
        self._wire.heart.join(self)
        self._listener.opened()

    def _down(self, error: Exception) -> None:
        if not self.stopped:
            self._retry = self._clock.callLater(self._backoff.next(), self._queue)
        self._listener.closed(Failure(error))

    def _cut(self) -> None:
        self._clock.callLater(0, self._cut_now, self.session)

    def _cut_now(self, session: Any) -> None:
        if session is self.session:
            self.lose(ConnectionResetError("cut by the exchange"))

    def _to_exchange(self, session: Any, payload: bytes) -> None:
        if session is self.session:
            if self._wire.reuse_sids and not session.subscriptions:
                session._next_sid = 1  # the simulator never repeats a sid
            session.receive(payload)

    def _text(self, payload: bytes) -> None:
        if self._conn_id in self._wire.nameless and b'"type":"subscribed"' in payload[:120]:
            self._wire.nameless.remove(self._conn_id)
            payload = SID.sub(b"", payload)
        self._arrive(payload, False)
        if self._conn_id in self._wire.duplicate and any(word in payload[:120] for word in CONTROL):
            self._wire.duplicate.remove(self._conn_id)
            self._arrive(payload, False)

    def _binary(self, payload: bytes) -> None:
        self._arrive(payload, True)

    def _arrive(self, payload: bytes, binary: bool) -> None:
        if not self._inbox:
            self._clock.callLater(self._wire.latency, self._deliver, self.session)
        self._inbox.append((payload, binary))

    def _deliver(self, session: Any) -> None:
        if session is not self.session or session is None:
            return
        inbox, self._inbox = self._inbox, []
        now, texts = int(self._clock.seconds() * 1e9), []
        for payload, binary in inbox:
            if not binary:
                texts.append(payload)
            elif self.session is session:
                self._hand_over(texts, now)
                texts = []
                self._listener.undecodable(payload, "binary", now)
        if self.session is session:
            self._hand_over(texts, now)

    def _hand_over(self, texts: list[bytes], now: int) -> None:
        for payload in texts:
            self._wire.on_delivery(self._conn_id, payload)
        if texts:
            self._listener.received(texts, now)
