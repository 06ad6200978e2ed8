"""The cost and the lateness of a message at a fixed rate, over 150 connections.

Run: python -m benchmarks.latency. Lateness is the time from just before the send of the generator to `deliver` of the
router (of gatherer) or to the sink (of the others). Both processes read the same monotonic clock. Every tick the
generator sends what is due, each message by itself, on random connections from a fixed seed. Each round runs all
clients in turn, a ratio compares runs of one round, and medians are printed.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.clients.process import is_there
from benchmarks.clients.work import BATCH
from benchmarks.contest import meet
from benchmarks.cores import surroundings
from benchmarks.load.certificates import make_certificates
from benchmarks.load.jobs import Paced
from benchmarks.load.messages import DELTA
from benchmarks.tables import markdown

BASE = "picows"
SHARES = (0.5, 0.99, 0.999)


@dataclass(frozen=True, slots=True)
class Paces:
    """One client at one rate."""

    cost: float
    """Processor time of the client per message, µs."""
    core: float
    """Share of a core."""
    half: float
    """Lateness that half of the messages do not exceed, µs; then 99 % and 99.9 %."""
    most: float
    nearly_all: float


FORMATS = ("{:.1f} µs", "{:.1%}", "{:,.0f} µs", "{:,.0f} µs", "{:,.0f} µs")
COLUMNS = ("CPU per message", "core", "p50", "p99", "p99.9")


def run(client: str, job: Paced) -> Paces:
    """One process of the client against one of the generator. Raises SystemExit if messages are missing."""
    account, sent = meet(client, job, timed=True)
    if (account["messages"], account["bytes"], account["gaps"]) != (job.total, job.total * job.size, 0):
        raise SystemExit(f"{client}: {account['messages']} messages of {job.total}, {account['gaps']} gaps")
    late = sorted(lateness(sent, account["arrivals"]))
    points = [late[min(len(late) - 1, int(len(late) * share))] / 1000 for share in SHARES]
    seconds = (account["ended"] - sent["began"]) / 1e9
    return Paces(account["cpu"] / job.total * 1e6, account["cpu"] / seconds, *points)


def lateness(sent: dict[str, Any], arrivals: dict[int, list[int]]) -> Iterator[int]:
    """The lateness of each message, ns. A connection keeps the order, so the numbers are not needed."""
    queues = {sid: iter(times) for sid, times in arrivals.items()}
    for sid, at in zip(sent["sids"], sent["times"], strict=True):
        yield next(queues[sid]) - at


def measure(options: argparse.Namespace, clients: list[str], certificates: Path) -> Iterator[list[str]]:
    """The rows of the table."""
    for tls in (False, True) if options.plain == options.tls else (options.tls,):
        for rate in options.rates:
            job = Paced(
                options.connections, rate, options.seconds, DELTA, certificates if tls else None, options.tick / 1000
            )
            results: defaultdict[str, list[Paces]] = defaultdict(list)
            for turn in range(options.repeat):
                for client in clients:
                    results[client].append(result := run(client, job))
                    text = ", ".join(map(str.format, FORMATS, astuple(result)))
                    print(
                        f"{'TLS' if tls else 'plain'} {rate:6,}/s {turn + 1}/{options.repeat} {client:16} {text}",
                        flush=True,
                    )
            for client in clients:
                yield [
                    f"{'TLS' if tls else 'plain'}, {rate:,}/s",
                    client,
                    *cells(results[client], results.get(BASE, [])),
                ]


def cells(runs: list[Paces], bases: list[Paces]) -> Iterator[str]:
    """Medians, and their ratios to the base."""
    for place, form in enumerate(FORMATS):
        values = [astuple(run)[place] for run in runs]
        text = form.format(median(values))
        if bases:
            ratio = median(value / astuple(base)[place] for value, base in zip(values, bases, strict=True))
            text += f" ({ratio:.2f})"
        yield text


def parse(command_line: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", nargs="+", default=["picows", "aiohttp", "gatherer"])
    parser.add_argument("--rates", nargs="+", type=int, default=[1000, 5000, 20_000], help="messages a second, in all")
    parser.add_argument("--connections", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run (default: %(default)s)")
    parser.add_argument("--tick", type=float, default=1.0, help="ms between two sends (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--plain", action="store_true", help="plain TCP only")
    parser.add_argument("--tls", action="store_true", help="TLS only")
    parser.add_argument("--quick", action="store_true", help="under half a minute: 5,000 a second, one round")
    parser.add_argument("--markdown", action="store_true", help="end with the table as it is in docs/performance.md")
    options = parser.parse_args(command_line)
    if options.quick:
        options.rates, options.seconds, options.repeat = [5000], 2.0, 1
    if odd := [rate for rate in options.rates if int(rate * options.seconds) % BATCH]:
        raise SystemExit(f"{odd[0]} a second for {options.seconds} s is no multiple of {BATCH} messages")
    return options


def main() -> None:
    """Measure what the command line asks for."""
    options = parse(sys.argv[1:])
    print(surroundings())
    with tempfile.TemporaryDirectory() as folder:
        make_certificates(Path(folder))
        rows = list(measure(options, [name for name in options.clients if is_there(name)], Path(folder)))
    if options.markdown:
        print(markdown(["", "client", *COLUMNS], rows))


if __name__ == "__main__":
    main()
