"""An exchange and a gatherer on real loopback sockets in one reactor, and the messages between them."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import deferLater

from gatherer.app.builder import Builder
from gatherer.capture_format.reading import read_lines
from gatherer.config.settings import (
    ExchangeSettings,
    ManholeSettings,
    PoolSettings,
    RegistrySettings,
    RouterSettings,
    Settings,
    WebSettings,
)
from gatherer.exchange.auth import Signer
from gatherer.simulator.exchange import Exchange
from gatherer.simulator.service import SimulatorService

CONTROL = (b'"type":"ok"', b'"type":"subscribed"', b'"type":"unsubscribed"', b'"type":"error"')
DATA = b'"data":'


class LoopbackService:
    """Everything a test can touch: `exchange`, `gatherer`, and after `close` the capture in `sessions`."""

    web_listen = ""
    """The endpoint of the pages; empty for none."""
    manhole = ManholeSettings()

    def __init__(
        self, reactor: Any, directory: str, markets: int, rate: float, pool: PoolSettings, compression: bool = False,
        key: Any = None,
    ) -> None:  # fmt: skip
        """`key` is the private key to sign with; without it the object makes one."""
        self.reactor = reactor
        self.directory = directory
        self.failures: list[str] = []
        self.written: dict[int, list[bytes]] = defaultdict(list)
        """What the exchange wrote, by its session, in order, without command replies."""
        self._markets = markets
        self._pool = pool
        self._compression = compression
        self._key = Ed25519PrivateKey.generate() if key is None else key
        self.exchange = Exchange(markets, seed=11, now=reactor.seconds(), multivariate=3, unopened=20, clock=reactor)
        self.exchange.on_sent = self._wrote
        endpoints = [TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1") for _ in range(2)]
        keys = {"test": self._key.public_key()}
        self.simulator = SimulatorService(
            reactor, self.exchange, endpoints[0], endpoints[1], keys, rate, rest_tokens=50_000.0,
            compression=compression,
        )  # fmt: skip
        self.gatherer: Any = None

    def _wrote(self, session: int, payload: bytes) -> None:
        if not any(word in payload[:120] for word in CONTROL):
            self.written[session].append(payload)

    async def open(self) -> None:
        """Start both. Return when every connection is live and every active market has its book."""
        self.simulator.startService()
        websocket, rest = await self.simulator.when_listening()
        settings = Settings(
            exchange=ExchangeSettings(
                f"ws://127.0.0.1:{websocket}/trade-api/ws/v2",
                f"http://127.0.0.1:{rest}/trade-api/v2",
                "test",
                compression=self._compression,
            ),
            pool=self._pool,
            registry=RegistrySettings(),
            router=RouterSettings(directory=self.directory, buffer_messages=100_000),
            web=replace(WebSettings(), listen=self.web_listen),
            manhole=self.manhole,
        )
        builder = Builder(settings, Signer("test", self._key), self.reactor, lambda: 0.5, self.failures.append)
        self.gatherer = builder.gatherer()
        self.gatherer.startService()
        await self.until(self.is_whole)

    def is_whole(self) -> bool:
        """Whether all are live, all markets held, all books here, and the exchange agrees."""
        status = self.gatherer.manager.status()
        return (
            status.healthy == len(status.connections)
            and status.divergence == status.owed == 0
            and set(self.exchange.subscribed()) == self.carried()
        )

    def carried(self) -> set[str]:
        """The exchange's active markets, without combinations."""
        return {ticker for ticker in self.exchange.active_tickers() if not ticker.startswith("KXMVE")}

    async def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until the condition is true."""
        deadline = self.reactor.seconds() + seconds
        while not condition():
            if self.failures or self.reactor.seconds() > deadline:
                raise AssertionError(f"not within {seconds} s: {self.failures or self.gatherer.manager.status()}")
            await self.pause(0.05)

    async def pause(self, seconds: float) -> None:
        """Let the reactor run."""
        await deferLater(self.reactor, seconds)

    async def calm(self) -> None:
        """Stop market data. Wait until everything written has arrived."""
        self.simulator.rate = 0.0
        await self.pause(0.5)
        await self.until(self.is_whole)
        await self.pause(0.5)

    async def close(self) -> None:
        """Stop both."""
        if self.gatherer is not None:
            await self.gatherer.stopService()
        await self.simulator.stopService()

    # -- the capture ---------------------------------------------------------------------------

    def lines(self) -> list[tuple[dict[str, Any], bytes]]:
        """Each record decoded, with the exact bytes of its `data` (b"" for a marker)."""
        decode = msgspec.json.Decoder().decode
        found = []
        for line in read_lines(self.directory):
            _, mark, rest = line.partition(DATA)
            found.append((decode(line), rest[:-1] if mark and b'"marker"' not in line[:80] else b""))
        return found

    def captured(self) -> list[list[bytes]]:
        """The messages of each session in the capture, in order: a session begins with its marker."""
        current: dict[int, list[bytes]] = {}
        sessions: list[list[bytes]] = []
        for record, data in self.lines():
            if record.get("marker") == "session_up":
                current[record["conn_id"]] = []
                sessions.append(current[record["conn_id"]])
            elif data:
                current[record["conn_id"]].append(data)
        return sessions


def run(coroutine: Any) -> Deferred[Any]:
    """A coroutine as a Deferred, for trial."""
    return Deferred.fromCoroutine(coroutine)
