"""`/live` over real sockets: streams come and go, and a stream that is not read costs next to nothing."""

import socket
from time import time_ns
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from gatherer.ops.web import live as broadcast
from gatherer.ops.web.event_log import EventLog
from gatherer.ops.web.service import WebService
from tests.ops.support import StubManager, StubRegistry, StubRouter, connection, make_health


class Client(Protocol):
    """Keeps what it gets, and tells when something is in it."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: Deferred[bytes] = Deferred()
        self._waiting: list[tuple[bytes, int, Deferred[None]]] = []

    def ask(self, path: str, method: str = "GET", version: str = "1.1") -> "Client":
        """Send a request."""
        self.transport.write(f"{method} {path} HTTP/{version}\r\nHost: x\r\n\r\n".encode())
        return self

    def saw(self, text: bytes, times: int = 1) -> Deferred[None]:
        """Fires when the text has come so often."""
        seen: Deferred[None] = Deferred()
        self._waiting.append((text, times, seen))
        self._check()
        return seen

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self._check()

    def _check(self) -> None:
        waiting, self._waiting = self._waiting, []
        for text, times, seen in waiting:
            if self.data.count(text) >= times:
                seen.callback(None)
            else:
                self._waiting.append((text, times, seen))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(self.data)


class LiveTests(TestCase):
    """A service whose second is short."""

    timeout = 30

    async def running(self) -> WebService:
        """A service on loopback."""
        self.patch(broadcast, "INTERVAL", 0.01)
        self.log = LogPublisher()
        self.events = EventLog(self.log)
        self.events.startService()
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        self.manager = StubManager()
        health = make_health(self.manager, StubRegistry(), StubRouter())
        service = WebService(endpoint, self.manager, health, self.events, reactor, time_ns)
        service.startService()
        self.addCleanup(service.stopService)
        address: Any = await service.when_listening()
        self.port = address.port
        return service

    async def connect(self) -> Client:
        """A connection."""
        return await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port), Client())

    async def test_a_stream(self) -> None:
        """It is an event stream, says when to come back, tells everything and then ticks."""
        await self.running()
        client = (await self.connect()).ask("/live")
        await client.saw(b"event: tick\n", 3)
        head, _, body = client.data.partition(b"\r\n\r\n")
        self.assertIn(b"200 OK", head)
        self.assertIn(b"Content-Type: text/event-stream", head)
        self.assertEqual(body.count(b"retry: 2000\n\n"), 1)
        self.assertEqual(body.count(b"event: history\n"), 1)
        client.transport.abortConnection()

    async def test_old_clients_get_it_as_well(self) -> None:
        """HTTP/1.0, as of a simple proxy: the same without chunks."""
        await self.running()
        client = (await self.connect()).ask("/live", version="1.0")
        await client.saw(b"\n\nevent: tick\ndata: {")
        client.transport.abortConnection()

    async def test_head_and_other_methods(self) -> None:
        """HEAD has the headers and ends; POST is refused; neither opens a stream."""
        await self.running()
        client = (await self.connect()).ask("/live", "HEAD").ask("/live", "POST")
        await client.saw(b"only GET and HEAD")
        self.assertIn(b"Content-Type: text/event-stream", client.data)
        self.assertNotIn(b"event:", client.data)
        client.transport.abortConnection()

    async def test_a_line_of_the_log_is_on_the_stream(self) -> None:
        """What is logged while the service runs is on the stream; afterwards the log has no observer."""
        service = await self.running()
        client = (await self.connect()).ask("/live")
        await client.saw(b"event: tick\n")
        Logger("gatherer.exchange.x", observer=self.log).warn("{name} lost", name="ticker-2")
        await client.saw(b'"warn","ticker-2 lost",2]')
        await service.stopService()
        self.events.stopService()
        self.assertEqual(self.log._observers, [])

    async def test_too_many_streams(self) -> None:
        """One too many gets 503 and a time to come back; when one goes there is room again."""
        self.patch(broadcast, "MAX_STREAMS", 2)
        await self.running()
        first, second = [(await self.connect()).ask("/live") for _ in range(2)]
        await first.saw(b"event: tick\n")
        await second.saw(b"event: tick\n")
        third = (await self.connect()).ask("/live")
        await third.saw(b"too many open streams")
        self.assertIn(b" 503 ", third.data)
        self.assertIn(b"Retry-After: 10", third.data)
        first.transport.abortConnection()
        await first.lost
        while b"event: tick" not in third.data:
            await deferLater(reactor, 0.01)
            third.ask("/live")
        for client in (second, third):
            client.transport.abortConnection()

    async def test_the_stop_ends_streams(self) -> None:
        """Who watches is disconnected when the service stops."""
        service = await self.running()
        client = (await self.connect()).ask("/live")
        await client.saw(b"event: tick\n")
        await service.stopService()
        await client.lost

    async def test_who_never_reads_is_kept_small_and_cut_off(self) -> None:
        """What waits for a client that reads nothing does not grow beyond a few events, and after a while it is cut
        off; one beside it that reads misses nothing."""
        self.patch(broadcast, "MAX_UNREAD_SECONDS", 0.3)
        service = await self.running()
        service._port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.manager.figures["connections"] = [connection(i, "orderbook_delta") for i in range(1, 151)]
        reader, sleeper = await self.connect(), await self.connect()
        sleeper.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sleeper.transport.pauseProducing()
        reader.ask("/live")
        sleeper.ask("/live")
        largest = 0
        while len(service._feed._streams) < 2:
            await deferLater(reactor, 0.01)
        while len(service._feed._streams) > 1:
            transports: list[Any] = [wrapper.transport for wrapper in service._factory.protocols]
            waiting = (len(t.dataBuffer) - t.offset + sum(map(len, t._tempDataBuffer)) for t in transports)
            largest = max(largest, *waiting)
            await deferLater(reactor, 0.01)
        self.assertLess(largest, 65_536 + 2 * 30_000)
        ticks = reader.data.count(b"event: tick\n")
        await reader.saw(b"event: tick\n", ticks + 3)
        self.assertEqual(reader.data.count(b"event: history\n"), 1)
        reader.transport.abortConnection()
        sleeper.transport.resumeProducing()
        await sleeper.lost
