"""What a message costs each WebSocket client: as many as it can take, from the same generator, with the same work.

Run: python -m benchmarks.ingest; `--quick` for a look while developing. Rounds take the clients in turn, ratios are
those of one round, and what is printed are medians: other programs of a busy machine are in all of them alike.
Clients: autobahn, websockets, aiohttp, picows and gatherer. picows@uvloop keeps to uvloop's own transports, and
gatherer@epoll, gatherer@asyncio and gatherer@uvloop name the reactor.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.clients.process import CLIENTS, DISCARD, is_there
from benchmarks.clients.work import BATCH
from benchmarks.contest import meet
from benchmarks.cores import surroundings
from benchmarks.load.certificates import make_certificates
from benchmarks.load.jobs import Blast
from benchmarks.load.messages import DELTA, SNAPSHOT
from benchmarks.tables import markdown

BASE = "picows"


@dataclass(frozen=True, slots=True)
class Case:
    """One row: what every client is put before."""

    tls: bool
    connections: int
    size: int
    messages: int

    @property
    def each(self) -> int:
        """Messages for each connection."""
        return -(-self.messages // self.connections // BATCH) * BATCH

    @property
    def name(self) -> str:
        """How the row reads."""
        return f"{'TLS' if self.tls else 'plain'}, {self.connections}, {self.size:,} B"


@dataclass(frozen=True, slots=True)
class Run:
    """One client in one case."""

    cost: float
    """Processor time of the client per message, µs."""
    rate: float
    """Messages per second, from the generator's start to the last message handed on."""
    busy: float
    """Share of that time in which the generator used its core; 1 means that it was the bottleneck."""


def run(client: str, case: Case, certificates: Path) -> Run:
    """One process of the client against one of the generator. SystemExit when a message is lost or altered."""
    job = Blast(case.connections, case.each, case.size, certificates if case.tls else None)
    account, sent = meet(client, job)
    count = case.each * case.connections
    if client != DISCARD:
        check(client, case, account)
    seconds = (account["ended"] - sent["began"]) / 1e9
    return Run(account["cpu"] / count * 1e6, count / seconds, sent["cpu"] / seconds)


def check(client: str, case: Case, account: dict[str, Any]) -> None:
    """Whether the client got exactly what was sent: a comparison of unequal work is none."""
    count = case.each * case.connections
    wanted = {"messages": count, "bytes": count * case.size, "gaps": 0, "last": [case.each] * case.connections}
    got = {key: account[key] for key in wanted}
    if got != wanted:
        raise SystemExit(f"{client}, {case.name}: got {got}, not {wanted}")


def measure(cases: list[Case], clients: list[str], rounds: int, certificates: Path) -> Iterator[list[Any]]:
    """A row of the table for each case."""
    for case in cases:
        results: defaultdict[str, list[Run]] = defaultdict(list)
        for turn in range(rounds):
            for client in [DISCARD, *clients]:
                results[client].append(result := run(client, case, certificates))
                told = f"{result.cost:6.2f} µs, {result.rate:9,.0f}/s, generator {result.busy:4.0%} busy"
                print(f"{case.name:22} {turn + 1}/{rounds} {client:16} {told}", flush=True)
        yield [case.name, f"{median(result.rate for result in results[DISCARD]):,.0f}/s", *_cells(results, clients)]


def _cells(results: dict[str, list[Run]], clients: list[str]) -> Iterator[str]:
    """Cost and rate, each with its ratio to the base: by how much dearer, and how many times as fast."""
    for client in clients:
        runs, bases = results[client], results.get(BASE, [])
        text = f"{median(r.cost for r in runs):.2f} µs, {median(r.rate for r in runs) / 1000:,.0f} k/s"
        if bases:
            cost = median(r.cost / base.cost for r, base in zip(runs, bases, strict=True))
            rate = median(r.rate / base.rate for r, base in zip(runs, bases, strict=True))
            text += f" ({cost:.2f}, {rate:.2f})"
        yield text


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """All combinations; a big message counts as several small ones, so that each case takes about as long."""
    for tls in (False, True) if options.plain == options.tls else (options.tls,):
        for size in options.sizes:
            for connections in options.connections:
                yield Case(tls, connections, size, int(options.messages * min(1.0, 4 * DELTA / size)))


def parse(command_line: list[str]) -> argparse.Namespace:
    """The options. SystemExit for a client nobody knows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", nargs="+", default=list(CLIENTS))
    parser.add_argument("--connections", nargs="+", type=int, default=[1, 20, 150])
    parser.add_argument("--sizes", nargs="+", type=int, default=[DELTA, SNAPSHOT], help="bytes of a message")
    parser.add_argument("--messages", type=int, default=300_000, help="in all, of small ones (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--plain", action="store_true", help="plain TCP only")
    parser.add_argument("--tls", action="store_true", help="TLS only")
    parser.add_argument("--quick", action="store_true", help="under half a minute: 20 connections, deltas, one round")
    parser.add_argument("--markdown", action="store_true", help="end with the table as it is in docs/performance.md")
    options = parser.parse_args(command_line)
    if options.quick:
        options.connections, options.sizes, options.repeat, options.messages = [20], [DELTA], 1, 200_000
    if unknown := [name for name in options.clients if name.partition("@")[0] not in CLIENTS]:
        raise SystemExit(f"no client is called {unknown[0]!r}: {', '.join(CLIENTS)}")
    return options


def main() -> None:
    """Measure what the command line asks for."""
    options = parse(sys.argv[1:])
    clients = [name for name in options.clients if is_there(name)]
    print(surroundings())
    for name in sorted(set(options.clients) - set(clients)):
        print(f"{name} is left out: its packages are not installed")
    with tempfile.TemporaryDirectory() as folder:
        make_certificates(Path(folder))
        rows = list(measure(list(cases(options)), clients, options.repeat, Path(folder)))
    if options.markdown:
        print(markdown(["transport, connections, size", "generator alone", *clients], rows))


if __name__ == "__main__":
    main()
