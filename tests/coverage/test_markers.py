"""The markers a session writes: in order with the messages around them, and with what bounds a hole."""

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format.reading import read_capture
from gatherer.exchange.resync import QUIET_SECONDS, ResyncTimer
from gatherer.values import Marker, RawMessage
from tests.router.support import Rig, messages
from tests.support.pool import START, Pool


def data(kind: str, seq: int, ticker: str = "", **more: Any) -> bytes:
    """A message on sid 1."""
    return json.dumps({"type": kind, "sid": 1, "seq": seq, "msg": {"market_ticker": ticker}, **more}).encode()


class OrderTests(SynchronousTestCase):
    """What came first in a read comes first in the capture."""

    def pool(self) -> Pool:
        """One order book connection with all its books, which is number 4."""
        pool = Pool(books=1, markets=2).start()
        self.addCleanup(pool.stop)
        pool.add(pool.tickers)
        pool.step(1)
        return pool

    def tail(self, pool: Pool, count: int) -> list[str]:
        """The latest records of connection 4: kinds of markers, types of messages."""
        found = []
        for record in pool.router.records:
            if record.conn_id == 4:
                found.append(record.kind if isinstance(record, Marker) else json.loads(record.data)["type"])
        return found[-count:]

    def test_a_terminal_error_stands_behind_the_messages_before_it(self) -> None:
        """In one read: a reader would take the older snapshot for the one that heals it."""
        pool = self.pool()
        ticker, last = pool.tickers[0], pool.session_of(4).on_channel("orderbook_delta")._seq
        error = json.dumps(
            {"type": "error", "sid": 1, "seq": last + 2, "msg": {"code": 25, "msg": "overflow"}}
        ).encode()
        pool.clients[4].receive([data("orderbook_snapshot", last + 1, ticker), error])
        self.assertEqual(self.tail(pool, 2), ["orderbook_snapshot", "terminal_error"])

    def test_a_gap_stands_between(self) -> None:
        """Behind the last message in order, before the one that revealed it, and tells when the former was read."""
        pool = self.pool()
        last = pool.session_of(4).on_channel("orderbook_delta")._seq
        pool.clients[4].receive([data("orderbook_delta", last + 1)])
        pool.step(5)
        pool.clients[4].receive([data("orderbook_delta", last + 4)])
        self.assertEqual(self.tail(pool, 3), ["orderbook_delta", "gap", "orderbook_delta"])
        (gap,) = pool.markers("gap")
        self.assertEqual((gap.facts["since"], gap.facts["size"]), (int((START + 1) * 1e9), 2))
        pool.step(1)

    def test_the_end_of_a_session_tells_the_last_sign_of_life(self) -> None:
        """A ping counts: TCP keeps the order, so everything sent before it is here."""
        pool = self.pool()
        pool.step(13)  # pings every ten seconds
        pool.exchange.faults.cut(session=pool.session_of(4).id)
        pool.step()
        (down,) = pool.markers("session_down")
        self.assertEqual((down.facts["since"], down.facts["stopped"]), (int((START + 10) * 1e9), False))
        pool.step(2)

    def test_a_market_dropped_without_an_acknowledgement_is_told(self) -> None:
        """While the socket is down; and the one whose removal was under way when it was cut."""
        pool = self.pool()
        first, second = pool.tickers
        pool.exchange.faults.lose_replies()
        pool.remove([first])
        pool.step()
        pool.exchange.faults.cut(session=pool.session_of(4).id)
        pool.step()
        self.assertIn([first], [marker.facts["tickers"] for marker in pool.markers("markets_removed")])
        pool.remove([second])
        self.assertEqual(pool.markers("markets_removed")[-1].facts["tickers"], [second])
        pool.step(2)

    def test_a_book_before_its_acknowledgement_is_owed_again_after_a_gap(self) -> None:
        """The acknowledgement comes after the gap; the book that came before it must not pass for the fresh one."""
        pool = Pool(books=1, markets=1, owed_deadline=5.0).start()
        self.addCleanup(pool.stop)
        (ticker,) = pool.tickers
        pool.exchange.faults.late_replies(seconds=2.0)
        pool.add([ticker])
        pool.step(1)
        pool.exchange.faults.skip_seq()
        pool.exchange.emit(20)
        pool.step(20)
        kinds = [json.loads(m.data)["type"] for m in pool.messages() if ticker in m.data.decode() and m.conn_id == 4]
        self.assertEqual(len(pool.markers("gap")), 1)
        self.assertEqual(kinds.count("orderbook_snapshot"), 2)


class AmendsTests(SynchronousTestCase):
    """Fresh books after losses of ours."""

    def test_once_and_only_when_it_has_been_quiet(self) -> None:
        """Each loss begins the wait anew; the connections do not ask all at once; the end of the session cancels."""
        clock, asked = Clock(), []
        amends = ResyncTimer(clock, 7, lambda: asked.append(clock.seconds()))
        amends.lost()
        clock.advance(QUIET_SECONDS)
        amends.lost()
        clock.advance(QUIET_SECONDS + 0.6)
        self.assertEqual(asked, [])
        clock.advance(0.2)
        self.assertEqual(len(asked), 1)
        amends.lost()
        amends.close()
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_the_router_says_what_it_dropped(self) -> None:
        """Nothing while there is room, then how many of the batch."""
        rig = Rig(self, buffer_messages=10)
        rig.threads.held = True
        self.assertEqual(rig.router.deliver(messages(8)), 0)
        self.assertEqual(rig.router.deliver(messages(8)), 6)
        rig.threads.release()
        rig.close()


class SegmentStartTests(SynchronousTestCase):
    """A reader can tell a restart from a new segment."""

    def test_run_and_number(self) -> None:
        """The run goes by its first segment's name; numbers count its segments without a break."""
        rig = Rig(self, segment_bytes=1)
        for start in range(3):
            rig.router.deliver([RawMessage(b'{"n":1}', 7, messages(1, start=start)[0].received_at)])
            rig.clock.advance(2)
        rig.close()
        facts = [r["facts"] for r in read_capture(rig.directory) if r.get("marker") == "segment_start"]
        self.assertEqual([fact["number"] for fact in facts], [1, 2, 3, 4])
        self.assertEqual({fact["run"] for fact in facts}, {facts[0]["segment"]})
