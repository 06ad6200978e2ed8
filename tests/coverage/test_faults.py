"""The tool's verdict on captures of a real pool under faults, against what the simulated exchange knows."""

import os
import random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format.reading import read_capture
from gatherer.coverage import Interval, State
from tests.support.capturing import CapturedPool

SECOND = 1_000_000_000
SEEDS = int(os.environ.get("GATHERER_COMPLETENESS_SEEDS", "4"))
"""Stories to tell; each takes a second."""


class FaultTestCase(SynchronousTestCase):
    """Makes pools."""

    def pool(self, **options: Any) -> CapturedPool:
        """All markets carried, data flowing."""
        pool = CapturedPool(self.mktemp(), **{"books": 2, "markets": 8, "batch_size": 4, **options}).start()
        pool.step(1)
        pool.add(pool.tickers)
        self.flow(pool, 3)
        return pool

    def flow(self, pool: CapturedPool, seconds: int) -> None:
        """A message in each quarter of a second, on each order book connection."""
        for _ in range(4 * seconds):
            pool.exchange.emit(20)
            pool.step(0.25)

    def now(self, pool: CapturedPool) -> int:
        """Unix ns."""
        return int(pool.clock.seconds() * 1e9)

    def on(self, pool: CapturedPool, conn_id: int) -> list[str]:
        """The markets of a connection."""
        return [ticker for ticker in pool.tickers if pool.allocator.where(ticker) == conn_id]

    def holes(self, pool: CapturedPool, ticker: str) -> list[Interval]:
        """The holes of a market. All else is complete, but for the time before its book and after the stop."""
        intervals = pool.verdict(ticker).intervals
        self.assertEqual([i.state.value for i in intervals[:2]], ["not_carried", "complete"])
        self.assertNotIn(State.NOT_CARRIED, [i.state for i in intervals[1:-1]])
        return [interval for interval in intervals if interval.state is State.HOLE]


class KnownFaultTests(FaultTestCase):
    """One fault each; the holes are exactly what it did."""

    def test_no_fault_no_hole(self) -> None:
        """Not in a minute of traffic, and the book is carried all the time."""
        pool = self.pool()
        self.flow(pool, 60)
        pool.stop()
        for ticker in pool.tickers:
            self.assertEqual(self.holes(pool, ticker), [])
            self.assertEqual(pool.verdict(ticker).at(self.now(pool) - 20 * SECOND).state, State.COMPLETE)

    def test_a_gap_touches_the_books_of_its_connection_only(self) -> None:
        """From the last message in order to the market's own fresh snapshot, and nobody else has a hole."""
        pool = self.pool()
        before = self.now(pool)
        pool.exchange.faults.skip_seq(times=1, count=3)
        self.flow(pool, 5)
        pool.stop()
        (hit,) = {c for c in (4, 5) for ticker in self.on(pool, c) if self.holes(pool, ticker)}
        for ticker in pool.tickers:
            if pool.allocator.where(ticker) != hit:
                self.assertEqual(self.holes(pool, ticker), [])
                continue
            (hole,) = self.holes(pool, ticker)
            self.assertIn("messages missing", hole.why)
            self.assertTrue(before - SECOND <= hole.start <= hole.end <= before + SECOND, hole)

    def test_a_cut(self) -> None:
        """From the last message or ping before it to the snapshot of the next session."""
        pool = self.pool()
        cut = self.now(pool)
        pool.exchange.faults.cut(session=pool.session_of(4).id)
        self.flow(pool, 5)
        pool.stop()
        self.assertTrue(self.on(pool, 4))
        for ticker in self.on(pool, 4):
            (hole,) = self.holes(pool, ticker)
            self.assertIn("down:", hole.why)
            self.assertTrue(cut - SECOND <= hole.start <= cut < cut + SECOND <= hole.end <= cut + 2 * SECOND, hole)
        for ticker in self.on(pool, 5):
            self.assertEqual(self.holes(pool, ticker), [])

    def test_a_drain_costs_nothing(self) -> None:
        """A market leaves its connection once its book came on the other: nobody has a hole, nor a time without it."""
        pool = self.pool(books=2, markets=12, batch_size=2)
        before = self.on(pool, 4)
        pool.wire.latency = 0.05
        pool.manager.admin.drain(4, "somebody")
        self.flow(pool, 5)
        pool.stop()
        self.assertTrue(before)
        self.assertEqual(self.on(pool, 4), [])
        for ticker in pool.tickers:
            self.assertEqual(self.holes(pool, ticker), [])

    def test_a_dead_socket_was_dead_before_it_was_noticed(self) -> None:
        """Half-open: the hole begins with the last sign of life, up to `ping_timeout` before the cut."""
        pool = self.pool()
        dead = self.now(pool)
        pool.exchange.faults.half_open(session=pool.session_of(4).id)
        self.flow(pool, 40)
        (down,) = [r for r in self.markers(pool, "session_down") if r["conn_id"] == 4][:1]
        pool.stop()
        for ticker in self.on(pool, 4):
            (hole,) = self.holes(pool, ticker)
            self.assertTrue(dead - SECOND <= hole.start <= dead, hole)
            self.assertLess(hole.start, down["received_at"] - 15 * SECOND)

    def test_the_end_of_a_subscription(self) -> None:
        """Told with code 25 or by an `unsubscribed` nobody asked for; the socket stays."""
        for kind in ("terminate", "unsubscribed"):
            pool = self.pool()
            ended = self.now(pool)
            getattr(pool.exchange.faults, kind)(session=pool.session_of(5).id)
            self.flow(pool, 5)
            pool.stop()
            for ticker in self.on(pool, 5):
                (hole,) = self.holes(pool, ticker)
                self.assertIn("subscription ended", hole.why)
                self.assertTrue(ended <= hole.start < hole.end <= ended + 4 * SECOND, hole)

    def test_a_settled_market_is_not_a_hole(self) -> None:
        """It is carried no more, acknowledged or with the acknowledgement lost."""
        for lost in (0, 1):
            pool = self.pool()
            ticker = pool.tickers[0]
            pool.exchange.faults.lose_replies(times=lost)
            pool.exchange.settle_market(ticker)
            pool.remove([ticker])
            self.flow(pool, 30)
            pool.stop()
            verdict = pool.verdict(ticker)
            states = [interval.state for interval in verdict.intervals]
            self.assertEqual(states, [State.NOT_CARRIED, State.COMPLETE, State.NOT_CARRIED])
            self.assertLess(verdict.intervals[1].length, 5 * SECOND)

    def test_removed_while_the_socket_was_down(self) -> None:
        """The hole ends there: without a record of it, it would never end."""
        pool = self.pool()
        ticker = self.on(pool, 4)[0]
        pool.exchange.faults.refuse_upgrade(503, times=3)
        pool.exchange.faults.cut(session=pool.session_of(4).id)
        pool.step(2)
        removed = self.now(pool)
        pool.remove([ticker])
        self.flow(pool, 20)
        pool.stop()
        (hole,) = [i for i in pool.verdict(ticker).intervals if i.state is State.HOLE]
        self.assertEqual(hole.end, removed)

    def test_a_full_buffer(self) -> None:
        """From the first message that was lost; fresh books come by themselves once the disk keeps up."""
        pool = self.pool(buffer_messages=60)
        pool.threads.held = True
        stuck = self.now(pool)
        self.flow(pool, 4)
        self.assertGreater(pool.router.dropped, 0)
        pool.threads.release()
        self.flow(pool, 30)
        pool.stop()
        hit = [ticker for ticker in pool.tickers if self.holes(pool, ticker)]
        self.assertTrue(hit)
        for ticker in hit:
            (hole,) = self.holes(pool, ticker)
            self.assertIn("messages dropped here", hole.why)
            self.assertTrue(stuck <= hole.start <= stuck + 4 * SECOND, hole)
            self.assertTrue(hole.end <= stuck + 20 * SECOND, hole)
        for ticker in pool.tickers:
            self.assertEqual(pool.disproved(ticker)[0], [])

    def test_a_message_nobody_can_read(self) -> None:
        """Every book of its connection is suspect until fresh ones came, which are asked for."""
        pool = self.pool()
        pool.exchange.faults.garbage("binary", session=pool.session_of(4).id)
        self.flow(pool, 20)
        pool.stop()
        for ticker in self.on(pool, 4):
            (hole,) = self.holes(pool, ticker)
            self.assertIn("could not be read", hole.why)
        for ticker in self.on(pool, 5):
            self.assertEqual(self.holes(pool, ticker), [])

    def test_without_recovery_a_hole_stays_open(self) -> None:
        """With `on_gap = "log"` nobody asks for fresh books: the tool says so instead of guessing."""
        pool = self.pool(on_gap="log", books=1)
        pool.exchange.faults.skip_seq()
        self.flow(pool, 20)
        pool.stop()
        intervals = pool.verdict(pool.tickers[0]).intervals
        self.assertEqual([i.state.value for i in intervals], ["not_carried", "complete", "hole", "not_carried"])

    def markers(self, pool: CapturedPool, kind: str) -> list[dict[str, Any]]:
        """Records of a kind, as far as they are written."""
        pool.step(2)
        return [record for record in read_capture(pool.directory) if record.get("marker") == kind]


class StoryTests(FaultTestCase):
    """Everything at once, in an order drawn from a seed."""

    def test_complete_is_never_said_of_a_wrong_book(self) -> None:
        """Wherever the tool says complete, replaying the capture gives the exchange's own book; and once faults
        stop, every market is complete again."""
        claimed = probes = 0
        for seed in range(SEEDS):
            pool = self.story(random.Random(seed))
            for ticker in pool.tickers:
                wrong, count = pool.disproved(ticker)
                self.assertEqual(wrong, [], (seed, ticker))
                claimed, probes = claimed + count, probes + len(pool.truth)
                last = [i for i in pool.verdict(ticker).intervals if i.state is not State.NOT_CARRIED][-1]
                self.assertEqual(last.state, State.COMPLETE, (seed, ticker, last))
        self.assertGreater(claimed, probes // 3)
        self.assertLess(claimed, probes)

    def story(self, chance: random.Random) -> CapturedPool:
        """Forty turns of traffic and trouble, two minutes of peace, a clean stop."""
        pool = self.pool(buffer_messages=80)
        for _ in range(40):
            self.trouble(pool, chance)
            for _ in range(chance.randrange(1, 6)):
                pool.exchange.emit(chance.randrange(30))
                pool.step(chance.choice((0.1, 0.5, 2.0)))
            pool.threads.release()
            pool.step(0.01)
            pool.probe(pool.tickers)
        pool.add(pool.tickers)
        self.flow(pool, 120)
        pool.probe(pool.tickers)
        pool.stop()
        return pool

    def trouble(self, pool: CapturedPool, chance: random.Random) -> None:
        """One thing that goes wrong, or a change of mind."""
        faults, some = pool.exchange.faults, chance.sample(pool.tickers, 3)
        sessions = list(pool.exchange.sessions)
        match chance.randrange(13):
            case 0:
                faults.skip_seq(times=chance.randrange(1, 3), count=2)
            case 1:
                faults.cut(count=chance.randrange(1, 4))
            case 2:
                faults.half_open()
            case 3:
                faults.terminate(code=chance.choice((10, 25)))
            case 4:
                faults.unsubscribed()
            case 5:
                faults.lose_replies(times=2)
                pool.remove(some)
            case 6:
                faults.late_replies(times=2, seconds=7.0)
                pool.add(some)
            case 7:
                faults.error(chance.choice((11, 18, 27)), applied=chance.random() < 0.5)
                chance.choice((pool.remove, pool.add))(some)
            case 8:
                faults.garbage("binary", session=chance.choice(sessions)) if sessions else None
            case 9:
                pool.threads.held = True
            case 10:
                self.swallow(pool, chance)
            case 11:
                pool.remove(some)
                pool.add(some[:2])
            case _:
                pool.refresh(some)

    def swallow(self, pool: CapturedPool, chance: random.Random) -> None:
        """Messages of one session vanish, numbers and all, and the next ones reveal it. (Nothing can reveal it when
        the socket is cut before another message comes.)"""
        session = pool.session_of(chance.choice((4, 5)))
        if session is not None:
            send, session._send = session._send, lambda payload: None
            pool.exchange.emit(5)
            session._send = send
            pool.exchange.emit(60)
