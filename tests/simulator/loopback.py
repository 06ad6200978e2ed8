"""A simulator on real loopback sockets whose time is a Clock, and plain clients for it."""

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.service import SimulatorService
from tests.simulator.keys import ed25519_key, signed
from tests.simulator.rig import NOW

PATH = "/trade-api/ws/v2"


class SocketClient(WebSocketClientProtocol):
    """Collects messages. `until` waits for more."""

    transport: Any

    def __init__(self) -> None:
        super().__init__()
        self.opened: Deferred[None] = Deferred()
        self.lost: Deferred[Any] = Deferred()
        self.messages: list[bytes] = []
        self.binary: list[bytes] = []
        self.pings: list[bytes] = []
        self.answers_pings = True
        self.response = ""
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def onConnect(self, response: Any) -> None:
        """Remember the headers of the 101."""
        self.response = str(response.headers)

    def onOpen(self) -> None:
        """Ready to send."""
        self.opened.callback(None)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Keep the message."""
        (self.binary if isBinary else self.messages).append(payload)
        self._look()

    def onPing(self, payload: bytes) -> None:
        """Answer, if `answers_pings`."""
        self.pings.append(payload)
        if self.answers_pings:
            super().onPing(payload)
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The socket is gone: `lost` fires with the close code or None, and the reason."""
        super().connectionLost(reason)
        self.lost.callback((self.remoteCloseCode, self.wasNotCleanReason))

    def until(self, condition: Callable[[], bool]) -> Deferred[None]:
        """Fires when the condition is true."""
        waiter: Deferred[None] = Deferred()
        self._waiting.append((condition, waiter))
        self._look()
        return waiter

    def _look(self) -> None:
        for condition, waiter in list(self._waiting):
            if condition():
                self._waiting.remove((condition, waiter))
                waiter.callback(None)

    async def ask(self, count: int, **command: Any) -> list[Any]:
        """Send a command and wait for so many messages, decoded."""
        before = len(self.messages)
        self.sendMessage(msgspec.json.encode(command))
        await self.until(lambda: len(self.messages) >= before + count)
        return [msgspec.json.decode(payload) for payload in self.messages[before:]]


class LoopbackCase(TestCase):
    """Starts a service before each test and stops it after, with `SETTINGS` and `MARKETS`."""

    SETTINGS: ClassVar[dict[str, Any]] = {}
    MARKETS = 20
    timeout = 20

    def setUp(self) -> Any:
        """Listen on port 0."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.clock = Clock()
        self.clock.advance(NOW)
        self.key = ed25519_key()
        self.exchange = Exchange(markets=self.MARKETS, now=NOW, clock=self.clock)
        websocket, rest = [TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1") for _ in range(2)]
        keys = {"key": self.key.public_key()}
        self.service = SimulatorService(self.clock, self.exchange, websocket, rest, keys, **self.SETTINGS)
        self.service.startService()
        self.clients: list[SocketClient] = []
        return self.service.when_listening().addCallback(self._listening)

    def _listening(self, ports: tuple[int, int]) -> None:
        self.websocket_port, self.rest_port = ports

    def tearDown(self) -> Any:
        """Stop. No socket and no timer may be left."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        stopped = self.service.stopService()
        for client in self.clients:
            client.transport.abortConnection()
        await stopped
        for client in self.clients:
            await client.lost
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def dial(self, path: str = PATH, headers: dict[str, str] | None = None) -> SocketClient:
        """A TCP connection with an upgrade under way; see `SocketClient.opened` and `lost`."""
        if headers is None:
            headers = signed(self.key, "key", "GET", PATH, self.clock.seconds())
        url = f"ws://127.0.0.1:{self.websocket_port}{path}"
        factory = WebSocketClientFactory(url, headers=headers, reactor=self.reactor)
        factory.protocol = SocketClient
        factory.noisy = False
        client: Any = await TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.websocket_port).connect(factory)
        self.clients.append(client)
        found: SocketClient = client
        return found

    async def connect(self) -> SocketClient:
        """An open WebSocket."""
        client = await self.dial()
        await client.opened
        return client

    async def refusal(self, path: str = PATH, headers: dict[str, str] | None = None) -> str:
        """Why an upgrade failed."""
        client = await self.dial(path, headers)
        _, reason = await client.lost
        self.clients.remove(client)
        self.assertFalse(client.opened.called)
        return str(reason)
