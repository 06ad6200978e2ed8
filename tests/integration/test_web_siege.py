"""A thousand hostile clients at the web port, while the feed runs in the same reactor."""

import resource
from dataclasses import dataclass, field
from time import time_ns
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase

from gatherer.config.settings import PoolSettings
from gatherer.ops.web import service as web
from gatherer.ops.web.service import WebService
from tests.ops.support import make_events, make_health
from tests.support.loopback_service import LoopbackService, run

CLIENTS = 1_000
WAVE = 40
DESCRIPTORS = 3 * CLIENTS
OPENINGS = (
    b"",
    b"GET /status HTTP/1.1\r\nX-Slow: ",
    b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n" * 200,
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
)
"""Says nothing; never ends its request; watches and never reads; asks and never reads; never ends its body."""


@dataclass
class Besieger(Protocol):
    """Sends its opening, reads nothing, and sends a byte from time to time."""

    opening: bytes
    lost: bool = False
    data: list[bytes] = field(default_factory=list)

    def connectionMade(self) -> None:
        self.transport.pauseProducing()
        self.transport.write(self.opening)

    def drip(self) -> None:
        """One more byte."""
        if not self.lost and self.opening.endswith((b" ", b"\r\n\r\n")):
            self.transport.write(b"x")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True


class Reader(Protocol):
    """Keeps an answer."""

    def __init__(self) -> None:
        self.data = b""
        self.done: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.done.callback(self.data)


class SiegeTests(TestCase):
    """Ten connections to the exchange, a thousand to the pages."""

    timeout = 120

    def setUp(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
            raise SkipTest(f"{DESCRIPTORS} open files are needed, {hard} are allowed")
        if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
            resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
            self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def test_the_feed_goes_on(self) -> Deferred[Any]:
        """Of idle, slow and greedy clients at most a hundred get in, and none stays longer than a request may take.
        No connection to the exchange is lost, no message is dropped, no number is skipped."""
        return run(self._siege())

    async def _siege(self) -> None:
        self.patch(web, "REQUEST_TIMEOUT", 3.0)
        pool = PoolSettings(ticker=1, trade=1, lifecycle=2, orderbook=6, dial_rate=200.0, min_healthy=10)
        loopback = LoopbackService(reactor, self.mktemp(), 500, 1_000.0, pool)
        service: Any = None
        crowd: list[Besieger] = []
        try:
            await loopback.open()
            service = await self._serve(loopback)
            before = self._received(loopback)
            crowd += await self._crowd(service.port)
            self.assertEqual(len(service._factory.protocols), web.MAX_CONNECTIONS)
            for _ in range(20):
                for each in crowd:
                    each.drip()
                await loopback.pause(0.25)
            await loopback.until(lambda: not self._unfinished(service))
            self.assertGreater(self._received(loopback), before + 1_000)
            answer = await self._ask(service.port, b"/health")
            self.assertIn(b" 200 OK", answer)
            self._assert_unharmed(loopback)
        finally:
            for each in crowd:
                if not each.lost:
                    each.transport.abortConnection()
            if service is not None:
                await service.stopService()
            await loopback.close()

    async def _serve(self, loopback: LoopbackService) -> Any:
        gatherer = loopback.gatherer
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        health = make_health(gatherer.manager, gatherer.registry, gatherer.router)
        service: Any = WebService(endpoint, gatherer.manager, health, make_events(), reactor, time_ns)
        service.startService()
        address = await service.when_listening()
        service.port = address.port
        return service

    async def _crowd(self, port: int) -> list[Besieger]:
        """Connect in groups that fit into the kernel's queue. The service closes the refused ones."""
        crowd = [Besieger(OPENINGS[number % len(OPENINGS)]) for number in range(CLIENTS)]
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port, timeout=60)
        for begin in range(0, CLIENTS, WAVE):
            await gatherResults([connectProtocol(endpoint, each) for each in crowd[begin : begin + WAVE]])
        return crowd

    async def _ask(self, port: int, path: bytes) -> bytes:
        reader = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Reader())
        reader.transport.write(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)
        return await reader.done

    def _received(self, loopback: LoopbackService) -> int:
        return sum(each.received for each in loopback.gatherer.manager.status().connections)

    def _unfinished(self, service: Any) -> list[Any]:
        """Open connections that are not on `/live`. Their time is over."""
        watching = len(service._feed._streams)
        return list(service._factory.protocols)[watching:]

    def _assert_unharmed(self, loopback: LoopbackService) -> None:
        status = loopback.gatherer.manager.status()
        for key in ("gaps", "reconnects"):
            self.assertEqual(sum(getattr(each, key) for each in status.connections), 0, key)
        self.assertEqual(status.healthy, 10)
        self.assertEqual(loopback.gatherer.router.status().dropped, 0)
