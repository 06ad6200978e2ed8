"""The other end in memory: a client without a socket, a lean exchange that keeps next to nothing, and REST."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol
from zlib import crc32

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from benchmarks.turns import TurnReactor
from gatherer.core.wire.rest_bodies import decode_page
from gatherer.errors import GathererError
from gatherer.exchange.interfaces import IWebSocketClient, IWebSocketListener
from gatherer.interfaces import IExchangeRest, IMessageRouter, RouterStatus
from gatherer.values import ExchangeStatus, Marker, MarketRow, RawMessage

READ_BYTES = 65_536
"""What one read of a socket brings at most, as in Twisted."""
HEARTBEAT = 10.0
ROUND_TRIP = 0.005
"""Seconds from a command to the answer: as near to the exchange as one can be."""
REDIAL = 1.0
"""Seconds before the first redial, the default of `[reconnect]`."""
PAGE = 1000

_SNAPSHOT = (
    b'{"type":"orderbook_snapshot","sid":%d,"seq":%d,"msg":{"market_ticker":"%b","market_id":'
    b'"00000000-0000-4000-8000-000000000000","yes_dollars_fp":[["0.0300","1250.00"],["0.0400","250.00"],'
    b'["0.0500","100.00"],["0.0700","12.00"]],"no_dollars_fp":[["0.8100","300.00"],["0.8800","1000.00"],'
    b'["0.9000","50.00"],["0.9100","431.25"],["0.9200","77.00"]]}}'
)
_ROW = (
    b'{"ticker":"%b","event_ticker":"%b","market_type":"binary","status":"active","open_time":"%b",'
    b'"close_time":"%b","yes_sub_title":"%b","rules_primary":"%b"}'
)


class Params(msgspec.Struct, frozen=True, gc=False):
    """The parameters of a command that the lean exchange reads."""

    channels: list[str] = []
    action: str = ""
    market_tickers: list[str] = []


class Asked(msgspec.Struct, gc=False):
    """A command of the client."""

    id: int
    cmd: str
    params: Params = Params()


_decode = msgspec.json.Decoder(Asked).decode


class Peer(Protocol):
    """The exchange's end of one socket."""

    def receive(self, frame: bytes) -> None:
        """A command has arrived."""

    def close(self) -> None:
        """The socket is closed."""


class LeanSession:
    """Answers with `ok` and books, and keeps only two numbers, so that the memory of a run is that of the gatherer."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._seq = 0
        self.held = 0

    def receive(self, frame: bytes) -> None:
        """See `Peer`."""
        asked = _decode(frame)
        tickers = asked.params.market_tickers
        if asked.cmd == "subscribe":
            self._reply(b'{"id":%d,"type":"subscribed","msg":{"channel":"%b","sid":1}}', asked)
            self._books(tickers)
        elif asked.cmd == "unsubscribe":
            self._seq = self.held = 0
            self._reply(b'{"id":%d,"type":"unsubscribed","sid":1,"seq":%d}', asked, self._next())
        else:
            self._reply(b'{"id":%d,"type":"ok","sid":1,"seq":%d,"msg":{}}', asked, self._next())
            if asked.params.action == "add_markets":
                self._books(tickers)
            else:
                self.held -= len(tickers)

    def close(self) -> None:
        """See `Peer`."""

    def _reply(self, text: bytes, asked: Asked, *more: int) -> None:
        channel = (asked.params.channels[0].encode(),) if asked.cmd == "subscribe" else ()
        self._send(text % (asked.id, *channel, *more))

    def _books(self, tickers: list[str]) -> None:
        self.held += len(tickers)
        for ticker in tickers:
            self._send(_SNAPSHOT % (1, self._next(), ticker.encode()))

    def _next(self) -> int:
        self._seq += 1
        return self._seq


@implementer(IWebSocketClient)
class BenchClient:
    """A WebSocket without a socket: what the exchange sends arrives in reads of 64 KiB, one a turn."""

    def __init__(self, listener: Any, open_session: Callable[[Callable[[bytes], None]], Peer], reactor: Any) -> None:
        self._listener = IWebSocketListener(listener)
        self._open_session = open_session
        self._reactor: TurnReactor = reactor
        self._inbox: list[bytes] = []
        self._outbox: list[bytes] = []
        self._reading: IDelayedCall | None = None
        self._beating: IDelayedCall | None = None
        self._dialing: IDelayedCall | None = None
        self.session: Peer | None = None

    @property
    def is_open(self) -> bool:
        """See `IWebSocketClient`."""
        return self.session is not None

    @property
    def state(self) -> str:
        """See `IWebSocketClient`."""
        return "open" if self.is_open else "backoff"

    def start(self) -> None:
        """See `IWebSocketClient`."""
        self._dialing = self._reactor.callLater(0, self._dial)

    def send(self, payload: bytes) -> None:
        """See `IWebSocketClient`."""
        self._outbox.append(payload)
        if self._reading is None:
            self._reading = self._reactor.callLater(ROUND_TRIP, self._read)

    def abort(self, error: GathererError) -> None:
        """See `IWebSocketClient`."""
        self.lose(str(error))

    def healthy(self) -> None:
        """See `IWebSocketClient`."""

    def next_dial_in(self) -> float | None:
        """See `IWebSocketClient`."""
        return REDIAL

    def stop(self) -> Deferred[None]:
        """See `IWebSocketClient`."""
        self._forget()
        self._listener.closed(Failure(ConnectionLost("stopped")))
        return succeed(None)

    def lose(self, reason: str) -> None:
        """The socket is closed. The redial comes after the first wait."""
        self._forget()
        self._dialing = self._reactor.callLater(REDIAL, self._dial)
        self._listener.closed(Failure(ConnectionLost(reason)))

    def _forget(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            with self._reactor.outside():
                session.close()
        for call in (self._reading, self._beating, self._dialing):
            if call is not None and call.active():
                call.cancel()
        self._inbox, self._outbox, self._reading, self._beating = [], [], None, None

    def _dial(self) -> None:
        self.session = self._open_session(self._arrived)
        self._beating = self._reactor.callLater(HEARTBEAT, self._beat)
        self._listener.opened()

    def _beat(self) -> None:
        self._beating = self._reactor.callLater(HEARTBEAT, self._beat)
        self._listener.pinged()

    def _arrived(self, payload: bytes) -> None:
        self._inbox.append(payload)

    def _read_soon(self) -> None:
        if self._reading is None:
            self._reading = self._reactor.callLater(0, self._read)

    def _read(self) -> None:
        self._reading = None
        with self._reactor.outside():
            payloads = self._answer()
        if self._inbox:
            self._read_soon()
        self._listener.received(payloads, int(self._reactor.seconds() * 1e9))

    def _answer(self) -> list[bytes]:
        """Let the exchange act on what was sent, and deliver one read of its output."""
        outbox, self._outbox = self._outbox, []
        for payload in outbox:
            if self.session is not None:
                self.session.receive(payload)
        size = taken = 0
        while taken < len(self._inbox) and size < READ_BYTES:
            size += len(self._inbox[taken])
            taken += 1
        payloads, self._inbox = self._inbox[:taken], self._inbox[taken:]
        return payloads


@implementer(IExchangeRest)
class BenchRest:
    """Pages as the exchange sends them, about 2 kB a row, decoded by our codec and not kept."""

    def __init__(self, tickers: Callable[[], Iterator[str]], reactor: Any) -> None:
        self.errors: dict[str, int] = {}
        self._tickers = tickers
        self._reactor: TurnReactor = reactor
        self._filler = b"x" * 1700

    async def exchange_status(self) -> ExchangeStatus:
        """See `IExchangeRest`."""
        return ExchangeStatus(True, True)

    async def markets(
        self, status: str | None = None, multivariate: str = "exclude", tickers: Sequence[str] | None = None
    ) -> AsyncIterator[list[MarketRow]]:
        """See `IExchangeRest`. Every market is open."""
        source = self._tickers() if status == "open" else iter(())
        while True:
            await deferLater(self._reactor, 0)
            with self._reactor.outside():
                body = self._body(source)
            page = decode_page(200, body)
            if page.rows:
                yield page.rows
            if not page.cursor:
                return

    async def market(self, ticker: str) -> MarketRow | None:
        """See `IExchangeRest`."""
        return None

    def close(self) -> Deferred[None]:
        """See `IExchangeRest`."""
        return succeed(None)

    def _body(self, source: Iterator[str]) -> bytes:
        rows = [self._row(ticker) for ticker in islice(source, PAGE)]
        cursor = b"more" if len(rows) == PAGE else b""
        return b'{"markets":[%b],"cursor":"%b"}' % (b",".join(rows), cursor)

    def _row(self, ticker: str) -> bytes:
        """Close times lie in 28 days of 15-minute marks: markets close in crowds."""
        name = ticker.encode()
        number = crc32(name)
        opened = b"2027-01-%02dT%02d:%02d:00Z" % (1 + number % 14, number % 24, number % 60)
        closes = b"2027-02-%02dT%02d:%02d:00Z" % (1 + number % 28, number * 7 % 24, number % 4 * 15)
        return _ROW % (name, name.rsplit(b"-", 1)[0], opened, closes, name, self._filler)


@implementer(IMessageRouter)
class NullRouter:
    """Counts messages and keeps none: the buffers of the real one have a fixed size."""

    def __init__(self) -> None:
        self.received = 0

    def start(self) -> None:
        """See `IMessageRouter`."""

    def deliver(self, batch: list[RawMessage]) -> int:
        """See `IMessageRouter`."""
        self.received += len(batch)
        return 0

    def mark(self, marker: Marker) -> int:
        """See `IMessageRouter`."""
        return 0

    def status(self) -> RouterStatus:
        """See `IMessageRouter`."""
        return RouterStatus(kind="null", received=self.received, written=self.received, dropped=0, backlog=0)

    def backlog(self) -> int:
        """See `IMessageRouter`."""
        return 0

    def close(self) -> Deferred[None]:
        """See `IMessageRouter`."""
        return succeed(None)
