"""The whole service, built as twistd builds it, on the core of the clients, against the generator as an exchange."""

import gc
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.task import deferLater

from benchmarks.cores import CLIENT, pin
from benchmarks.load.live import Live
from benchmarks.load.process import Generator
from gatherer.settings import ExchangeSettings, PoolSettings, RouterSettings, Settings, WebSettings

PATIENCE = 120.0
LOOK = 0.2
"""Seconds between two looks at whether everything is subscribed."""


@contextmanager
def exchange(markets: int) -> Iterator[Generator]:
    """The generator on its core, then this process on the other."""
    with Generator(Live(markets)) as generator:
        pin(CLIENT)
        yield generator


def build(reactor: Any, port: int, directory: str, connections: int, web: str = "", dial_rate: float = 200.0) -> Any:
    """The gatherer, not started. All settings that matter are the defaults."""
    from gatherer.building import Builder  # imports autobahn, which imports the reactor
    from gatherer.exchange.auth import Signer

    pairs = 2 if connections > 6 else 0
    url = f"127.0.0.1:{port}/trade-api"
    settings = Settings(
        exchange=ExchangeSettings(f"ws://{url}/ws/v2", f"http://{url}/v2", "bench"),
        pool=PoolSettings(pairs, pairs, pairs, connections - 3 * pairs, min_healthy=connections, dial_rate=dial_rate),
        router=RouterSettings(directory=directory),
        web=WebSettings(listen=web),
    )
    signer = Signer("bench", Ed25519PrivateKey.generate())
    return Builder(settings, signer, reactor, random.random, lambda reason: print(reason, flush=True)).gatherer()


async def settled(reactor: Any, gatherer: Any, markets: int) -> None:
    """Until every market is subscribed and its book is here; then frozen, as twistd gatherer does at its start."""
    began = perf_counter()
    while True:
        status = gatherer.manager.status()
        behind = status["owed"] or status["divergence"]
        if status["held"] == markets and status["healthy"] == len(status["connections"]) and not behind:
            break
        if perf_counter() - began > PATIENCE:
            raise SystemExit(f"not every market has its book after {PATIENCE:.0f} s: {status['held']} of {markets}")
        await deferLater(reactor, LOOK)
    gc.collect()
    gc.freeze()


@contextmanager
def capture_directory() -> Iterator[str]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield folder
