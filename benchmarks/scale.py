"""What a market costs, up to 1,080,000 of them: time, memory, and how long the reactor is held.

Run: python -m benchmarks.scale [SIZE ...]. Each size has a process of its own per exchange: `lean` answers and
keeps nothing, so that the cost of single changes is told without noise; `simulator` is the core of
kalshi-simulator in yet another process, at the end of a pipe. No sockets: see benchmarks.sockets for those.
The time and the memory of the other end are left out.
"""

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from random import Random
from time import perf_counter
from typing import Any

from benchmarks.remote import RemoteExchange
from benchmarks.report import table
from benchmarks.rig import BOOKS, START, Rig
from benchmarks.standins import ROUND_TRIP
from gatherer.core.messages import Change, MarketChange

SIZES = (67_500, 270_000, 1_080_000)
ROUNDS, PER_ROUND = 20, 200
"""Single adds and removes: the best of so many rounds is told."""
IN_ONE_TURN = 10_000

_EVENT = (
    b'{"type":"market_lifecycle_v2","sid":1,"seq":1,"msg":{"market_ticker":"%b","event_type":"%b",'
    b'"open_ts":1700000000,"close_ts":1900000000}}'
)


def tickers(count: int, first: int = 0) -> Iterator[str]:
    """Names as long as the exchange's usually are."""
    return (
        f"KXBENCH{number % 97:02d}-27FEB{number % 28 + 1:02d}-T{number:07d}" for number in range(first, first + count)
    )


def resident() -> int:
    """Bytes of memory this process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Run:
    """One size against one kind of exchange."""

    def __init__(self, size: int, kind: str) -> None:
        self.size = size
        self.result: dict[str, Any] = {"size": size, "exchange": kind}
        self._random = Random(1)
        self._fresh = tickers(10**9, first=size)
        self._exchange = None if kind == "lean" else RemoteExchange(size, START)
        gc.freeze()  # as twistd gatherer does
        self.rig = Rig(lambda: tickers(size) if self._exchange is None else self._listed(), self._exchange)

    def all(self) -> dict[str, Any]:
        """Measure everything, cheapest to disturb first."""
        self.start_up()
        self.looks()
        self.reconnect()
        self.reconcile()
        if self.result["exchange"] == "lean":
            self.changes()
            self.crowd()
        self.rig.close()
        if self._exchange is not None:
            self._exchange.close()
        return self.result

    def _listed(self) -> Iterator[str]:
        """A page at a time: what is not our memory shall not be found in it."""
        for begin in range(0, self.size, 1000):
            yield from self._exchange.tickers(begin, 1000) if self._exchange is not None else ()

    def start_up(self) -> None:
        """From an empty service with all sockets open until every book is here."""
        rig, reactor = self.rig, self.rig.reactor
        rig.open()
        gc.collect()
        empty, began, processor = resident(), reactor.seconds(), reactor.processor
        reactor.turns.reset()
        reactor.callbacks.reset()
        reactor.spent.clear()
        rig.walk()
        rig.quiet()
        self.result["held_seconds"] = reactor.seconds() - began
        self.result["held_cpu_seconds"] = reactor.processor - processor
        self.result["longest_turn"], self.result["longest_callback"] = str(reactor.turns), str(reactor.callbacks)
        self.result["longest_turn_ms"] = reactor.turns.seconds * 1e3
        self.result["longest_callback_ms"] = reactor.callbacks.seconds * 1e3
        # The only Deferred on the clock is the walk's, between its pages and chunks.
        self.result["wanted_cpu_seconds"] = reactor.spent["Deferred.callback"]
        gc.collect()
        self._memory(empty)

    def _memory(self, empty: int) -> None:
        # Strings are malloc'ed in steps of 16 bytes.
        text = sum((sys.getsizeof(ticker) + 15) // 16 * 16 for ticker in self.rig.registry.active())
        self.result["bytes_total"] = (resident() - empty) / self.size
        self.result["bytes_ticker"] = text / self.size
        self.result["bytes_market"] = self.result["bytes_total"] - self.result["bytes_ticker"]

    def looks(self) -> None:
        """What a glance at the figures costs: the log and the metrics take one every few seconds."""
        began = perf_counter()
        self.rig.manager.status()
        self.rig.registry.status()
        self.result["status_ms"] = (perf_counter() - began) * 1e3

    def reconnect(self) -> None:
        """One full connection is cut and comes back; the first wait (1 s) is part of the time."""
        book, reactor = self.rig.books[0], self.rig.reactor
        began, processor = reactor.seconds(), reactor.processor
        reactor.callbacks.reset()
        self.rig.clients[book.conn_id].lose("cut")
        reactor.run_until(lambda: book.is_live and self.rig.is_covered(book))
        self.result["reconnect_markets"] = len(book.wanted)
        self.result["reconnect_seconds"] = reactor.seconds() - began
        self.result["reconnect_cpu_seconds"] = reactor.processor - processor
        self.result["reconnect_callback"] = str(reactor.callbacks)

    def reconcile(self) -> None:
        """The registry walks again, and finds nothing new."""
        registry, reactor = self.rig.registry, self.rig.reactor
        before, processor = registry.status()["last_sync"], reactor.processor
        reactor.turns.reset()
        registry.lifecycle_missed()
        reactor.run_until(lambda: registry.status()["last_sync"] != before)
        self.result["reconcile_cpu_seconds"] = reactor.processor - processor
        self.result["reconcile_turn_ms"] = reactor.turns.seconds * 1e3

    def changes(self) -> None:
        """Markets go and come one by one: the decision alone, then everything until the book is here."""
        gone = self._random.sample(list(self.rig.registry.active()), ROUNDS * PER_ROUND)
        for kind, event in (("remove", b"determined"), ("add", b"activated")):
            decisions, wholes = [], []
            for _ in range(ROUNDS):
                names = [gone.pop() if kind == "remove" else next(self._fresh) for _ in range(PER_ROUND)]
                frames = [_EVENT % (name.encode(), event) for name in names]
                decision, whole = self._one_by_one(frames)
                decisions.append(decision)
                wholes.append(whole)
            self.result[f"{kind}_decision_us"] = min(decisions) * 1e6
            self.result[f"{kind}_us"] = min(wholes) * 1e6

    def _one_by_one(self, frames: list[bytes]) -> tuple[float, float]:
        """Processor seconds per change: until the wanted set has it, and until the exchange has done it."""
        reactor, decided, whole = self.rig.reactor, 0.0, 0.0
        for frame in frames:
            before = reactor.processor
            self.rig.registry.lifecycle_messages([frame])
            decided += reactor.processor - before
            before = reactor.processor
            reactor.run_dry(2 * ROUND_TRIP)
            whole += reactor.processor - before
        return decided / len(frames), (decided + whole) / len(frames)

    def crowd(self) -> None:
        """10,000 changes in one reactor turn."""
        names = self._random.sample(sorted(self.rig.registry.active()), IN_ONE_TURN // 2)
        changes = [MarketChange(name, Change.REMOVE) for name in names]
        changes += [MarketChange(next(self._fresh), Change.ADD) for _ in names]
        reactor = self.rig.reactor
        before = reactor.processor
        self.rig.manager.markets_changed(changes)
        self.result["crowd_ms"] = (reactor.processor - before) * 1e3
        self.rig.quiet()
        self.result["crowd_held_ms"] = (reactor.processor - before) * 1e3
        assert sum(len(book.wanted) for book in self.rig.books) == self.size


def measure(size: int, kind: str) -> dict[str, Any]:
    """A run in a process of its own, named while it is under way."""
    print(f"{size:,} markets, {kind} ...", file=sys.stderr)
    command = [sys.executable, "-m", "benchmarks.scale", "--child", "--exchange", kind, str(size)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    for what in ("turn", "callback"):
        print(f"  longest {what}: {result[f'longest_{what}']}", file=sys.stderr)
    return result


def main() -> None:
    """Parse the command line; a process for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", metavar="SIZE")
    parser.add_argument("--exchange", choices=("lean", "simulator", "both"), default="both")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(Run(options.sizes[0], options.exchange).all()))
        return
    print(f"CPython {platform.python_version()}, {os.cpu_count()} cores, {BOOKS} order book connections")
    kinds = ("lean", "simulator") if options.exchange == "both" else (options.exchange,)
    results = [measure(size, kind) for kind in kinds for size in options.sizes or SIZES]
    print(table(results))


if __name__ == "__main__":
    main()
