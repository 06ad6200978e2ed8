"""The few lines of a segment that completeness is decided by, found on bytes: nearly all lines are never decoded."""

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec

from gatherer.capture_format import read_blocks, read_blocks_backwards
from gatherer.coverage.records import Record, Start, decode_record, decode_start
from gatherer.errors import GathererError

MARKER = b',"marker":"'
SNAPSHOT = b'"orderbook_snapshot"'
DELTA = b'"orderbook_delta"'
DELTA_TICKER = re.compile(rb'"orderbook_delta","sid":\d+,"seq":\d+,"msg":\{"market_ticker":"([^"\\]+)"')
ANY_DELTA_TICKER = re.compile(rb'"orderbook_delta"[^\n]*?"market_ticker"\s*:\s*"([^"\\]+)"')
"""For keys in another order than the exchange has them today; ten times slower."""
CHANNEL = re.compile(
    rb'"conn_id":(\d+),"seq_gap":\w+,"gap_size":\d+,"data":\{"type":\s*'
    rb'"(trade|ticker|market_lifecycle_v2|event_lifecycle|event_fee_update)"'
)
HEAD = re.compile(rb'^\{"received_at":(\d+),"conn_id":(\d+),"seq_gap":', re.MULTILINE)
"""Only a message begins like that; inside of its data a quotation mark would be escaped."""


class NotACapture(GathererError):
    """What was named is not a capture, or not one that this version can read; the text says what and why."""


class LineFinder:
    """Finds the lines that matter: all markers, the snapshots of the markets that are asked for, and, while the start
    of a run is unknown, a message of each channel on each connection and a delta of each market."""

    def __init__(self, tickers: Collection[str] | None, books: bool = True) -> None:
        self._names = None if tickers is None else [b'"%b"' % ticker.encode() for ticker in tickers]
        self._books = books
        self._known: set[bytes | tuple[bytes, ...]] = set()

    def lines(self, block: bytes, is_unknown: bool) -> list[bytes]:
        """The lines of a block, in order."""
        starts: dict[int, int] = {}
        _collect(block, MARKER, starts)
        if self._books:
            _collect(block, SNAPSHOT, starts, self._is_asked_for)
            if is_unknown:
                self._collect_deltas(block, starts)
        if is_unknown:
            self._collect_channels(block, starts)
        else:
            self._known.clear()
        return [block[start : starts[start]] for start in sorted(starts)]

    def _is_asked_for(self, line: bytes) -> bool:
        return self._names is None or any(name in line for name in self._names)

    def _collect_deltas(self, block: bytes, starts: dict[int, int]) -> None:
        pattern, tickers = DELTA_TICKER, DELTA_TICKER.findall(block)
        if len(tickers) < block.count(DELTA):
            pattern, tickers = ANY_DELTA_TICKER, ANY_DELTA_TICKER.findall(block)
        new = set(tickers) - self._known
        if self._names is not None:
            new = {ticker for ticker in new if b'"%b"' % ticker in self._names}
        self._collect_first(block, pattern, new, starts)

    def _collect_channels(self, block: bytes, starts: dict[int, int]) -> None:
        self._collect_first(block, CHANNEL, set(CHANNEL.findall(block)) - self._known, starts)

    def _collect_first(self, block: bytes, pattern: re.Pattern[bytes], new: set[Any], starts: dict[int, int]) -> None:
        """The first line of each new match."""
        for found in pattern.finditer(block) if new else ():
            key = found.groups() if pattern is CHANNEL else found[1]
            if key in new:
                new.discard(key)
                self._known.add(key)
                starts[block.rfind(b"\n", 0, found.start()) + 1] = block.find(b"\n", found.start())


def first_record(path: Path) -> tuple[int, Start] | None:
    """When the segment begins, and as what; None if it has no complete frame. Raises `NotACapture`."""
    for block in read_blocks(path):
        try:
            record = decode_record(block[: block.find(b"\n")])
            start = decode_start(record.facts)
        except msgspec.DecodeError:
            record = None
        if record is None or record.marker != "segment_start":
            raise NotACapture(f"{path}: does not begin with a segment_start record: this is not a segment of a capture")
        return record.received_at, start
    return None


def last_messages(path: Path, seconds: float) -> tuple[int, dict[int, int]]:
    """When the last message in a segment was read, Unix ns, and the same for each connection that had one in the
    `seconds` before that. 0 if there is none."""
    last = 0
    found: dict[int, int] = {}
    for block in read_blocks_backwards(path):
        heads = HEAD.findall(block)
        for at, conn_id in reversed(heads):
            last = last or int(at)
            found.setdefault(int(conn_id), int(at))
        if heads and int(heads[0][0]) < last - seconds * 1e9:
            break
    return last, found


def last_record(path: Path) -> int:
    """When the last record of a segment was made, Unix ns; 0 for none."""
    return next((time_of(block, block.rfind(b"\n", 0, -1) + 1) for block in read_blocks_backwards(path)), 0)


def time_of(block: bytes, start: int = 0) -> int:
    """The time at the head of the line that begins there."""
    return int(block[start : block.find(b",", start)].removeprefix(b'{"received_at":'))


def records(path: Path, lines: list[bytes]) -> Iterator[Record]:
    """Decode lines. Raises `NotACapture` for one that is not a record."""
    for line in lines:
        try:
            yield decode_record(line)
        except msgspec.DecodeError as error:
            raise NotACapture(f"{path}: a record is not readable: {error}") from None


def _collect(
    block: bytes, needle: bytes, starts: dict[int, int], wanted: Callable[[bytes], bool] = lambda line: True
) -> None:
    """Note where each line with the needle starts and ends."""
    find, hit = block.find, block.find(needle)
    while hit >= 0:
        start, end = block.rfind(b"\n", 0, hit) + 1, find(b"\n", hit)
        if wanted(block[start:end]):
            starts[start] = end
        hit = find(needle, end)
