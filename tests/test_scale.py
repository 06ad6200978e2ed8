"""What makes a million markets possible, shown with some thousands, and checks of the benchmarks themselves."""

import gc
import tracemalloc
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from benchmarks.report import DEARER, RATIOS, ROWS, table
from benchmarks.rig import Rig
from benchmarks.scale import compare, tickers
from benchmarks.standins import BenchClient, BenchRest, LeanSession, NullRouter
from benchmarks.turns import Longest, TurnReactor
from gatherer.core.backoff import Backoff
from gatherer.core.subscriptions.book_planner import BookPlanner
from gatherer.exchange.interfaces import IWebSocketClient
from gatherer.interfaces import IExchangeRest, IMessageRouter
from tests.support.pool import Pool


def filled(markets: int, books: int = 4) -> Rig:
    """A gatherer that holds this number of markets."""
    rig = Rig(lambda: tickers(markets), None, books)
    rig.open()
    rig.walk()
    rig.quiet()
    return rig


class SizeTests(SynchronousTestCase):
    """The cost of a market. The real figures are those of benchmarks.scale."""

    def test_a_market_is_nothing_to_the_garbage_collector(self) -> None:
        """At rest no container that the collector tracks has a market in it: a million would take 400 ms."""
        rig = filled(3_000)
        gc.collect()
        containers = [known for known in gc.get_objects() if isinstance(known, dict | list | set | tuple)]
        texts = ((known, each) for known in containers for each in known if isinstance(each, str))
        found = [known for known, text in texts if text.startswith("KXBENCH")]
        self.assertEqual([type(known) for known in found], [])
        self.assertEqual(len(rig.registry.active()), 3_000)
        rig.close()

    def test_bytes(self) -> None:
        """Registry, allocator, wanted and held together take at most 400 bytes a market, its ticker included."""
        rig = Rig(lambda: tickers(8_000), None, 2)
        rig.open()
        tracemalloc.start()
        try:
            rig.walk()
            rig.quiet()
            gc.collect()
            size = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        self.assertLess(size / 8_000, 400)
        rig.close()

    def test_a_plan_gives_back_what_it_queued(self) -> None:
        """Once the last market is asked for, the queue of a session takes no memory."""
        plan = BookPlanner(dict.fromkeys(tickers(7_500)).keys(), 500, 30.0, Backoff(1.0, 60.0, 2.0, 0.0, lambda: 0.5))
        full = plan._to_add.__sizeof__()
        while (command := plan.next_command(0.0)) is not None:
            plan.acknowledged(1, 0.0)
            for ticker in command.tickers:
                plan.snapshot(ticker, 1)
        self.assertEqual(len(plan.held), 7_500)
        self.assertLess(plan._to_add.__sizeof__(), full / 100)

    def test_first_to_wait_is_first_to_be_placed(self) -> None:
        """Markets that wait for room get it in their order of arrival."""
        pool = Pool(books=1, markets=10, capacity=4).start()
        pool.add(pool.tickers)
        for leaving, coming in zip(pool.tickers[:4], pool.tickers[4:8], strict=True):
            pool.remove([leaving])
            self.assertIn(coming, pool.manager.connections()[-1].wanted)
        self.assertEqual(pool.manager.status().unplaced, 2)
        pool.step(5)
        pool.stop()


class RigTests(SynchronousTestCase):
    """The gatherer of the benchmarks is the real one, and its exchange answers."""

    def test_everything_is_held_once(self) -> None:
        """The lean exchange holds each market once, evenly spread, and again after a cut."""
        rig = filled(3_000)
        self.assertEqual([self._held(rig, book) for book in rig.books], [750] * 4)
        self.assertEqual(rig.router.received, 3_000)
        rig.clients[rig.books[0].conn_id].lose("cut")
        self.assertFalse(rig.books[0].is_live)
        rig.reactor.run_until(lambda: bool(rig.books[0].is_live))
        rig.quiet()
        self.assertEqual(self._held(rig, rig.books[0]), 750)
        rig.close()

    def test_a_whole_run(self) -> None:
        """Two small runs fill every row of their table, with the ratios."""
        self.addCleanup(gc.unfreeze)
        told = table(compare([8_000, 12_000]))
        rows = [row.text for row in ROWS if row.kind == "lean"]
        self.assertEqual([text for text in (*rows, "remove_decision: ") if text not in told], [])

    @staticmethod
    def _held(rig: Rig, book: Any) -> int:
        session = rig.clients[book.conn_id].session
        assert isinstance(session, LeanSession)
        return session.held


class StandInTests(SynchronousTestCase):
    """The fakes keep the contracts of the real parts."""

    def test_contracts(self) -> None:
        """They have every method, with its arguments."""
        rig = Rig(lambda: tickers(0), None, 1)
        verifyObject(IWebSocketClient, next(iter(rig.clients.values())))
        verifyObject(IExchangeRest, BenchRest(lambda: tickers(0), rig.reactor))
        verifyObject(IMessageRouter, NullRouter())
        self.assertIsInstance(next(iter(rig.clients.values())), BenchClient)


class TurnReactorTests(SynchronousTestCase):
    """The clock of the benchmarks."""

    def test_what_is_outside_takes_no_time(self) -> None:
        """The work of the other end counts neither on the clock nor in the length of a turn."""
        reactor = TurnReactor(100.0)

        def callback() -> None:
            with reactor.outside(), reactor.outside():
                sum(range(3_000_000))

        reactor.callLater(0, callback)
        reactor.run_dry()
        self.assertLess(reactor.turns.seconds, 0.02)
        self.assertLess(reactor.seconds() - 100.0, 0.05)

    def test_waits_are_jumped_over(self) -> None:
        """An hour until the next timer takes no time, but is an hour of the clock."""
        reactor = TurnReactor(100.0)
        called: list[float] = []
        reactor.callLater(3600.0, lambda: called.append(reactor.seconds()))
        reactor.run_until(lambda: bool(called), timeout=4000.0)
        self.assertTrue(3700.0 <= called[0] < 3701.0, called)

    def test_work_takes_time(self) -> None:
        """A callback's own work is in the turn, and the longest one has a name."""
        reactor = TurnReactor(0.0)
        reactor.callLater(0, sum, range(3_000_000))
        reactor.run_dry()
        self.assertGreater(reactor.turns.seconds, 0.005)
        self.assertIn("sum", str(reactor.callbacks))

    def test_what_never_happens_is_told(self) -> None:
        """A condition that stays false for too long is an error, not an endless run."""
        reactor = TurnReactor(0.0)

        def again() -> None:
            reactor.callLater(1.0, again)

        again()
        self.assertRaises(TimeoutError, reactor.run_until, lambda: False, 10.0)

    def test_longest(self) -> None:
        """The longest is kept until it is forgotten."""
        longest = Longest()
        for seconds, name in ((0.001, "a"), (0.003, "b"), (0.002, "c")):
            longest.note(seconds, name)
        self.assertEqual((longest.seconds, str(longest)), (0.003, "3.0 ms (b, no. 2 of 3)"))
        longest.reset()
        self.assertEqual((longest.seconds, longest.count), (0.0, 0))


class ReportTests(SynchronousTestCase):
    """The table shows whether the targets are met."""

    def results(self, kind: str, **figures: float) -> list[dict[str, Any]]:
        """Two sizes with the same figures."""
        return [{"size": size, "exchange": kind, **figures} for size in (10, 20)]

    def test_missed_targets_are_marked(self) -> None:
        """A figure above its target is marked. A figure at the target is not."""
        figures = dict.fromkeys((f"{key}_{unit}" for key in _KEYS for unit in _UNITS), 100.0)
        met, missed = (
            table(self.results("simulator", **figures | {"longest_turn_ms": value})) for value in (100.0, 101.0)
        )
        self.assertEqual((met.count("missed"), missed.count("missed")), (2 * 1, 2 * 2))

    def test_ratios(self) -> None:
        """Single changes that cost too much at the largest size, compared with the smallest, are marked."""
        results = self.results("lean", **dict.fromkeys(RATIOS, 10.0), crowd_ms=1.0, crowd_held_ms=1.0)
        self.assertNotIn("missed", table(results))
        results[1]["add_us"] = 10.0 * DEARER + 0.1
        self.assertIn("add: 1.31 (missed)", table(results))


_KEYS = (
    "wanted_cpu", "held_cpu", "longest_turn", "longest_callback", "bytes", "reconnect", "reconnect_cpu", "status",
    "reconcile_cpu", "reconcile_turn",
)  # fmt: skip
_UNITS = ("seconds", "ms", "market", "total", "markets")
