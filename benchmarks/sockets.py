"""100,000 markets over 150 real sockets on loopback, and back to full coverage after 20 of them are cut at once.

Run: python -m benchmarks.sockets. kalshi-simulator has its own process; the gatherer is the whole service as
twistd runs it, with a capture on disk, in a temporary directory.
"""

import argparse
import gc
import os
import platform
import resource
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from time import perf_counter
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from benchmarks.exchange_process import KEY_ID, serve
from benchmarks.turntimes import LateBeats, TimedPoller, timed_turns
from gatherer.app.builder import Builder
from gatherer.config.settings import ExchangeSettings, PoolSettings, RouterSettings, Settings, WebSettings
from gatherer.exchange.auth import Signer
from gatherer.interfaces import PoolStatus

LOOK = 0.1
"""Seconds between two looks at how far it is; each costs 2 ms."""
MAX_WAIT = 300.0


class Bench:
    """One gatherer against one exchange."""

    def __init__(self, reactor: Any, pipe: Any, gatherer: Any, turns: TimedPoller | LateBeats) -> None:
        self._reactor = reactor
        self._pipe = pipe
        self._gatherer = gatherer
        self._turns = turns

    async def phase(self, name: str, done: Callable[[PoolStatus], bool]) -> None:
        """Wait until a condition holds, and print the time."""
        began, cpu, theirs = perf_counter(), _cpu(), self.ask("cpu")
        self._turns.longest = 0.0
        while not done(self._gatherer.manager.status()):
            if perf_counter() - began > MAX_WAIT:
                raise SystemExit(f"{name}: not within {MAX_WAIT:.0f} s")
            await deferLater(self._reactor, LOOK)
        seconds = perf_counter() - began
        ours, theirs = _cpu() - cpu, self.ask("cpu") - theirs
        print(
            f"{name}: {seconds:.2f} s; processor time {ours:.2f} s, the simulator's {theirs:.2f} s; "
            f"longest reactor turn {self._turns.longest * 1e3:.0f} ms"
        )

    def ask(self, what: str, number: int = 0) -> Any:
        """Send a question or a command to the process of the exchange."""
        self._pipe.send((what, number))
        return self._pipe.recv()


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _all_live(status: PoolStatus) -> bool:
    return bool(status.healthy == len(status.connections))


def _reconnects(status: PoolStatus) -> int:
    return sum(connection.reconnects for connection in status.connections)


def _covered(markets: int, lost: int = 0) -> Callable[[PoolStatus], bool]:
    def covered(status: PoolStatus) -> bool:
        behind = status.owed or status.divergence or status.unplaced
        return _all_live(status) and status.held == markets and _reconnects(status) >= lost and not behind

    return covered


async def measure(reactor: Any, pipe: Any, key: Ed25519PrivateKey, options: argparse.Namespace) -> None:
    """Start, fill, cut, recover."""
    websocket, rest = pipe.recv()
    with tempfile.TemporaryDirectory() as directory, timed_turns(reactor) as turns:
        settings = Settings(
            exchange=ExchangeSettings(
                f"ws://127.0.0.1:{websocket}/trade-api/ws/v2", f"http://127.0.0.1:{rest}/trade-api/v2", KEY_ID
            ),
            pool=PoolSettings(dial_rate=options.dial_rate, min_healthy=150),
            router=RouterSettings(directory=directory, buffer_messages=200_000),
            web=WebSettings(listen=""),
        )
        failures: list[str] = []
        gatherer = Builder(settings, Signer(KEY_ID, key), reactor, lambda: 0.5, failures.append).gatherer()
        gc.freeze()  # as twistd gatherer does
        bench = Bench(reactor, pipe, gatherer, turns)
        gatherer.startService()
        await bench.phase("150 sockets open", _all_live)
        await bench.phase("every market with its book", _covered(options.markets))
        for _ in range(options.rounds):
            lost = _reconnects(gatherer.manager.status()) + options.cut
            bench.ask("cut", options.cut)
            await bench.phase(f"{options.cut} sockets cut at once and back", _covered(options.markets, lost))
        print(f"the exchange has {bench.ask('subscribed'):,} markets subscribed exactly once")
        status = gatherer.router.status()
        print(f"{status.received:,} messages captured, {status.dropped} dropped; {failures or 'no failure'}")
        await gatherer.stopService()


def _arguments() -> Iterator[tuple[str, type, Any, str]]:
    yield "--markets", int, 100_000, "markets of the exchange"
    yield "--rate", float, 1000.0, "market data events per second"
    yield "--cut", int, 20, "order book sockets cut at once"
    yield "--rounds", int, 3, "how often they are cut"
    yield "--dial-rate", float, 200.0, "dials per second"


def main() -> None:
    """Parse the command line, start the exchange, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind, default, text in _arguments():
        parser.add_argument(name, type=kind, default=default, help=f"{text} (default: {default})")
    options = parser.parse_args()
    print(f"CPython {platform.python_version()}, {os.cpu_count()} cores; {options.markets:,} markets")
    key = Ed25519PrivateKey.generate()
    context = get_context("spawn")  # a fork would share the reactor's epoll object, which autobahn has made by now
    ours, theirs = context.Pipe()
    public = key.public_key().public_bytes_raw()
    exchange = context.Process(target=serve, args=(theirs, public, options.markets, options.rate), daemon=True)
    exchange.start()
    react(lambda reactor: Deferred.fromCoroutine(measure(reactor, ours, key, options)))


if __name__ == "__main__":
    main()
