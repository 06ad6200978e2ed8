"""The whole service at rising rates: how many order book changes a second it captures without losing one.

Run: python -m benchmarks.capture. The service, with its writer threads, is pinned to one core, and the generator to
the other. A rate is held if the router dropped nothing for a number of seconds, and at the end neither the sockets nor
the router were too far behind. Settings are the defaults; segments are written to the temporary folder.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import Any

from benchmarks.clients.reactors import install, name_of
from benchmarks.cores import surroundings
from benchmarks.load.certificates import make_certificates
from benchmarks.tables import markdown
from benchmarks.turntimes import timed_turns
from benchmarks.whole import Place, build, exchange, settled

RATES = (50_000, 100_000, 150_000, 200_000, 300_000, 400_000, 500_000, 600_000)
BEHIND = 0.25
"""Seconds of messages that may be under way at the end."""
WARM_UP = 2.0
HELD, NOT_HELD = "yes", "no"
COLUMNS = (
    "deltas/s", "taken/s", "held", "dropped", "CPU µs: reactor", "writers", "core",
    "bytes: received", "on disk", "longest turn", "generator busy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """The counters at one moment."""

    at: float
    total: float
    """Processor seconds of all threads."""
    reactor: float
    received: int
    written: int
    dropped: int
    disk: int
    raw: int

    @classmethod
    def now(cls, gatherer: Any) -> "Look":
        """Called in the reactor's thread."""
        status, connections = gatherer.router.status(), gatherer.manager.status().connections
        raw = sum(connection.bytes_received for connection in connections)
        return cls(
            perf_counter(), process_time(), thread_time(), status.received, status.written, status.dropped,
            status.bytes_written, raw,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """The result for one rate."""

    rate: int
    before: Look
    after: Look
    report: dict[str, Any]
    """What the generator says."""
    received: int
    """Of what it has sent since it received the rate."""
    longest: float

    @property
    def dropped(self) -> int:
        """Messages lost."""
        return self.after.dropped - self.before.dropped

    @property
    def verdict(self) -> str:
        """Whether this rate is held. If the generator did not send it, there is no result."""
        if self.dropped or self.report["sent"] - self.received > BEHIND * self.rate:
            return NOT_HELD
        if self.report["due"] - self.report["sent"] > BEHIND * self.rate:
            return NOT_HELD if self.report["waiting"] else "not sent"
        return HELD

    def cells(self) -> Iterator[str]:
        """The row of the table."""
        seconds, count = self.after.at - self.before.at, self.after.received - self.before.received
        total, reactor = self.after.total - self.before.total, self.after.reactor - self.before.reactor
        yield from (f"{self.rate:,}", f"{count / seconds:,.0f}", self.verdict, f"{self.dropped:,}")
        yield from (f"{reactor / count * 1e6:.2f}", f"{(total - reactor) / count * 1e6:.2f}", f"{total / seconds:.0%}")
        yield f"{(self.after.raw - self.before.raw) / count:.0f}"
        yield f"{(self.after.disk - self.before.disk) / max(1, self.after.written - self.before.written):.1f}"
        yield from (f"{self.longest * 1e3:.0f} ms", f"{self.report['busy']:.0%}")


async def measure(
    reactor: Any, generator: Any, options: argparse.Namespace, show: Callable[[str], None]
) -> list[Result]:
    """Start, subscribe, then try one rate after the other until one is not held."""
    from twisted.internet.task import deferLater

    results: list[Result] = []
    with tempfile.TemporaryDirectory() as directory, timed_turns(reactor) as turns:
        gatherer = build(reactor, Place(generator.port, options.certificates), directory, options.connections)
        gatherer.startService()
        await settled(reactor, gatherer, options.markets)
        for rate in options.rates:
            start = gatherer.router.status().received
            generator.send(("rate", rate))
            await deferLater(reactor, min(WARM_UP, options.seconds))
            turns.longest, before = 0.0, Look.now(gatherer)
            await deferLater(reactor, options.seconds)
            after, longest = Look.now(gatherer), turns.longest
            generator.send("report")
            report = generator.receive()
            results.append(result := Result(rate, before, after, report, after.received - start, longest))
            show(", ".join(map("{}: {}".format, COLUMNS, result.cells())))
            generator.send(("rate", 0))
            await deferLater(reactor, min(WARM_UP, options.seconds))
            if result.verdict == NOT_HELD:
                break
        await gatherer.stopService()
    return results


def parse(command_line: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", nargs="+", type=int, default=list(RATES), help="deltas a second, rising")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each rate (default: %(default)s)")
    parser.add_argument("--markets", type=int, default=4000)
    parser.add_argument("--connections", type=int, default=150)
    parser.add_argument("--tls", action="store_true", help="encrypted, a record a message")
    parser.add_argument("--reactor", default="", help="epoll, asyncio or uvloop (default: as twistd gatherer)")
    parser.add_argument("--markdown", action="store_true", help="end with the table as it is in docs/performance.md")
    parser.set_defaults(certificates=None)
    return parser.parse_args(command_line)


def main() -> None:
    """Measure what the command line asks for."""
    options = parse(sys.argv[1:])
    install(options.reactor)
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    results: list[Result] = []

    async def run(reactor: Any) -> None:
        print(surroundings(), name_of(reactor), sep="; ")
        results.extend(await measure(reactor, generator, options, print))

    end: SystemExit | None = None
    with tempfile.TemporaryDirectory() as folder:
        if options.tls:
            options.certificates = Path(folder)
            make_certificates(options.certificates)
        with exchange(options.markets, options.certificates) as generator:
            try:
                react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
            except SystemExit as status:  # react never returns
                end = status
    if results:
        best = max((result.rate for result in results if result.verdict == HELD), default=0)
        print(f"highest rate held: {best:,} deltas a second")
        if options.markdown:
            print(markdown(COLUMNS, [list(result.cells()) for result in results]))
    raise end or SystemExit(0)


if __name__ == "__main__":
    main()
