"""Tests for `gatherer.exchange.inspection`."""

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.wire.codec import Envelope, count_levels
from gatherer.errors import SessionLost
from gatherer.exchange.inspection import MAX_WATCHED, WATCH_SECONDS, MarketInspector
from gatherer.values import RawMessage
from tests.support.wall import wall_of


def message(kind: str, ticker: str, at: int = 5_000_000_000) -> RawMessage:
    """A message that came in."""
    return RawMessage(json.dumps({"type": kind, "msg": {"market_ticker": ticker}}).encode(), 7, at)


class WatchingTests(SynchronousTestCase):
    """Watched markets and awaited books."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.inspector = MarketInspector(self.clock, wall_of(self.clock))

    def test_only_deltas_of_the_market_count(self) -> None:
        """Only deltas of the market count: not its books, and not a market with a similar name."""
        self.inspector.look("KX-A")
        self.inspector.read([
            message("orderbook_delta", "KX-AB"), message("orderbook_snapshot", "KX-A"),
            message("orderbook_delta", "KX-B"),
        ])  # fmt: skip
        self.assertEqual(self.inspector.look("KX-A"), {"watched_since": 0.0, "delta_at": None, "deltas": 0})
        self.inspector.read([message("orderbook_delta", "KX-A"), message("orderbook_delta", "KX-A", 6_500_000_000)])
        self.assertEqual(self.inspector.look("KX-A"), {"watched_since": 0.0, "delta_at": 6.5, "deltas": 2})

    def test_few_are_watched(self) -> None:
        """A new market replaces the one that was asked for longest ago, so that questions cannot slow the feed."""
        for number in range(MAX_WATCHED):
            self.inspector.look(f"KX-{number}")
        self.inspector.look("KX-0")
        self.clock.advance(1)
        self.inspector.look("another")
        self.assertEqual(len(self.inspector.deltas), MAX_WATCHED)
        self.assertEqual(self.inspector.look("KX-0")["watched_since"], 0.0)
        self.assertEqual(self.inspector.look("KX-1")["watched_since"], 1.0)

    def test_it_ends_by_itself(self) -> None:
        """A minute after the last question the market is not watched any more, and reading costs nothing again."""
        self.inspector.look("KX-A")
        self.clock.advance(WATCH_SECONDS - 1)
        self.inspector.read([message("orderbook_delta", "KX-A")])
        self.assertEqual(self.inspector.look("KX-A")["deltas"], 1)
        self.clock.advance(WATCH_SECONDS)
        self.inspector.read([message("orderbook_delta", "KX-A")])
        self.assertEqual(self.inspector.deltas, {})

    def test_books(self) -> None:
        """All callers that wait for a book get it. A cancelled one is forgotten. The end of the session is an error."""
        first, second, third = (self.inspector.books.wait("T") for _ in range(3))
        second.cancel()
        self.failureResultOf(second)
        data = json.dumps({"msg": {"yes_dollars_fp": [["0.10", "1.00"]], "no_dollars_fp": []}}).encode()
        self.inspector.snapshot("T", Envelope("orderbook_snapshot", 0, 3, 9), data, 4.0)
        for book in (first, third):
            self.assertEqual(self.successResultOf(book), {"sid": 3, "seq": 9, "at": 4.0, "yes": 1, "no": 0})
        self.assertNotIn("T", self.inspector.books)
        last: Any = self.inspector.books.wait("T")
        self.inspector.books.fail_all(SessionLost("gone"))
        self.failureResultOf(last, SessionLost)

    def test_the_last_who_gives_up_leaves_nothing(self) -> None:
        """Then the message path does not look for it any more."""
        book = self.inspector.books.wait("T")
        book.cancel()
        self.failureResultOf(book)
        self.assertNotIn("T", self.inspector.books)

    def test_levels_of_odd_books(self) -> None:
        """A missing side has no levels, and a book of another shape has none."""
        self.assertEqual(count_levels(b'{"msg":{"no_dollars_fp":[["0.1","2"],["0.2","3"]]}}'), (0, 2))
        for odd in (b"", b"[]", b'{"msg":{"yes_dollars_fp":7}}', b"[" * 100_000):
            self.assertEqual(count_levels(odd), (0, 0))
