"""The cost of a market, up to 1,080,000 of them: time, memory, and how long the reactor is blocked.

Run: python -m benchmarks.scale [SIZE ...]. Two kinds of exchange: `simulator` is the core of kalshi-simulator in
another process, behind a pipe, and each size has its own process. `lean` answers and keeps nothing: it compares single
changes, all sizes in one process. There are no sockets: see benchmarks.sockets. The time and the memory of the other
end are left out.
"""

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from time import perf_counter
from typing import Any

from benchmarks.remote import RemoteExchange
from benchmarks.report import table
from benchmarks.rig import BOOKS, START, Rig
from benchmarks.standins import ROUND_TRIP
from gatherer.values import Change, MarketChange

SIZES = (67_500, 270_000, 1_080_000)
ROUNDS, PER_ROUND = 20, 200
"""Single adds and removes: the best of this many rounds is printed."""
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
    """Bytes of memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Run:
    """One size against one kind of exchange."""

    def __init__(self, size: int, kind: str) -> None:
        self.size = size
        self.result: dict[str, Any] = {"size": size, "exchange": kind}
        self._random = Random(1)
        self._fresh = tickers(10**9, first=size)
        self._gone: list[str] = []
        self._exchange = None if kind == "lean" else RemoteExchange(size, START)
        gc.freeze()  # as twistd gatherer does
        self.rig = Rig(lambda: tickers(size) if self._exchange is None else self._listed(), self._exchange)

    def all(self) -> dict[str, Any]:
        """Measure everything but changes."""
        self.start_up()
        self.looks()
        self.reconnect()
        self.reconcile()
        self.close()
        return self.result

    def close(self) -> None:
        """End both sides."""
        self.rig.close()
        if self._exchange is not None:
            self._exchange.close()

    def _listed(self) -> Iterator[str]:
        """A page at a time, so that foreign memory is not measured as ours."""
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
        """The cost of reading the figures: the log and the metrics do it every few seconds."""
        began = perf_counter()
        self.rig.manager.status()
        self.rig.registry.status()
        self.result["status_ms"] = (perf_counter() - began) * 1e3

    def reconnect(self) -> None:
        """Cut one full connection until it is back. The time includes the first wait (1 s)."""
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
        """The registry reads the list again and finds no change."""
        registry, reactor = self.rig.registry, self.rig.reactor
        before, processor = registry.status().last_sync, reactor.processor
        reactor.turns.reset()
        registry.lifecycle_missed()
        reactor.run_until(lambda: registry.status().last_sync != before)
        self.result["reconcile_cpu_seconds"] = reactor.processor - processor
        self.result["reconcile_turn_ms"] = reactor.turns.seconds * 1e3

    def choose(self) -> None:
        """The markets to remove."""
        self._gone = self._random.sample(list(self.rig.registry.active()), ROUNDS * PER_ROUND)

    def changes(self, kind: str) -> None:
        """A round of markets that close or open one by one: the decision alone, then until the exchange has done it."""
        event = b"determined" if kind == "remove" else b"activated"
        names = [self._gone.pop() if kind == "remove" else next(self._fresh) for _ in range(PER_ROUND)]
        for part, seconds in zip(("_decision_us", "_us"), self._one_by_one(names, event), strict=True):
            self.result[kind + part] = min(seconds * 1e6, self.result.get(kind + part, float("inf")))

    def _one_by_one(self, names: list[str], event: bytes) -> tuple[float, float]:
        """Processor seconds per change: until the wanted set has it, and until the exchange has done it."""
        reactor, decided, whole = self.rig.reactor, 0.0, 0.0
        for name in names:
            frame = _EVENT % (name.encode(), event)
            before = reactor.processor
            self.rig.registry.lifecycle_messages([frame])
            decided += reactor.processor - before
            before = reactor.processor
            reactor.run_dry(2 * ROUND_TRIP)
            whole += reactor.processor - before
        return decided / len(names), (decided + whole) / len(names)

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


def compare(sizes: list[int]) -> list[dict[str, Any]]:
    """Changes at all sizes, a round of each in turn, so that other programs disturb all sizes alike."""
    runs = [Run(size, "lean") for size in sizes]
    for run in runs:
        with alone(run, runs):
            run.start_up()
            run.choose()
    for kind in ("remove", "add"):
        for _ in range(ROUNDS):
            for run in runs:
                with alone(run, runs):
                    run.changes(kind)
    for run in runs:
        with alone(run, runs):
            run.crowd()
            run.close()
    return [run.result for run in runs]


@contextmanager
def alone(run: Run, runs: list[Run]) -> Iterator[None]:
    """Stop the clocks of all other runs."""
    with ExitStack() as stack:
        for other in runs:
            if other is not run:
                stack.enter_context(other.rig.reactor.outside())
        yield


def measure(sizes: list[int], kind: str) -> list[dict[str, Any]]:
    """Runs in their own processes, whose names are printed."""
    print(f"{', '.join(format(size, ',') for size in sizes)} markets, {kind} ...", file=sys.stderr)
    command = [sys.executable, "-m", "benchmarks.scale", "--child", "--exchange", kind, *map(str, sizes)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    results: list[dict[str, Any]] = json.loads(done.stdout)
    for result in results:
        print(f"  longest turn: {result['longest_turn']}, {result['longest_callback']}", file=sys.stderr)
    return results


def main() -> None:
    """Parse the command line; a process for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", metavar="SIZE")
    parser.add_argument("--exchange", choices=("lean", "simulator", "both"), default="both")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        lean = options.exchange == "lean"
        print(json.dumps(compare(options.sizes) if lean else [Run(options.sizes[0], "simulator").all()]))
        return
    print(f"CPython {platform.python_version()}, {os.cpu_count()} cores, {BOOKS} order book connections")
    sizes = sorted(options.sizes or SIZES)
    results = [] if options.exchange == "simulator" else measure(sizes, "lean")
    for size in () if options.exchange == "lean" else sizes:
        results += measure([size], "simulator")
    print(table(results))


if __name__ == "__main__":
    main()
