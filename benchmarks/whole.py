"""The whole service, built as twistd builds it, on the core of the clients, against the generator as an exchange."""

import gc
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.task import deferLater

from benchmarks.cores import CLIENT, pin
from benchmarks.load.certificates import AUTHORITY
from benchmarks.load.live import Live
from benchmarks.load.process import Generator
from gatherer.config.settings import ExchangeSettings, PoolSettings, RouterSettings, Settings, WebSettings

MAX_WAIT = 120.0
DIAL_RATE = 200.0
"""Dials a second: this exchange does not mind."""
LOOK = 0.2
"""Seconds between two looks at whether everything is subscribed."""


@dataclass(frozen=True, slots=True)
class Place:
    """The address of the exchange, and the authority of its certificate if it has one."""

    port: int
    certificates: Path | None = None

    @property
    def ca_file(self) -> str:
        """Path, "" for plain TCP."""
        return "" if self.certificates is None else str(self.certificates / AUTHORITY)

    def url(self, scheme: str) -> str:
        """Of the WebSockets ("ws") or of REST ("http")."""
        secure, path = "s" if self.certificates else "", "ws/v2" if scheme == "ws" else "v2"
        return f"{scheme}{secure}://127.0.0.1:{self.port}/trade-api/{path}"


@contextmanager
def exchange(markets: int, certificates: Path | None = None) -> Iterator[Generator]:
    """The generator on its core, then this process on the other."""
    with Generator(Live(markets, certificates)) as generator:
        pin(CLIENT)
        yield generator


def build(reactor: Any, place: Place, directory: str, connections: int, web: str = "") -> Any:
    """The gatherer, not started. All relevant settings are the defaults."""
    from gatherer.app.builder import Builder
    from gatherer.exchange.auth import Signer

    pairs = 2 if connections > 6 else 0
    settings = Settings(
        exchange=ExchangeSettings(place.url("ws"), place.url("http"), "bench", ca_file=place.ca_file),
        pool=PoolSettings(pairs, pairs, pairs, connections - 3 * pairs, min_healthy=connections, dial_rate=DIAL_RATE),
        router=RouterSettings(directory=directory),
        web=WebSettings(listen=web),
    )
    signer = Signer("bench", Ed25519PrivateKey.generate())
    return Builder(settings, signer, reactor, random.random, lambda reason: print(reason, flush=True)).gatherer()


async def settled(reactor: Any, gatherer: Any, markets: int) -> None:
    """Wait until every market is subscribed and has its book; then freeze memory, as twistd gatherer does."""
    began = perf_counter()
    while True:
        status = gatherer.manager.status()
        behind = status.owed or status.divergence
        if status.held == markets and status.healthy == len(status.connections) and not behind:
            break
        if perf_counter() - began > MAX_WAIT:
            raise SystemExit(f"not every market has its book after {MAX_WAIT:.0f} s: {status['held']} of {markets}")
        await deferLater(reactor, LOOK)
    gc.collect()
    gc.freeze()
