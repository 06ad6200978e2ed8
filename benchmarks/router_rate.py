"""How many messages a second the segment router takes, and the cost of a message.

Run: python -m benchmarks.router_rate. Everything goes to a temporary directory.
"""

import argparse
import os
import tempfile
import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from gatherer.router.segment_router import SegmentRouter
from gatherer.values import RawMessage

_BATCH = 50
_MESSAGE = (
    b'{"type":"orderbook_delta","sid":1,"seq":%d,"msg":{"market_ticker":"KXDEMO-26OCT31-%04d","market_id":'
    b'"00000000-0000-4000-8000-%012x","price_dollars":"0.%02d00","delta_fp":"-%d.50","side":"yes",'
    b'"ts":"2026-10-15T14:00:00.%06dZ","ts_ms":1792072800123}}'
)


def make_batches(count: int) -> list[list[RawMessage]]:
    """Different messages of the usual size, in batches as from one socket read."""
    at = time.time_ns()
    return [
        [
            RawMessage(_MESSAGE % (n, n * 7919 % 9973, n * n, n % 99, n % 977, n * 31 % 999_999), 7 + start % 144, at)
            for n in range(start, start + _BATCH)
        ]
        for start in range(0, count, _BATCH)
    ]


async def measure(reactor: Any, count: int) -> None:
    """Deliver as fast as the buffer allows, and print the time."""
    batches = make_batches(count)
    with tempfile.TemporaryDirectory() as directory:
        router = SegmentRouter(directory, reactor)
        router.start()
        started, processor, delivering = time.perf_counter(), time.process_time(), 0.0
        for batch in batches:
            while router.backlog() > 9_000:
                await deferLater(reactor, 0)
            before = time.perf_counter()
            router.deliver(batch)
            delivering += time.perf_counter() - before
        await router.close()
        seconds, processor = time.perf_counter() - started, time.process_time() - processor
    print(f"{len(batches[0][0].data)} bytes a message, {os.cpu_count()} cores")
    print(
        f"{count / seconds:,.0f} messages/s; {router.dropped} dropped; "
        f"{router.bytes_written / count:.1f} bytes a message on disk"
    )
    print(
        f"{processor / count * 1e6:.2f} µs processor time a message, {delivering / count * 1e6:.2f} µs of it in deliver"
    )


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=600_000)
    options = parser.parse_args()
    react(lambda reactor: Deferred.fromCoroutine(measure(reactor, options.messages)))


if __name__ == "__main__":
    main()
