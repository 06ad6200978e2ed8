"""A pool in memory that captures into real segments, and the books that a replay of them gives."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gatherer.capture_format.reading import read_capture
from gatherer.coverage import Coverage, FeedCoverage, Interval, State, coverage_of
from gatherer.router.segment_router import SegmentRouter
from tests.router.support import ManualThreads
from tests.support.pool import Pool

Book = tuple[dict[int, int], dict[int, int]]
"""Yes and no side: price in 1/10000 dollar to count in 1/100 contract, like `Exchange.book`."""


class CapturedPool(Pool):
    """`directory` holds the capture. `threads.held` is a disk that does not answer."""

    def __init__(self, directory: str, buffer_messages: int = 10_000, **options: Any) -> None:
        self.directory = Path(directory)
        self.threads = ManualThreads()
        self._buffer_messages = buffer_messages
        super().__init__(**options)
        self.truth: list[tuple[int, dict[str, Book]]] = []
        """Probes: Unix ns, and the exchange's own books at that time."""

    def make_router(self) -> Any:
        """Real segments."""
        router = SegmentRouter(
            self.directory, self.clock, threads=self.threads, buffer_messages=self._buffer_messages,
            segment_bytes=20_000,
        )  # fmt: skip
        router.start()
        return router

    def start(self) -> "CapturedPool":
        """Dial everything."""
        super().start()
        return self

    def probe(self, tickers: list[str]) -> None:
        """Remember these books, and let a moment pass, so that later records have another time."""
        books = {ticker: self.exchange.book(ticker) for ticker in tickers}
        self.truth.append((int(self.clock.seconds() * 1e9), books))
        self.step(0.01)

    def stop(self) -> None:
        """Stop cleanly, like the service: connections first, then the router."""
        self.threads.release()
        self.manager.stopService()
        self.exchange.cancel_delayed()
        closed = self.router.close()
        self.step(5)
        assert closed.called
        left = self.clock.getDelayedCalls()
        assert left == [], left

    def coverage(self, start: int | None = None, end: int | None = None) -> Coverage:
        """What the capture says of everything."""
        return coverage_of([self.directory], start=start, end=end)

    def verdict(self, ticker: str) -> FeedCoverage:
        """What the capture says of an order book."""
        return coverage_of([self.directory], tickers=[ticker]).book(ticker)

    def disproved(self, ticker: str) -> tuple[list[int], int]:
        """See `disproved`."""
        return disproved({self.directory.name: self.directory}, ticker, self.verdict(ticker).intervals, self.truth)


def disproved(
    captures: dict[str, Path], ticker: str, intervals: Sequence[Interval], truth: Sequence[tuple[int, dict[str, Book]]]
) -> tuple[list[int], int]:
    """The probes at which the answer is complete although the replayed book of that gatherer and connection is wrong;
    and at how many the answer is complete."""
    replays = {name: Replay(directory, ticker) for name, directory in captures.items()}
    wrong, claimed = [], 0
    for at, books in truth:
        found = next((i for i in intervals if i.start <= at < i.end), None)
        if ticker in books and found is not None and found.state is State.COMPLETE:
            claimed += 1
            if replays[found.gatherer or ""].until(at).get(found.conn_id or 0) != books[ticker]:
                wrong.append(at)
    return wrong, claimed


class Replay:
    """A market's book on each connection, from its snapshots and deltas."""

    def __init__(self, directory: Path, ticker: str) -> None:
        self._records = [r for r in read_capture(directory) if _is_about(r, ticker)]
        self._next = 0
        self._books: dict[int, Book] = {}

    def until(self, at: int) -> dict[int, Book]:
        """The books after everything read until then, by connection."""
        while self._next < len(self._records) and self._records[self._next]["received_at"] <= at:
            self._apply(self._records[self._next])
            self._next += 1
        return self._books

    def _apply(self, record: dict[str, Any]) -> None:
        body, conn_id = record["data"]["msg"], record["conn_id"]
        if record["data"]["type"] == "orderbook_snapshot":
            self._books[conn_id] = (_side(body.get("yes_dollars_fp", [])), _side(body.get("no_dollars_fp", [])))
        elif conn_id in self._books:
            side = self._books[conn_id][body["side"] == "no"]
            price = _units(body["price_dollars"], 10_000)
            side[price] = side.get(price, 0) + _units(body["delta_fp"], 100)
            if not side[price]:
                del side[price]


def _is_about(record: dict[str, Any], ticker: str) -> bool:
    data = record.get("data")
    is_book = isinstance(data, dict) and data.get("type") in ("orderbook_snapshot", "orderbook_delta")
    return is_book and data["msg"]["market_ticker"] == ticker  # type: ignore[index]


def _side(levels: list[list[str]]) -> dict[int, int]:
    return {_units(price, 10_000): _units(count, 100) for price, count in levels}


def _units(text: str, scale: int) -> int:
    return round(float(text) * scale)
