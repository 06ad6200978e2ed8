"""Tests for `gatherer.exchange.session`: what needs exact bytes. Behaviour as a whole is in `tests.test_manager`."""

from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.messages import RawMessage
from tests.support.pool import Pool

BOOK = b'{"type":"orderbook_snapshot","sid":1,"seq":%d,"msg":{"market_ticker":"A"}}'
OVER = b'{"type":"unsubscribed","sid":1,"seq":%d}'


class ReusedSidTests(SynchronousTestCase):
    """An exchange may give the number of a subscription that is over to the next one: nobody knows."""

    def setUp(self) -> None:
        self.started = Pool(books=1).start()
        self.addCleanup(self.started.stop)

    def captured(self, *payloads: bytes) -> list[RawMessage]:
        """What is forwarded of these, read at once on an order book connection."""
        pool = self.started
        before = len(pool.messages())
        pool.clients[4].receive(list(payloads))
        return pool.messages()[before:]

    def test_numbers_start_anew(self) -> None:
        """The first number is 1 again: neither a gap nor a repeat."""
        messages = self.captured(BOOK % 1, BOOK % 2, OVER % 3, BOOK % 1, BOOK % 3)
        self.assertEqual([m.gap_size for m in messages], [0, 0, 0, 1])
        self.assertEqual(self.started.sums()["repeats"], 0)

    def test_a_hole_at_the_end_is_not_told_of_the_next(self) -> None:
        """Numbers were missing before `unsubscribed`: the marker says so, the next subscription lost nothing."""
        messages = self.captured(BOOK % 1, OVER % 5, BOOK % 1)
        self.assertEqual([m.gap_size for m in messages], [0, 0])
        self.assertEqual([m.facts["size"] for m in self.started.markers("gap")], [3])
