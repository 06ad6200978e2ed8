"""Tests for `gatherer.exchange.session`: what needs exact bytes. `tests.pool.test_manager` has the whole behaviour."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.wire.codec import SHORTEST_RUN
from gatherer.values import Marker, RawMessage
from tests.support.pool import Pool

BOOK = b'{"type":"orderbook_snapshot","sid":1,"seq":%d,"msg":{"market_ticker":"A"}}'
OVER = b'{"type":"unsubscribed","sid":1,"seq":%d}'


class UnknownSidTests(SynchronousTestCase):
    """Code 7 about a sid that has markets: one side is wrong, and it is unknown which."""

    def test_nothing_is_left_behind(self) -> None:
        """The exchange does have the sid. Without a new session the market to delete would stay forever."""
        pool = Pool(books=1).start()
        self.addCleanup(pool.stop)
        pool.add(pool.tickers[:3])
        pool.step()
        pool.exchange.faults.error(7)
        pool.remove(pool.tickers[:1])
        pool.step(5)
        self.assertEqual(set(pool.subscribed()), set(pool.tickers[1:3]))
        self.assertEqual(len(pool.markers("session_down")), 1)

    def test_a_bad_market_that_may_be_there(self) -> None:
        """An add took effect without a reply, then the exchange rejects the market: a new session has no leftover."""
        pool = Pool(books=1).start()
        self.addCleanup(pool.stop)
        pool.exchange.faults.lose_replies(1)
        pool.add(pool.tickers[:1])
        pool.step(1)
        pool.exchange.faults.error(14)
        pool.remove(pool.tickers[:1])
        pool.step(30)
        self.assertEqual(pool.subscribed(), {})

    def test_a_late_refusal_ends_nothing_in_silence(self) -> None:
        """Code 10 answers an old command and names no sid, so it is unknown which subscription ended. The newer
        subscription does not count as over, and its next number does not count as a gap."""
        pool = Pool(books=1)
        pool.exchange.faults.late_replies(1, seconds=12.0)
        pool.exchange.faults.error(10)
        pool.start()
        self.addCleanup(pool.stop)
        pool.step(30)
        pool.exchange.emit(20)
        pool.exchange.create_market()
        pool.step()
        self.assertEqual((pool.gaps(), pool.markers("gap")), ([], []))
        self.assertTrue(all(c.is_live for c in pool.manager.connections()))
        self.assertEqual(len(pool.markers("session_down")), 1)

    def test_a_refusal_without_a_sid_is_about_the_command(self) -> None:
        """Code 25 answers an `add_markets` and names no sid: the subscription of the command is over."""
        pool = Pool(books=1).start()
        self.addCleanup(pool.stop)
        pool.add(pool.tickers[:3])
        pool.step()
        pool.exchange.faults.lose_replies(1)
        pool.add(pool.tickers[3:4])
        pool.step()
        pool.clients[4].receive([b'{"type":"error","id":2,"msg":{"code":25,"msg":"Overflow"}}'])
        self.assertEqual([m.facts["sid"] for m in pool.markers("terminal_error")], [1])
        pool.step(60)
        self.assertEqual(pool.manager.status().divergence, 0)

    def test_an_end_that_was_already_told_costs_no_socket(self) -> None:
        """The subscription ended while a command about it was on its way: the error 7 that follows is expected."""
        pool = Pool(books=1).start()
        self.addCleanup(pool.stop)
        pool.add(pool.tickers[:3])
        pool.step()
        pool.remove(pool.tickers[:1])
        pool.exchange.faults.terminate(25, session=pool.session_of(4).id)
        pool.step(5)
        self.assertEqual(set(pool.subscribed()), set(pool.tickers[1:3]))
        self.assertEqual(pool.manager.connections()[3].status().errors, {25: 1, 7: 1})
        self.assertEqual(pool.markers("session_down"), [])


class DroppedMarkerTests(SynchronousTestCase):
    """The router has no room even for a marker."""

    def test_fresh_books_are_asked_for(self) -> None:
        """The `local_drop` that counts the marker makes each book of the connection suspect, so each comes again."""
        pool = Pool(books=1).start()
        self.addCleanup(pool.stop)
        pool.add(pool.tickers[:3])
        pool.step()
        dropping = self.patch(pool.router, "mark", lambda marker: 1)
        pool.add(pool.tickers[3:4])
        pool.step()
        dropping.restore()
        pool.step(9)
        before = self.books(pool)
        pool.step(3)
        self.assertEqual(self.books(pool) - before, 4)

    def test_a_session_that_ends_asks_for_none(self) -> None:
        """A dropped `session_down` leaves no timer behind."""
        pool = Pool(books=1).start()
        pool.step()
        self.patch(pool.router, "mark", lambda marker: 1)
        pool.stop()

    def books(self, pool: Pool) -> int:
        """How many snapshots came."""
        return sum(b"orderbook_snapshot" in message.data for message in pool.router.messages())


class LateAnswerTests(SynchronousTestCase):
    """The end of a subscription overtakes the answer to its subscribe."""

    def test_it_is_not_taken_for_alive(self) -> None:
        """On a channel and on order books the subscription is made again; it does not count as live."""
        pool = Pool(books=1)
        pool.exchange.faults.late_replies(3, seconds=2.0)
        pool.start()
        self.addCleanup(pool.stop)
        pool.exchange.faults.late_replies(1, seconds=2.0)
        pool.add(pool.tickers[:3])
        pool.step(1.0)
        for conn_id, channel in ((3, "market_lifecycle_v2"), (4, "orderbook_delta")):
            pool.exchange.faults.unsubscribed(session=pool.session_of(conn_id).id, channel=channel)
        pool.step(60)
        self.assertIsNotNone(pool.session_of(3).on_channel("market_lifecycle_v2"))
        self.assertEqual(pool.subscribed(), dict.fromkeys(pool.tickers[:3], 1))
        self.assertEqual(pool.manager.status().divergence, 0)


class ReusedSidTests(SynchronousTestCase):
    """An exchange may reuse the sid of a subscription that is over; the documentation does not say."""

    def setUp(self) -> None:
        self.started = Pool(books=1).start()
        self.addCleanup(self.started.stop)

    def captured(self, *payloads: bytes) -> list[RawMessage]:
        """The messages that an order book connection forwards from one read of these."""
        pool = self.started
        before = len(pool.messages())
        pool.clients[4].receive(list(payloads))
        return pool.messages()[before:]

    def test_numbers_start_anew(self) -> None:
        """The first number is 1 again. It is not a gap and not a repeat."""
        messages = self.captured(BOOK % 1, BOOK % 2, OVER % 3, BOOK % 1, BOOK % 3)
        self.assertEqual([m.gap_size for m in messages], [0, 0, 0, 1])
        self.assertEqual(self.started.sums()["repeats"], 0)

    def test_a_hole_at_the_end_is_not_told_of_the_next(self) -> None:
        """Numbers were missing before `unsubscribed`. The marker says so, and the next subscription lost nothing."""
        messages = self.captured(BOOK % 1, OVER % 5, BOOK % 1)
        self.assertEqual([m.gap_size for m in messages], [0, 0])
        self.assertEqual([m.facts["size"] for m in self.started.markers("gap")], [3])


DELTA = b'{"type":"orderbook_delta","sid":%d,"seq":%d,"msg":{"market_ticker":"A"}}'
TICKER = b'{"type":"ticker","sid":%d,"msg":{"price":%d}}'
ODD = (
    BOOK, OVER, b'{"type":"ok","sid":1,"seq":%d}', b'{"type":"novelty","sid":1,"seq":%d}', b"no JSON %d",
    b'{"type":"orderbook_delta","sid":"one","seq":%d}', b'{"type":"error","sid":1,"seq":%d,"msg":{"code":25}}',
)  # fmt: skip


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Deltas in order, as usual, with single other messages among them."""
    stream, seq = [], 0
    kind = draw(st.sampled_from([DELTA, DELTA, TICKER, BOOK.replace(b"1", b"%d", 1)]))
    for _ in range(draw(st.integers(1, 4))):
        for _ in range(draw(st.integers(0, 3 * SHORTEST_RUN))):
            seq += 1
            stream.append(kind % (1, seq))
        seq = draw(st.sampled_from([seq, seq + 1, seq + 1, seq + 3]))
        stream.append(draw(st.sampled_from([*ODD, DELTA.replace(b"%d", b"2", 1), DELTA.replace(b"%d", b"1", 1)])) % seq)
    return stream


class ReadTests(SynchronousTestCase):
    """TCP may cut the stream into any reads: the result is the same."""

    def outcome(self, reads: list[list[bytes]]) -> tuple[Any, ...]:
        pool = Pool(books=1).start()
        before = len(pool.messages())
        for read in reads:
            pool.clients[4].receive(read)
        status = pool.manager.connections()[3].status()
        known = [(m.data, m.seq_gap, m.gap_size) for m in pool.messages()[before:]]
        facts = [(m.kind, m.facts) for m in pool.router.records if isinstance(m, Marker)]
        pool.stop()
        return known, facts, status

    @settings(max_examples=60, deadline=None)
    @given(streams())
    def test_a_long_read_is_many_short_ones(self, stream: list[bytes]) -> None:
        """The fast path for uniform reads and the path for single messages forward, mark and count the same."""
        self.assertEqual(self.outcome([stream]), self.outcome([[data] for data in stream]))
