"""`gatherer tail`: each message once, over the ends of segments."""

from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from gatherer.data.engine import DataError
from gatherer.data.tail import Filter, follow
from gatherer.values import Marker, RawMessage
from tests.router.support import AT, Rig, messages

TRADE = b'{"type":"trade","sid":1,"seq":1,"msg":{"market_ticker":"A"}}'
SNAPSHOT = b'{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{"market_ticker":"B"}}'


class FollowTests(SynchronousTestCase):
    """A router writes while the tail waits."""

    def numbers(self, rig: Rig, rounds: int, from_start: bool = False) -> list[int]:
        """The numbers of the messages that come while `rounds` times five are written."""
        written = iter(range(rounds))

        def wait() -> bool:
            number = next(written, None)
            if number is None:
                return False
            rig.router.deliver(messages(5, start=5 * number))
            rig.clock.advance(2)
            return True

        lines = follow(rig.directory, wait, from_start)
        records = [msgspec.json.decode(line) for line in lines]
        return [record["data"]["n"] for record in records if "data" in record]

    def test_over_rotations(self) -> None:
        """Each frame is a segment of its own: nothing is missing and nothing comes twice."""
        rig = Rig(self, segment_bytes=1)
        self.assertEqual(self.numbers(rig, 6), list(range(30)))
        rig.close()

    def test_within_a_segment(self) -> None:
        """Frame by frame, while the segment is open."""
        rig = Rig(self)
        self.assertEqual(self.numbers(rig, 6), list(range(30)))
        rig.close()

    def test_begins_at_the_end(self) -> None:
        """What was there before does not come, unless it is asked for."""
        rig = Rig(self)
        self.numbers(rig, 2)
        self.assertEqual(self.numbers(rig, 1), list(range(5)))
        self.assertEqual(len(self.numbers(rig, 0, from_start=True)), 15)
        rig.close()

    def test_no_directory(self) -> None:
        """One line."""
        self.assertRaises(DataError, next, follow(Path(self.mktemp()), lambda: False))


class FilterTests(SynchronousTestCase):
    """On lines as the router writes them."""

    def lines(self) -> list[bytes]:
        """A trade, a book, and two markers."""
        rig = Rig(self)
        rig.router.mark(Marker("session_up", 7, AT, {"role": "trade"}))
        rig.router.mark(Marker("markets_added", 7, AT, {"sid": 1, "channel": "orderbook_delta", "tickers": ["B"]}))
        rig.router.deliver([RawMessage(TRADE, 7, AT), RawMessage(SNAPSHOT, 7, AT)])
        rig.close()
        return list(follow(rig.directory, lambda: False, from_start=True))

    def test_what_passes(self) -> None:
        """Channels by the exchange's names, markets by ticker, markers only if asked for."""
        lines = self.lines()
        for wanted, text in (
            (Filter(), "trade orderbook_snapshot"),
            (Filter("trade"), "trade"),
            (Filter("orderbook_delta"), "orderbook_snapshot"),
            (Filter(ticker="B"), "orderbook_snapshot"),
            (Filter("trade", "B"), ""),
            (Filter("trade", markers=True), "segment_start session_up trade run_end"),
            (Filter(ticker="A", markers=True), "segment_start session_up trade run_end"),
        ):
            passed = [msgspec.json.decode(line) for line in lines if wanted.wants(line)]
            kinds = [record.get("marker") or record["data"]["type"] for record in passed]
            self.assertEqual(" ".join(kinds), text)
