"""How long a state dump holds the reactor, and how long its thread works, with the whole pool full of markets.

Run: python -m benchmarks.dump [MARKETS]. The exchange is the lean stand-in of benchmarks.scale; no sockets.
"""

import platform
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, time_ns
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.logger import LogPublisher

from benchmarks.rig import Rig
from benchmarks.scale import tickers
from gatherer.config.settings import Settings
from gatherer.core.histograms import Measurements
from gatherer.ops.health import HealthService
from gatherer.ops.state_dump import StateDump, process_facts, write_dump
from gatherer.ops.web.event_log import EventLog

ROUNDS = 20


def main(markets: int) -> None:
    """Fill the pool, then gather and write again and again."""
    rig = Rig(lambda: tickers(markets), None)
    rig.open()
    rig.walk()
    rig.quiet()
    reactor: Any = rig.reactor
    reactor.getReaders = reactor.getWriters = list
    parts = (rig.manager, rig.registry, rig.router)
    health = HealthService(reactor, time_ns, perf_counter, Measurements(), *parts, 120.0)
    dump = StateDump(Settings, rig.manager, health.status, EventLog(LogPublisher()), reactor, time_ns, maybeDeferred)
    held, worked = [], []
    with TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            began = perf_counter()
            facts = dump._facts()
            gathered = perf_counter()
            path = write_dump(Path(folder), float(number), {**facts, **process_facts()})
            worked.append(perf_counter() - gathered)
            held.append(gathered - began)
        size = path.stat().st_size
    print(f"{markets:,} markets, {size:,} bytes, CPython {platform.python_version()}")
    for what, seconds in (("reactor held", held), ("thread worked", worked)):
        print(f"{what}: {median(seconds) * 1000:.1f} ms, at worst {max(seconds) * 1000:.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_080_000)
