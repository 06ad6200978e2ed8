"""How fast captures become tables, how much memory that takes, and how fast a book is found in them.

`python -m benchmarks.data [--lines N] [--markets N] [--memory MB]` makes a capture in a temporary directory first. What
DuckDB alone takes for the same files stands beside it, measured in the same run: machines differ.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import zstandard

from benchmarks.tables import markdown
from gatherer.capture_format import SUFFIX, encode_batch, encode_marker, encode_segment_start, segment_name
from gatherer.data import open_captures
from gatherer.values import Marker, RawMessage

START = 1_795_464_000_000_000_000
PER_SEGMENT = 1_000_000
STEP = 100_000
"""Nanoseconds from message to message: 10,000 of them a second, what the whole exchange is thought to send."""
BOOKS = range(7, 27)
"""Connections that carry books; 1 and 2 carry tickers, 3 and 4 trades."""
LEVELS = 12
"""Price levels of a side at most, like the simulator's."""
FIELDS = (
    "market_ticker VARCHAR, price_dollars DECIMAL(18,4), delta_fp DECIMAL(18,2), side VARCHAR, ts_ms BIGINT, "
    "yes_dollars_fp VARCHAR[][], no_dollars_fp VARCHAR[][], yes_bid_dollars DECIMAL(18,4), "
    "yes_ask_dollars DECIMAL(18,4), yes_bid_size_fp DECIMAL(18,2), yes_ask_size_fp DECIMAL(18,2), "
    "last_trade_size_fp DECIMAL(18,2), volume_fp DECIMAL(18,2), open_interest_fp DECIMAL(18,2), "
    "dollar_volume DECIMAL(18,2), dollar_open_interest DECIMAL(18,2), trade_id VARCHAR, "
    "yes_price_dollars DECIMAL(18,4), "
    "no_price_dollars DECIMAL(18,4), count_fp DECIMAL(18,2), taker_outcome_side VARCHAR, taker_book_side VARCHAR, "
    "is_block_trade BOOLEAN"
)
COLUMNS = (
    "{received_at: 'BIGINT', conn_id: 'INTEGER', marker: 'VARCHAR', facts: 'JSON', "
    f"data: 'STRUCT(type VARCHAR, id BIGINT, sid BIGINT, seq BIGINT, msg STRUCT({FIELDS}))'}}"
)
SNAPSHOT = '{"type":"orderbook_snapshot","sid":1,"seq":%d,"msg":{"market_ticker":"%s","market_id":"%036x"%s}}'
DELTA = (
    '{"type":"orderbook_delta","sid":1,"seq":%d,"msg":{"market_ticker":"%s","market_id":"%036x","price_dollars":"%.4f",'
    '"delta_fp":"%.2f","side":"%s","ts":"2026-11-23T20:00:00.123456Z","ts_ms":%d}}'
)
TICKER = (
    '{"type":"ticker","sid":1,"msg":{"market_ticker":"%s","market_id":"%036x","price_dollars":"0.4200",'
    '"yes_bid_dollars":"0.4200","yes_ask_dollars":"0.4400","yes_bid_size_fp":"50.00","yes_ask_size_fp":"300.00",'
    '"last_trade_size_fp":"10.00","volume_fp":"%d.00","open_interest_fp":"4410.00","dollar_volume":4560,'
    '"dollar_open_interest":2205,"ts":%d,"ts_ms":%d,"time":"2026-10-15T14:00:00.123Z"}}'
)
TRADE = (
    '{"type":"trade","sid":1,"seq":%d,"msg":{"trade_id":"00000000-0000-4000-9000-%012x","market_ticker":"%s",'
    '"yes_price_dollars":"0.4200","no_price_dollars":"0.5800","count_fp":"%d.00","taker_outcome_side":"yes",'
    '"taker_book_side":"bid","is_block_trade":false,"ts":%d,"ts_ms":%d}}'
)


class Maker:
    """Makes lines as gatherer writes them: 90 of 100 messages are about books, the others come on two connections."""

    def __init__(self, markets: int) -> None:
        self.lines = 0
        self._chance = random.Random(1)
        self._markets = markets
        self._seq = dict.fromkeys(range(1, 27), 0)
        self._trades = 0
        self._books: list[tuple[dict[int, int], dict[int, int]]] = []

    @property
    def now(self) -> int:
        """Unix ns."""
        return START + self.lines * STEP

    def batch(self) -> bytes:
        """The lines of one read."""
        messages: list[RawMessage] = []
        while len(messages) < 20:
            messages += self._event()
        self.lines += len(messages)
        return encode_batch(messages)

    def _event(self) -> list[RawMessage]:
        kind = self._chance.random()
        if (new := len(self._books)) < self._markets:
            return [self._message(self._snapshot(new), new)]
        market = self._chance.randrange(self._markets)
        if kind < 0.95:
            return [self._message(self._delta(market), market)]
        seconds, ms = self.now // 10**9, self.now // 10**6
        if kind < 0.98:
            text = TICKER % (name(market), market, self._chance.randrange(10**6), seconds, ms)
            return [RawMessage(text.encode(), conn_id, self.now) for conn_id in (1, 2)]
        self._trades += 1
        text = TRADE % (self._trades, self._trades, name(market), self._chance.randrange(1, 400), seconds, ms)
        return [RawMessage(text.encode(), conn_id, self.now) for conn_id in (3, 4)]

    def _message(self, text: str, market: int) -> RawMessage:
        return RawMessage(text.encode(), BOOKS[market % len(BOOKS)], self.now)

    def _number(self, market: int) -> int:
        conn_id = BOOKS[market % len(BOOKS)]
        self._seq[conn_id] += 1
        return self._seq[conn_id]

    def _snapshot(self, market: int) -> str:
        draw = self._chance.randrange
        book = tuple({100 * draw(20, 50): draw(100, 90_000) for _ in range(draw(LEVELS))} for _ in range(2))
        self._books.append((book[0], book[1]))
        sides = (
            f',"{side}_dollars_fp":[' + ",".join(f'["{p / 1e4:.4f}","{c / 100:.2f}"]' for p, c in levels.items()) + "]"
            for side, levels in zip(("yes", "no"), book, strict=True)
            if levels
        )
        return SNAPSHOT % (self._number(market), name(market), market, "".join(sides))

    def _delta(self, market: int) -> str:
        side = self._chance.randrange(2)
        levels = self._books[market][side]
        price = 100 * self._chance.randrange(50 - LEVELS, 50)
        if price in levels and self._chance.random() < 0.5:
            delta = -levels.pop(price)
        else:
            delta = self._chance.randrange(100, 90_000)
            levels[price] = levels.get(price, 0) + delta
        facts = (price / 1e4, delta / 100, ("yes", "no")[side], self.now // 10**6)
        return DELTA % (self._number(market), name(market), market, *facts)


def name(market: int) -> str:
    """A ticker."""
    return f"KXBENCH-26NOV23-T{market:06d}"


def write(directory: Path, lines: int, markets: int) -> tuple[int, int]:
    """Segments as the router writes them, a second a frame; lines, and bytes of text."""
    maker, compressor = Maker(markets), zstandard.ZstdCompressor(level=3, write_checksum=True)
    number = raw = 0
    while maker.lines < lines:
        number += 1
        segment, end = segment_name(maker.now, number), maker.lines + PER_SEGMENT
        block = encode_segment_start(maker.now, {"segment": segment, "run": segment_name(START, 1), "number": number})
        if number == 1:
            block += b"".join(encode_marker(Marker("session_up", conn_id, START, {})) for conn_id in range(1, 27))
        with (directory / segment).open("wb") as file:
            while maker.lines < min(end, lines):
                block += b"".join(maker.batch() for _ in range(500))
                raw += len(block)
                file.write(compressor.compress(block))
                block = b""
    return maker.lines, raw


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds it takes, and seconds of processor time in this process and its children."""
    begin, cpu = time.perf_counter(), sum(os.times()[:4])
    work()
    return time.perf_counter() - begin, sum(os.times()[:4]) - cpu


def plain(directory: Path, out: Path) -> None:
    """DuckDB alone: every field typed, every line as it is, to one Parquet file."""
    settings = "SET threads = 2; SET enable_progress_bar = false"
    query = f"COPY (FROM read_json('{directory}/*{SUFFIX}', columns = {COLUMNS})) TO '{out}' (COMPRESSION zstd)"
    child(f"import duckdb; c = duckdb.connect(); c.execute({settings!r}); c.execute({query!r})")


def tables(directory: Path, out: Path, memory: int) -> None:
    """What `gatherer tables` does."""
    child(
        f"from gatherer.data import write_tables; write_tables([{str(directory)!r}], {str(out)!r}, memory_mb={memory})"
    )


def child(program: str) -> None:
    """Run a program in a process of its own, so that its memory is its own."""
    subprocess.run([sys.executable, "-c", program], check=True)


def books(tables_directory: Path, markets: int) -> list[float]:
    """Seconds for each of twenty books, each with a fresh connection."""
    chance, seconds = random.Random(2), []
    for _ in range(20):
        begin = time.perf_counter()
        library = open_captures(tables_directory)
        library.book(name(chance.randrange(markets)), START + chance.randrange(1, 60) * 10**9)
        seconds.append(time.perf_counter() - begin)
    return sorted(seconds)


def main(options: argparse.Namespace) -> None:
    """Make, measure, tell."""
    with tempfile.TemporaryDirectory() as folder:
        directory, out = Path(folder) / "capture", Path(folder) / "tables"
        directory.mkdir()
        lines, raw = write(directory, options.lines, options.markets)
        packed = sum(path.stat().st_size for path in directory.iterdir())
        print(f"{lines:,} lines of {options.markets:,} markets: {raw / 1e6:,.0f} MB, {packed / 1e6:,.0f} MB packed")
        ours = timed(lambda: tables(directory, out, options.memory))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        alone = timed(lambda: plain(directory, Path(folder) / "plain.parquet"))
        found = books(out, options.markets)
        rows = [
            ("DuckDB alone", f"{lines / alone[0]:,.0f}", f"{alone[1] / lines * 1e6:.2f}", "1.00"),
            ("gatherer tables", f"{lines / ours[0]:,.0f}", f"{ours[1] / lines * 1e6:.2f}", f"{alone[0] / ours[0]:.2f}"),
        ]
        print(markdown(("", "lines a second", "processor time a line, µs", "rate, DuckDB alone = 1"), rows))
        print(f"peak memory of gatherer tables: {peak:,.0f} MB (--memory {options.memory})")
        print(f"a book at a random time: median {found[10] * 1000:.0f} ms, longest {found[-1] * 1000:.0f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--lines", type=int, default=4_000_000)
    parser.add_argument("--markets", type=int, default=7_500)
    parser.add_argument("--memory", type=int, default=1000, help="megabytes that DuckDB may take")
    main(parser.parse_args())
