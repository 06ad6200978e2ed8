"""The cost of a message for each WebSocket client, at full speed, from the same generator, with the same work.

Run: python -m benchmarks.ingest; `--quick` is for development. Each round runs all clients in turn, a ratio compares
runs of one round, and medians are printed: other programs of a busy machine then disturb all clients alike.
Clients: autobahn, websockets, aiohttp, picows and gatherer. picows@uvloop keeps to uvloop's own transports;
gatherer@epoll, gatherer@asyncio and gatherer@uvloop name the reactor; bare is not a real client, but the work without a
framework. First in each round, a process that only discards shows the highest rate of the generator.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
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

BASE, OURS = "picows", "gatherer"
DEFAULT = ("autobahn", "websockets", "aiohttp", "picows", "picows@uvloop", "gatherer", "bare")


@dataclass(frozen=True, slots=True)
class Case:
    """One row: the same case for every client."""

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
        """The name of the row."""
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

    @property
    def thousands(self) -> float:
        """The rate for tables."""
        return self.rate / 1000


Runs = defaultdict[str, list[Run]]
"""Of one case, by client, in the order of the rounds."""
COST, RATE = attrgetter("cost"), attrgetter("thousands")


def run(client: str, case: Case, certificates: Path) -> Run:
    """One process of the client against one of the generator. Raises SystemExit if a message is lost or altered."""
    job = Blast(case.connections, case.each, case.size, certificates if case.tls else None)
    account, sent = meet(client, job)
    count = case.each * case.connections
    if client != DISCARD:
        check(client, case, account)
    seconds = (account["ended"] - sent["began"]) / 1e9
    return Run(account["cpu"] / count * 1e6, count / seconds, sent["cpu"] / seconds)


def check(client: str, case: Case, account: dict[str, Any]) -> None:
    """Check that the client received exactly what was sent: only equal work can be compared."""
    count = case.each * case.connections
    wanted = {"messages": count, "bytes": count * case.size, "gaps": 0, "last": [case.each] * case.connections}
    got = {key: account[key] for key in wanted}
    if got != wanted:
        raise SystemExit(f"{client}, {case.name}: got {got}, not {wanted}")


def measure(cases: list[Case], clients: list[str], rounds: int, certificates: Path) -> Iterator[tuple[Case, Runs]]:
    """All rounds of each case, as they are done."""
    for case in cases:
        results: Runs = defaultdict(list)
        for turn in range(rounds):
            for client in [DISCARD, *clients]:
                results[client].append(result := run(client, case, certificates))
                text = f"{result.cost:6.2f} µs, {result.rate:10,.0f}/s, generator {result.busy:4.0%} busy"
                print(f"{case.name:22} {turn + 1}/{rounds} {client:16} {text}", flush=True)
        yield case, results


def tables(measured: list[tuple[Case, Runs]], clients: list[str]) -> str:
    """Processor time, rates, and the targets of gatherer. In brackets: multiples of picows."""
    first = "transport, connections, size"
    costs = [[case.name, *_cells(runs, clients, COST, "{:.2f}")] for case, runs in measured]
    rates = [
        [case.name, *_cells(runs, clients, RATE, "{:,.0f}"), f"{median(map(RATE, runs[DISCARD])):,.0f}"]
        for case, runs in measured
    ]
    parts = [
        "Processor time a message, µs:", markdown([first, *clients], costs),
        "Thousand messages a second:", markdown([first, *clients, "generator alone"], rates),
    ]  # fmt: skip
    if {OURS, BASE, "autobahn"} <= set(clients):
        head = [first, "rate, picows = 1", "CPU, picows = 1", "CPU, gatherer = 1: autobahn"]
        parts += ["gatherer:", markdown(head, [[case.name, *_standing(runs)] for case, runs in measured])]
    return "\n\n".join(parts)


def _cells(runs: Runs, clients: list[str], key: Callable[[Run], float], form: str) -> Iterator[str]:
    for client in clients:
        text = form.format(median(map(key, runs[client])))
        yield text if client == BASE or BASE not in clients else f"{text} ({_ratio(runs, client, BASE, key):.2f})"


def _standing(runs: Runs) -> Iterator[str]:
    pairs = ((OURS, BASE, RATE), (OURS, BASE, COST), ("autobahn", OURS, COST))
    for client, base, key in pairs:
        yield f"{_ratio(runs, client, base, key):.2f}"


def _ratio(runs: Runs, client: str, base: str, key: Callable[[Run], float]) -> float:
    """The median of the ratios of the rounds: within a round the machine is equally busy."""
    return median(key(one) / key(other) for one, other in zip(runs[client], runs[base], strict=True))


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """All combinations; a big message counts as several small ones, so that each case takes about as long."""
    for tls in (False, True) if options.plain == options.tls else (options.tls,):
        for size in options.sizes:
            for connections in options.connections:
                yield Case(tls, connections, size, int(options.messages * min(1.0, 4 * DELTA / size)))


def parse(command_line: list[str]) -> argparse.Namespace:
    """The options. Raises SystemExit for an unknown client."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", nargs="+", default=list(DEFAULT))
    parser.add_argument("--connections", nargs="+", type=int, default=[1, 20, 150])
    parser.add_argument("--sizes", nargs="+", type=int, default=[DELTA, SNAPSHOT], help="bytes of a message")
    parser.add_argument("--messages", type=int, default=300_000, help="in all, of small ones (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds (default: %(default)s)")
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
        measured = list(measure(list(cases(options)), clients, options.repeat, Path(folder)))
    if options.markdown:
        print(tables(measured, clients))


if __name__ == "__main__":
    main()
