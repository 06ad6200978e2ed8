"""How fast `gatherer coverage` judges everything: a capture of made-up messages of the whole exchange.

`python -m benchmarks.coverage_rate [--lines N] [--markets N] [--keep DIRECTORY]`; makes the capture in a temporary
directory first. Books are spread over 144 connections, trades and tickers come twice. One connection is cut, some skip
numbers, and one market is asked for alone at the end.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import zstandard

from gatherer.capture_format import encode_batch, encode_marker, encode_segment_start, segment_name
from gatherer.core.layout import make_plan
from gatherer.values import Marker, RawMessage

START = 1_795_464_000_000_000_000
SNAPSHOT = (
    b'{"type":"orderbook_snapshot","sid":1,"seq":%d,"msg":{"market_ticker":"%b","market_id":"%036x",'
    b'"yes_dollars_fp":[["0.4100","250.00"],["0.4200","75.50"]],"no_dollars_fp":[["0.5600","300.00"]]}}'
)
DELTA = (
    b'{"type":"orderbook_delta","sid":1,"seq":%d,"msg":{"market_ticker":"%b","market_id":"%036x",'
    b'"price_dollars":"0.%04d","delta_fp":"%d.00","side":"yes","ts":"2026-11-23T20:00:00.123456Z","ts_ms":%d}}'
)
TRADE = (
    b'{"type":"trade","sid":1,"seq":%d,"msg":{"trade_id":"%036x","market_ticker":"%b","yes_price_dollars":"0.4200",'
    b'"no_price_dollars":"0.5800","count_fp":"10.00","taker_outcome_side":"yes","ts":1795464000,"ts_ms":%d}}'
)
PER_SEGMENT = 2_000_000
PER_FRAME = 2_000
BOOKS = [slot.conn_id for slot in make_plan(2, 2, 2, 144)][6:]


class Made:
    """Makes the lines, and numbers them by connection."""

    def __init__(self, markets: int) -> None:
        self._chance = random.Random(1)
        self._seq = dict.fromkeys(range(1, 151), 0)
        self._names = [b"KXS%02d-26NOV23-T%06d" % (number % 50, number) for number in range(markets)]

    def opening(self) -> bytes:
        """Sessions, acknowledgements and the first books."""
        lines = []
        for slot in make_plan(2, 2, 2, 144):
            facts = {"role": slot.role.value, "ping_timeout": 30.0}
            lines.append(encode_marker(Marker("session_up", slot.conn_id, START, facts)))
            held = [] if slot.role.is_global else [name.decode() for name in self._names[slot.conn_id - 7 :: 144]]
            added = {"sid": 1, "channel": slot.role.channel, "tickers": held}
            lines.append(encode_marker(Marker("markets_added", slot.conn_id, START, added)))
        books = [self.snapshot(number, START + number) for number in range(len(self._names))]
        return b"".join([*lines, encode_batch(books)])

    def snapshot(self, number: int, at: int) -> RawMessage:
        """The book of a market."""
        conn_id = 7 + number % 144
        return RawMessage(SNAPSHOT % (self._next(conn_id), self._names[number], number), conn_id, at)

    def lines(self, count: int, at: int) -> bytes:
        """One second or so: reads of up to 20 messages, one in ten of them trades."""
        chance = self._chance
        batch: list[RawMessage] = []
        while len(batch) < count:
            at += 10_000
            if chance.random() < 0.1:
                number = chance.randrange(len(self._names))
                for conn_id in (3, 4):
                    body = TRADE % (self._next(conn_id), number, self._names[number], at // 10**6)
                    batch.append(RawMessage(body, conn_id, at))
                continue
            conn_id = 7 + chance.randrange(144)
            for _ in range(chance.randrange(1, 20)):
                number = min(conn_id - 7 + 144 * chance.randrange(len(self._names) // 144), len(self._names) - 1)
                price, delta = chance.randrange(9999), chance.randrange(500)
                body = DELTA % (self._next(conn_id), self._names[number], number, price, delta, at // 10**6)
                batch.append(RawMessage(body, conn_id, at))
        return encode_batch(batch)

    def trouble(self, at: int) -> bytes:
        """A gap on one connection, then the fresh books of all its markets."""
        conn_id = self._chance.choice(BOOKS)
        facts = {"sid": 1, "size": 3, "seq": self._seq[conn_id] + 4, "since": at - 1_000_000}
        books = [self.snapshot(number, at + 1) for number in range(conn_id - 7, len(self._names), 144)]
        return encode_marker(Marker("gap", conn_id, at, facts)) + encode_batch(books)

    def _next(self, conn_id: int) -> int:
        self._seq[conn_id] += 1
        return self._seq[conn_id]


def write(directory: Path, lines: int, markets: int) -> tuple[int, int]:
    """Segments as the router writes them; raw and compressed bytes."""
    made, compressor = Made(markets), zstandard.ZstdCompressor(level=3, write_checksum=True)
    raw = packed = done = number = 0
    while done < lines:
        number += 1
        at = START + done * 100_000
        name = segment_name(at, number)
        with (directory / name).open("wb") as file:
            block = encode_segment_start(at, {"segment": name, "run": segment_name(START, 1), "number": number})
            block += made.opening() if number == 1 else made.trouble(at)
            end = min(lines, done + PER_SEGMENT)
            while done < end:
                block += made.lines(PER_FRAME, at)
                done += PER_FRAME
                at = START + done * 100_000
                frame = compressor.compress(block)
                raw, packed, block = raw + len(block), packed + len(frame), b""
                file.write(frame)
    return raw, packed


def judge(directory: Path, ticker: str) -> None:
    """Judge, and print what it cost; in a process of its own, so that the memory is that of judging alone."""
    from gatherer.coverage import coverage_of

    begin, used = time.perf_counter(), time.process_time()
    coverage = coverage_of([directory], tickers=[ticker] if ticker else None)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - used
    memory = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    holes = sum(len(feed.holes) for feed in coverage.feeds)
    cost = f"time: {seconds:.2f} s ({cpu:.2f} s CPU), memory: {memory // 1024:,} MB"
    print(f"feeds: {len(coverage.feeds):,}, holes: {holes:,}, {cost}")


def main() -> None:
    """Make, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--markets", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="make the capture here, or use the one that is there")
    parser.add_argument("--judge", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ticker", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.judge:
        judge(options.judge, options.ticker)
        return
    with tempfile.TemporaryDirectory() as folder:
        directory = options.keep or Path(folder)
        directory.mkdir(exist_ok=True)
        if not any(directory.iterdir()):
            raw, packed = write(directory, options.lines, options.markets)
            sizes = f"{raw / 1e6:,.0f} MB, {packed / 1e6:,.0f} MB packed"
            print(f"{options.lines:,} lines of {options.markets:,} markets: {sizes}")
        for ticker in ("", "KXS05-26NOV23-T000005"):
            command = [sys.executable, "-m", "benchmarks.coverage_rate", "--judge", str(directory), "--ticker", ticker]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
