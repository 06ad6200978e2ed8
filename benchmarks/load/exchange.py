"""The part of the exchange that a whole gatherer needs: REST lists, acknowledgements, books, heartbeats, then deltas.

kalshi-simulator follows the protocol exactly. This module sends several hundred thousand messages a second.
"""

import random
from collections import Counter
from datetime import UTC, datetime
from time import time
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import NAMESPACE_DNS, uuid5

import msgspec

from benchmarks.load.peer import Peer
from benchmarks.load.server import Server
from benchmarks.load.wire import CLOSE, PING, frame, header

HEARTBEAT = 10.0
"""Seconds between pings (protocol section 2)."""
VARIANTS = 32
"""Different changes of each market; the time makes every message its own."""
FULL = 1 << 20
"""Bytes that may wait for a socket: a client that is so far behind gets no more for now."""

_ROW = (
    b'{"ticker":"%b","event_ticker":"%b","market_type":"binary","status":"active","open_time":"2026-01-01T00:00:00Z",'
    b'"close_time":"2036-01-01T00:00:00Z"}'
)
_SNAPSHOT = (
    b'{"type":"orderbook_snapshot",%b"sid":1,"seq":%d,"msg":{"market_ticker":"%b","market_id":"%b",'
    b'"yes_dollars_fp":[["0.4100","250.00"],["0.4200","75.50"]],"no_dollars_fp":[["0.5600","300.00"]]}}'
)
_BODY = b'"market_ticker":"%b","market_id":"%b","price_dollars":"0.%04d","delta_fp":"%b%d.00","side":"%b",'
_DELTA = b'{"type":"orderbook_delta","sid":1,"seq":%d,"msg":{%b"ts":"%b.%06dZ","ts_ms":%d}}'
_HEADERS = tuple(header(size) for size in range(1024))


class _Params(msgspec.Struct):
    channels: list[str] = []
    action: str = ""
    market_tickers: list[str] = []


class _Command(msgspec.Struct):
    id: int
    cmd: str
    params: _Params = msgspec.field(default_factory=_Params)


_decode = msgspec.json.Decoder(_Command).decode


class Market:
    """A ticker, its id, and changes of its book."""

    def __init__(self, number: int, chance: random.Random) -> None:
        series = ("KXHIGHNY", "KXBTCD", "KXNFLGAME", "KXINXU", "KXFEDDECISION")[number % 5]
        self.ticker = b"%b-26NOV24-T%d.99" % (series.encode(), 1000 + number)
        self.id = str(uuid5(NAMESPACE_DNS, self.ticker.decode())).encode()
        middle = chance.randrange(500, 9500)
        self.bodies = [self._body(middle, chance) for _ in range(VARIANTS)]

    def _body(self, middle: int, chance: random.Random) -> bytes:
        price = min(9900, max(100, middle + chance.randrange(-8, 9) * 100)) // 100 * 100
        side, sign = chance.choice((b"yes", b"no")), chance.choice((b"", b"-"))
        return _BODY % (self.ticker, self.id, price, sign, int(chance.paretovariate(1.0)) % 100_000, side)


def varied(count: int, markets: int = 1000) -> list[bytes]:
    """Changes as an exchange with many markets sends them within a moment, for code that depends on their content."""
    chance = random.Random(1)
    bodies = [body for number in range(markets) for body in Market(number, chance).bodies]
    chosen = enumerate(chance.choices(bodies, k=count), start=1)
    return [_DELTA % (seq, body, b"2026-11-24T12:00:00", seq * 7 % 1_000_000, 1795521600000) for seq, body in chosen]


class Book:
    """One socket with order books."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.seq = 0
        self.markets: dict[str, Market] = {}
        self.bodies: list[bytes] = []

    def next(self) -> int:
        """The number of the next message."""
        self.seq += 1
        return self.seq


class Exchange:
    """Answers all requests of a gatherer."""

    def __init__(self, server: Server, markets: int) -> None:
        self._server = server
        self._chance = chance = random.Random(1)
        self._markets = {(market := Market(number, chance)).ticker.decode(): market for number in range(markets)}
        self._pings: dict[Peer, float] = {}
        self._books: dict[Peer, Book] = {}
        self._lots: list[Book] = []
        self.sent = 0
        """Deltas."""
        server.said = self._said

    @property
    def subscribed(self) -> int:
        """Markets that are on some socket."""
        return sum(len(book.markets) for book in self._books.values())

    @property
    def waiting(self) -> int:
        """Bytes that the sockets have not taken yet."""
        return sum(len(book.peer.waiting) for book in self._books.values())

    def heartbeat(self, now: float) -> None:
        """Send a ping where one is due; `now` is of any monotonic clock."""
        for peer in self._server.open:
            if now >= self._pings.setdefault(peer, now + HEARTBEAT):
                self._pings[peer] = now + HEARTBEAT
                self._server.send(peer, peer.layer.wrap(frame(b"heartbeat", PING)))

    def deltas(self, count: int) -> None:
        """Send this many changes of random markets; full sockets get none."""
        self._lots = self._lots or [book for book in self._books.values() if book.bodies]
        drawn = Counter(self._chance.choices(self._lots, k=count)) if self._lots else {}
        for book, changes in drawn.items():
            if len(book.peer.waiting) < FULL:
                self._server.send(book.peer, self._changes(book, changes))
                self.sent += changes

    def _changes(self, book: Book, count: int) -> bytes:
        now = time()
        second, micro = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode(), int(now % 1 * 1e6)
        milli, seq, wrap = int(now * 1000), book.seq, book.peer.layer.wrap
        pieces = []
        for body in self._chance.choices(book.bodies, k=count):
            seq += 1
            text = _DELTA % (seq, body, second, (micro + seq * 7919 % 997) % 1_000_000, milli)
            pieces.append(wrap(_HEADERS[len(text)] + text))
        book.seq = seq
        return b"".join(pieces)

    def _said(self, peer: Peer, heads: list[bytes], frames: list[tuple[int, bytes]]) -> None:
        for head in heads:
            body = self._rest(head.split(b" ", 2)[1].decode())
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            self._server.send(peer, peer.layer.wrap(answer % (len(body), body)))
        for opcode, payload in frames:
            if opcode == CLOSE:
                self._books.pop(peer, None)
                self._server.send(peer, peer.layer.wrap(frame(payload, CLOSE)))
            elif opcode == 1:
                answers = b"".join(peer.layer.wrap(frame(text)) for text in self._answer(peer, _decode(payload)))
                self._server.send(peer, answers)

    def _rest(self, target: str) -> bytes:
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path.endswith("/exchange/status"):
            return b'{"exchange_active":true,"trading_active":true}'
        if not parts.path.endswith("/markets"):
            return b'{"market":%b}' % self._row(parts.path.rpartition("/")[2])
        names = query["tickers"].split(",") if "tickers" in query else list(self._markets)
        if query.get("status", "open") != "open":
            names = []
        begin, limit = int(query.get("cursor", 0)), int(query.get("limit", 1000))
        cursor = str(begin + limit) if begin + limit < len(names) else ""
        rows = b",".join(map(self._row, names[begin : begin + limit]))
        return b'{"markets":[%b],"cursor":"%b"}' % (rows, cursor.encode())

    def _row(self, ticker: str) -> bytes:
        return _ROW % (ticker.encode(), ticker.rpartition("-")[0].encode())

    def _answer(self, peer: Peer, command: _Command) -> list[bytes]:
        """The answers to a command, as payloads."""
        book, params = self._books.get(peer), command.params
        if command.cmd == "subscribe" and params.channels != ["orderbook_delta"]:
            return [_subscribed(command.id, params.channels[0])]
        if command.cmd == "subscribe":
            book = self._books[peer] = Book(peer)
            return [_subscribed(command.id, "orderbook_delta"), *self._add(book, params.market_tickers)]
        if book is None:
            raise SystemExit(f"the stand-in for the exchange does not know what to do about {command}")
        if params.action == "get_snapshot":
            return [self._snapshot(book, ticker, b'"id":%d,' % command.id) for ticker in params.market_tickers]
        if command.cmd == "unsubscribe":
            del self._books[peer]
            return [b'{"id":%d,"type":"unsubscribed","sid":1,"seq":%d}' % (command.id, book.next())]
        ok = b'{"id":%d,"type":"ok","sid":1,"seq":%d,"msg":{}}' % (command.id, book.next())
        if params.action == "add_markets":
            return [ok, *self._add(book, params.market_tickers)]
        self._remove(book, params.market_tickers)
        return [ok]

    def _add(self, book: Book, tickers: list[str]) -> list[bytes]:
        self._lots = []
        for ticker in tickers:
            market = book.markets[ticker] = self._markets[ticker]
            book.bodies += market.bodies
        return [self._snapshot(book, ticker) for ticker in tickers]

    def _remove(self, book: Book, tickers: list[str]) -> None:
        for ticker in tickers:
            book.markets.pop(ticker, None)
        book.bodies = [body for market in book.markets.values() for body in market.bodies]
        self._lots = []

    def _snapshot(self, book: Book, ticker: str, extra: bytes = b"") -> bytes:
        market = self._markets[ticker]
        return _SNAPSHOT % (extra, book.next(), market.ticker, market.id)


def _subscribed(command_id: int, channel: str) -> bytes:
    answer: dict[str, Any] = {"id": command_id, "type": "subscribed", "msg": {"channel": channel, "sid": 1}}
    return msgspec.json.encode(answer)
