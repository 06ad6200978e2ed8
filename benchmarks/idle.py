"""The cost of waiting: the whole service with 150 connections that receive only a ping every 10 s.

Run: python -m benchmarks.idle. All markets are subscribed and have books. The pages are served, but not viewed.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from benchmarks.clients.reactors import install, name_of
from benchmarks.cores import surroundings
from benchmarks.load.exchange import HEARTBEAT
from benchmarks.tables import markdown
from benchmarks.turntimes import timed_turns
from benchmarks.whole import Place, build, exchange, settled

COLUMNS = ("connections", "markets", "pings", "CPU s an hour", "core", "RSS", "longest turn")


def resident() -> int:
    """Bytes of memory of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def pings(gatherer: Any, since: float) -> int:
    """How many connections had a ping after this time."""
    return sum((each.last_ping or 0.0) > since for each in gatherer.manager.status().connections)


async def measure(reactor: Any, generator: Any, options: argparse.Namespace) -> list[str]:
    """Start, subscribe, wait; the row of the table."""
    from twisted.internet.task import deferLater

    with tempfile.TemporaryDirectory() as directory, timed_turns(reactor) as turns:
        gatherer = build(reactor, Place(generator.port), directory, options.connections, "tcp:0:interface=127.0.0.1")
        gatherer.startService()
        await settled(reactor, gatherer, options.markets)
        await deferLater(reactor, min(HEARTBEAT, options.seconds))  # the books are written, the connections healthy
        since, began, cpu, turns.longest = reactor.seconds(), perf_counter(), process_time(), 0.0
        await deferLater(reactor, options.seconds)
        share = (process_time() - cpu) / (perf_counter() - began)
        longest, heard = turns.longest, pings(gatherer, since)
        await gatherer.stopService()
    return [
        f"{options.connections:,}", f"{options.markets:,}", f"all of {heard}" if heard == options.connections else
        f"on {heard}", f"{share * 3600:.1f}", f"{share:.2%}", f"{resident() / 1e6:.0f} MB", f"{longest * 1e3:.0f} ms",
    ]  # fmt: skip


def parse(command_line: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to look (default: %(default)s)")
    parser.add_argument("--markets", type=int, default=4000)
    parser.add_argument("--connections", type=int, default=150)
    parser.add_argument("--reactor", default="", help="epoll, asyncio or uvloop (default: as twistd gatherer)")
    parser.add_argument("--markdown", action="store_true", help="end with the table as it is in docs/performance.md")
    return parser.parse_args(command_line)


def main() -> None:
    """Measure what the command line asks for."""
    options = parse(sys.argv[1:])
    install(options.reactor)
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    async def run(reactor: Any) -> None:
        print(surroundings(), name_of(reactor), sep="; ")
        row = await measure(reactor, generator, options)
        print(", ".join(map("{}: {}".format, COLUMNS, row)))
        if options.markdown:
            print(markdown(COLUMNS, [row]))

    with exchange(options.markets) as generator:
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))


if __name__ == "__main__":
    main()
