"""The WebSocket over loopback: handshake, heartbeat, frames, faults that need a socket."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ClassVar

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tests.simulator.keys import signed
from tests.simulator.loopback import PATH, LoopbackCase
from tests.simulator.rig import NOW, Replica


def coroutine(test: Callable[[Any], Coroutine[Any, Any, None]]) -> Callable[[Any], Deferred[None]]:
    """Let trial run an `async def`."""

    @wraps(test)
    def run(self: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(test(self))

    return run


class Raw(Protocol):
    """Bytes in, bytes out, until the other end closes."""

    def __init__(self) -> None:
        self.data = b""
        self.done: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Keep the bytes."""
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Fire with all bytes."""
        self.done.callback(self.data)


class HandshakeTests(LoopbackCase):
    SETTINGS: ClassVar[dict[str, Any]] = {"connections": 2}

    @coroutine
    async def test_signed_upgrade_gets_in(self) -> None:
        """101 with a Date header, a session, and commands are answered."""
        client = await self.connect()
        self.assertIn("date", client.response)
        (answer,) = await client.ask(1, id=1, cmd="list_subscriptions")
        self.assertEqual(answer, {"id": 1, "type": "ok", "msg": []})

    @coroutine
    async def test_refusals(self) -> None:
        """401 unsigned or wrongly signed, 404 elsewhere, whatever the script says, 429 over the cap."""
        self.assertIn("401", await self.refusal(headers={}))
        self.assertIn("401", await self.refusal(headers=signed(self.key, "key", "GET", PATH, NOW - 11)))
        self.assertIn("404", await self.refusal("/elsewhere"))
        self.exchange.faults.refuse_upgrade(503)
        self.assertIn("503", await self.refusal())
        for _ in range(2):
            await self.connect()
        self.assertIn("429", await self.refusal())

    @coroutine
    async def test_closed_sockets_do_not_count(self) -> None:
        """The cap is on sockets open at once."""
        for _ in range(4):
            client = await self.connect()
            client.sendClose(1000)
            await client.lost
            self.clients.remove(client)

    @coroutine
    async def test_refused_upgrade_has_a_body_and_a_date(self) -> None:
        """A complete HTTP response: JSON, its length, the server's time."""
        request = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        request += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        raw: Any = await TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.websocket_port).connect(
            Factory.forProtocol(Raw)
        )
        raw.transport.write(request.encode())
        head, _, body = (await raw.done).partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 401 Unauthorized\r\n"), head)
        self.assertIn(b"Date: Thu, 15 Oct 2026 14:00:00 GMT", head)
        self.assertEqual(msgspec.json.decode(body)["error"]["code"], "signature_is_missing_from_headers")


class HeartbeatTests(LoopbackCase):
    @coroutine
    async def test_ping_every_ten_seconds(self) -> None:
        """With payload `heartbeat`. A client that answers stays connected."""
        client = await self.connect()
        for count in range(1, 6):
            self.clock.advance(10)
            await client.until(lambda count=count: len(client.pings) == count)  # type: ignore[misc]
            await client.ask(1, id=count, cmd="list_subscriptions")  # the pong is surely there
        self.assertEqual(client.pings, [b"heartbeat"] * 5)

    @coroutine
    async def test_client_that_never_pongs_is_cut(self) -> None:
        """Three pings unanswered, and at the fourth the socket goes."""
        client = await self.connect()
        client.answers_pings = False
        for count in range(1, 4):
            self.clock.advance(10)
            await client.until(lambda count=count: len(client.pings) == count)  # type: ignore[misc]
        self.assertEqual(len(self.exchange.sessions), 1)
        self.clock.advance(10)
        await client.lost
        self.clients.remove(client)
        self.assertEqual(self.exchange.sessions, {})

    @coroutine
    async def test_half_open_socket_does_not_even_ping(self) -> None:
        """It stays open and silent; the others go on."""
        dead, alive = await self.connect(), await self.connect()
        self.exchange.faults.half_open(session=1)
        for count in range(1, 5):
            self.clock.advance(10)
            await alive.until(lambda count=count: len(alive.pings) == count)  # type: ignore[misc]
            await alive.ask(1, id=count, cmd="list_subscriptions")
        dead.sendPing(b"?")
        dead.sendMessage(b'{"id":1,"cmd":"list_subscriptions"}')
        await alive.ask(1, id=9, cmd="list_subscriptions")
        self.assertEqual((dead.pings, dead.messages, dead.lost.called), ([], [], False))


class DataTests(LoopbackCase):
    SETTINGS: ClassVar[dict[str, Any]] = {"rate": 1_000.0}

    @coroutine
    async def test_data_flows_at_the_rate_and_books_agree(self) -> None:
        """A second of 20 ms ticks is 1000 events; the client's books are the exchange's."""
        client = await self.connect()
        sent: list[tuple[int, bytes]] = []
        self.exchange.on_sent = lambda session, payload: sent.append((session, payload))
        tickers = self.exchange.active_tickers()
        params = {"channels": ["orderbook_delta"], "market_tickers": tickers}
        await client.ask(1 + len(tickers), id=1, cmd="subscribe", params=params)
        self.clock.pump([0.02] * 50)
        await client.until(lambda: len(client.messages) == len(sent))
        self.assertEqual(client.messages, [payload for _, payload in sent])
        self.assertTrue(700 < len(sent) - len(tickers) <= 1_000, len(sent))
        replica = Replica()
        for payload in client.messages:
            replica.apply(msgspec.json.decode(payload))
        for ticker in tickers:
            self.assertEqual(replica.book(ticker), self.exchange.book(ticker))

    @coroutine
    async def test_times_are_the_clocks(self) -> None:
        """ts_ms of a delta is the moment it was sent."""
        client = await self.connect()
        params = {"channels": ["orderbook_delta"], "market_tickers": self.exchange.active_tickers()}
        count = len(await client.ask(1 + len(params["market_tickers"]), id=1, cmd="subscribe", params=params))
        self.clock.advance(5)
        await client.until(lambda: len(client.messages) > count)
        self.assertEqual(msgspec.json.decode(client.messages[-1])["msg"]["ts_ms"], int((NOW + 5) * 1000))

    @coroutine
    async def test_cut_socket_is_cut(self) -> None:
        """The client loses its socket without a close frame."""
        client = await self.connect()
        self.exchange.faults.cut(session=1)
        code, _ = await client.lost
        self.clients.remove(client)
        self.assertIsNone(code)

    @coroutine
    async def test_garbage_arrives_as_garbage(self) -> None:
        """A binary frame is binary; 20 MiB come in one piece."""
        client = await self.connect()
        self.exchange.faults.garbage("binary", session=1)
        self.exchange.faults.garbage("huge", session=1)
        await client.until(lambda: len(client.messages) == 1)
        self.assertEqual((len(client.binary), len(client.messages[0]) > 20 * 1024 * 1024), (1, True))

    @coroutine
    async def test_binary_command_is_answered_with_error_1(self) -> None:
        """JSON text frames only."""
        client = await self.connect()
        client.sendMessage(b'{"id":1,"cmd":"list_subscriptions"}', isBinary=True)
        await client.until(lambda: len(client.messages) == 1)
        self.assertEqual(msgspec.json.decode(client.messages[0])["msg"]["code"], 1)

    @coroutine
    async def test_stop_sends_a_close_frame(self) -> None:
        """A client that is connected when the exchange stops gets close code 1001."""
        client = await self.connect()
        await self.service.stopService()
        code, _ = await client.lost
        self.clients.remove(client)
        self.assertEqual(code, 1001)


class SlowReaderTests(LoopbackCase):
    SETTINGS: ClassVar[dict[str, Any]] = {"buffer_bytes": 200_000}

    @coroutine
    async def test_slow_reader_gets_25_and_its_buffer_is_bounded(self) -> None:
        """A client that stops reading loses its books by error 25, and the bytes that wait for it stay bounded."""
        client = await self.connect()
        tickers = self.exchange.active_tickers()
        params = {"channels": ["orderbook_delta"], "market_tickers": tickers}
        await client.ask(1 + len(tickers), id=1, cmd="subscribe", params=params)
        client.transport.pauseProducing()
        sent: list[int] = []
        self.exchange.on_sent = lambda session, payload: sent.append(len(payload))
        turns = 0
        while self.exchange.subscribed():
            self.exchange.emit(2_000)
            self.clock.advance(0)
            await self._turn()
            turns += 1
            self.assertLess(turns, 200)
        client.transport.resumeProducing()
        await client.until(lambda: b'"type":"error"' in client.messages[-1])
        self.assertEqual(msgspec.json.decode(client.messages[-1])["msg"]["code"], 25)
        self.assertEqual(sum(sent), sum(map(len, client.messages[1 + len(tickers) :])))

    async def _turn(self) -> None:
        """Let the sockets move for one turn of the reactor."""
        turn: Deferred[None] = Deferred()
        self.reactor.callLater(0, turn.callback, None)
        await turn
