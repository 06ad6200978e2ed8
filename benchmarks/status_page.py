"""The cost of the status page for the reactor, with 150 live connections of 300 markets each.

Run: python -m benchmarks.status_page. Each figure is the median of 200 runs, each in its own reactor turn.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from twisted.logger import LogPublisher

from benchmarks.cores import surroundings
from benchmarks.rig import Rig
from benchmarks.scale import tickers
from benchmarks.tables import markdown
from gatherer.core.histograms import Measurements
from gatherer.ops.health import HealthService
from gatherer.ops.web.event_log import EventLog
from gatherer.ops.web.live import LiveFeed, Stream

MARKETS = 144 * 300
ROUNDS = 200
WATCHERS = 32
COLUMNS = ("what", "ms")


def milliseconds(action: Callable[[], object]) -> str:
    """The median."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return f"{sorted(times)[ROUNDS // 2] * 1e3:.2f}"


def measure() -> list[list[str]]:
    """Rows of the table."""
    rig = Rig(lambda: tickers(MARKETS), None)
    rig.open()
    rig.walk()
    rig.quiet()
    parts = (rig.manager, rig.registry, rig.router)
    clock: Any = rig.reactor
    health = HealthService(clock, time.time_ns, time.monotonic, Measurements(), *parts, 120.0)
    sent: list[bytes] = []
    watched, unwatched = (LiveFeed(clock, time.time_ns, health.status, EventLog(LogPublisher())) for _ in range(2))
    for _ in range(WATCHERS):
        watched.add(Stream(sent.append, lambda: None, clock))
    rows = [
        ["the status of 150 connections", milliseconds(rig.manager.status)],
        ["no watcher: a sample, every 2 s", milliseconds(lambda: unwatched._send([], sample=True))],
        ["one watches: a tick, every second", milliseconds(lambda: watched._send(list(watched._streams)[:1]))],
        [f"{WATCHERS} watch: a tick", milliseconds(lambda: watched._send(list(watched._streams)))],
    ]
    print(f"a tick has {len(sent[-1]):,} bytes")
    rig.close()
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="end with the table as it is in docs/status-page.md")
    options = parser.parse_args(sys.argv[1:])
    print(surroundings())
    rows = measure()
    print(markdown(COLUMNS, rows) if options.markdown else "\n".join(": ".join(row) for row in rows))


if __name__ == "__main__":
    main()
