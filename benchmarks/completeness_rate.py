"""How fast `gatherer coverage` reads: a capture of made-up order book messages, judged for one market.

`python -m benchmarks.completeness_rate [lines] [markets]`; makes the capture in a temporary directory first.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

import zstandard

from gatherer.capture_format.records import encode_batch, encode_marker, encode_segment_start
from gatherer.capture_format.segment_file import SUFFIX, segment_name
from gatherer.coverage.judge import judge
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
PER_SEGMENT = 1_000_000


def ticker(number: int) -> bytes:
    """One of the markets."""
    return b"KXBENCH-26NOV23-T%06d" % number


def write(directory: Path, lines: int, markets: int) -> tuple[int, int]:
    """Write segments as the router does, 100 messages a read. Returns raw and compressed bytes."""
    chance, compressor = random.Random(1), zstandard.ZstdCompressor(level=3, write_checksum=True)
    raw = packed = seq = 0
    for number in range(1, lines // PER_SEGMENT + 2):
        first = START + seq * 10_000
        name = segment_name(first, number)
        with (directory / name).open("wb") as file:
            facts = {"segment": name, "run": segment_name(START, 1), "number": number}
            block = encode_segment_start(first, facts)
            if number == 1:
                block += encode_marker(Marker("session_up", 7, START, {"ping_timeout": 30.0}))
            for _ in range(min(PER_SEGMENT, lines - seq) // 2_000):
                for _ in range(20):
                    at, batch = START + seq * 10_000, []
                    for _ in range(100):
                        seq += 1
                        market = seq - 1 if seq <= markets else chance.randrange(markets)
                        shape, rest = (
                            (SNAPSHOT, ()) if seq <= markets else (DELTA, (seq % 9_999, seq % 500, at // 10**6))
                        )
                        batch.append(RawMessage(shape % (seq, ticker(market), market, *rest), 7, at))
                    block += encode_batch(batch)
                frame = compressor.compress(block)
                raw, packed, block = raw + len(block), packed + len(frame), b""
                file.write(frame)
    return raw, packed


def main(lines: int, markets: int) -> None:
    """Write a capture, judge it, print the rate."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        raw, packed = write(directory, lines, markets)
        segments = len(list(directory.glob("*" + SUFFIX)))
        sizes = f"{raw / 1e6:,.0f} MB, {packed / 1e6:,.0f} MB packed"
        print(f"{lines:,} lines of {markets:,} markets in {segments} segments: {sizes}")
        for chosen in (5, markets + 1):
            begin = time.perf_counter()
            verdict = judge(directory, ticker(chosen).decode())
            seconds = time.perf_counter() - begin
            rate = f"{raw / seconds / 1e6:,.0f} MB/s, {lines / seconds:,.0f} lines/s"
            print(f"judged in {seconds:.2f} s: {rate} ({verdict.intervals[-1].standing.value})")


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["4000000"])[0]), int((sys.argv[2:] or ["7500"])[0]))
