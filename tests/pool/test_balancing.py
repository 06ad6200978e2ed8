"""Tests for `gatherer.pool`: after any outage, and with any message rates, the connections end up equally busy."""

from random import Random
from statistics import median

from gatherer.core.balance import MIN_DIFFERENCE, MoveReason
from gatherer.pool.handovers import MAX_MOVE_SECONDS
from gatherer.pool.placement import CHUNK
from tests.pool.test_manager import PoolTestCase
from tests.support.pool import Pool

FIRST = 4
"""Id of the first order book connection in the small plans here: three others come before."""


class BalancingTestCase(PoolTestCase):
    """Pools with a balancer."""

    def full(self, books: int, markets: int, **options: float) -> Pool:
        """A pool that holds everything."""
        pool = self.pool(books=books, markets=markets, **options)
        pool.add(pool.tickers)
        pool.step(2)
        self.assert_converged(pool, pool.tickers)
        return pool

    def loads(self, pool: Pool) -> list[int]:
        """How many markets each order book connection is to carry."""
        return [pool.allocator.load(each.conn_id) for each in pool.manager.connections()[FIRST - 1 :]]

    def assert_even(self, pool: Pool) -> None:
        """The numbers of markets differ by a tenth of the mean at most."""
        loads = self.loads(pool)
        allowed = max(MIN_DIFFERENCE, round(0.1 * sum(loads) / len(loads)))
        self.assertLessEqual(max(loads) - min(loads), allowed, loads)


class NumberTests(BalancingTestCase):
    """Numbers of markets."""

    def test_a_connection_that_was_away_gets_its_share(self) -> None:
        """One that was drained and comes back does not stay empty, and no market lacks a book on the way."""
        pool = self.full(books=3, markets=300, balance_share=0.5)
        pool.manager.admin.drain(FIRST, "test")
        pool.step(2)
        pool.manager.admin.undrain(FIRST, "test")
        self.assertEqual(self.loads(pool)[0], 0)
        pool.step(120)
        self.assert_even(pool)
        self.assert_converged(pool, pool.tickers)
        self.assertEqual(pool.markers("gap"), [])
        moved = next(t for t in pool.tickers if pool.manager.explain(t)["connection"]["conn_id"] == FIRST)
        self.assertEqual(pool.manager.explain(moved)["why_there"], "to even out the numbers of markets")
        self.assertGreater(pool.manager.status().moves["count"], 50)

    def test_two_hours_of_outage(self) -> None:
        """All sockets are refused for two hours: no market moves meanwhile, and all are back where they were."""
        pool = self.full(books=12, markets=240, rehome_after=120.0, balance_share=0.05)
        before = self.loads(pool)
        pool.exchange.faults.refuse_upgrade(503, times=100_000)
        pool.exchange.faults.cut(100)
        pool.step(7_200)
        self.assertEqual(pool.manager.status().healthy, 0)
        pool.exchange.faults.clear()
        pool.step(600)
        self.assertEqual(self.loads(pool), before)
        self.assert_converged(pool, pool.tickers)

    def test_markets_that_waited_are_spread(self) -> None:
        """Markets that were added while nothing was up do not all go to the first connection that is back."""
        pool = self.full(books=8, markets=8, balance_share=0.05)
        pool.exchange.faults.refuse_upgrade(503, times=100_000)
        pool.exchange.faults.cut(100)
        pool.step(60)
        new = [pool.exchange.create_market() for _ in range(400)]
        pool.add(new)
        self.assertEqual(pool.manager.status().unplaced, 400)
        pool.exchange.faults.clear()
        for _ in range(100):
            pool.step(1)
            self.assertLessEqual(max(self.loads(pool)), 80, self.loads(pool))
        self.assertEqual(pool.manager.status().unplaced, 0)

    def test_the_rest_of_a_pool_takes_them_all(self) -> None:
        """When the others stay down, those that are up take the waiting markets after half a minute."""
        pool = self.pool(books=4, markets=4)
        pool.manager.admin.drain(FIRST + 3, "test")
        pool.exchange.faults.cut(100)
        pool.exchange.faults.refuse_upgrade(503, times=100_000)
        pool.step(5)
        pool.add([pool.exchange.create_market() for _ in range(200)])
        pool.exchange.faults.clear()
        pool.step(900)
        self.assertEqual(pool.manager.status().unplaced, 0)
        self.assertEqual(self.loads(pool)[3], 0)

    def test_a_third_of_the_pool_may_be_down(self) -> None:
        """Markets of one connection that stays down move; when half the pool is down, none does."""
        pool = self.full(books=6, markets=60, rehome_after=60.0)
        for conn_id in (FIRST, FIRST + 1, FIRST + 2):
            pool.exchange.faults.cut(session=pool.session_of(conn_id).id)
        pool.exchange.faults.refuse_upgrade(503, times=30)
        pool.step(130)
        self.assertEqual(self.loads(pool), [10] * 6)

    def test_no_turn_moves_more_than_a_chunk(self) -> None:
        """A connection with many markets is emptied in chunks, one in a turn."""
        pool = self.full(books=3, markets=6 * CHUNK, rehome_after=60.0)
        pool.exchange.faults.cut(session=pool.session_of(FIRST).id)
        pool.exchange.faults.refuse_upgrade(503, times=100)
        pool.step(59.5)
        placement, sizes = pool.manager._placement, []
        work = placement._work_on

        def watched() -> None:
            before = pool.allocator.load(FIRST)
            work()
            sizes.append(before - pool.allocator.load(FIRST))

        self.patch(placement, "_work_on", watched)
        pool.step(5)
        self.assertEqual((sum(sizes), max(sizes)), (2 * CHUNK, CHUNK))

    def test_a_share_of_zero_turns_it_off(self) -> None:
        """Nothing moves, and no timer runs for it."""
        pool = self.full(books=3, markets=60)
        pool.manager.admin.drain(FIRST, "test")
        pool.step(2)
        pool.manager.admin.undrain(FIRST, "test")
        pool.step(600)
        self.assertEqual(self.loads(pool)[0], 0)

    def test_a_pause_holds_it_back(self) -> None:
        """While an operator holds back the commands nothing moves."""
        pool = self.full(books=3, markets=60, balance_share=0.5)
        pool.manager.admin.drain(FIRST, "test")
        pool.step(2)
        pool.manager.admin.undrain(FIRST, "test")
        pool.manager.admin.pause("test")
        pool.step(300)
        self.assertEqual(self.loads(pool)[0], 0)
        pool.manager.admin.resume("test")
        pool.step(300)
        self.assert_even(pool)


class MoveTests(BalancingTestCase):
    """Single moves."""

    def test_a_move_without_a_book_ends(self) -> None:
        """The new connection acknowledges and sends no book: after a minute the market is where it was."""
        pool = self.full(books=3, markets=30)
        ticker = pool.tickers[0]
        source = next(each for each in pool.manager.connections() if each.conn_id == pool.allocator.where(ticker))
        target = FIRST + 1 if source.conn_id == FIRST else FIRST
        pool.exchange.settle_market(ticker)  # the exchange sends no book of it any more, and we have missed why
        pool.manager._placement.move(ticker, source, target, MoveReason.COUNT)
        pool.step(MAX_MOVE_SECONDS + 5)
        self.assertEqual(pool.allocator.where(ticker), source.conn_id)
        self.assertEqual(pool.manager.status().moving, 0)
        self.assertIn("no book came", pool.manager.explain(ticker)["why_there"])
        self.assertTrue(source.has_book(ticker))


class RateTests(BalancingTestCase):
    """Message rates."""

    def test_a_hot_connection_cools_down(self) -> None:
        """Five times the median comes down to 1.6 times within 120 s, with a tenth of the markets moved at most."""
        pool = self.full(books=10, markets=1_000, balance_share=0.05)
        hot = [t for t in pool.tickers if pool.allocator.where(t) == FIRST]
        others = [t for t in pool.tickers if pool.allocator.where(t) != FIRST]
        random = Random(3)

        def second() -> None:
            for _ in range(500):
                pool.exchange.change_book(random.choice(hot))
            for _ in range(900):
                pool.exchange.change_book(random.choice(others))
            pool.step(1)

        for _ in range(120):
            second()
        books = pool.manager.connections()[FIRST - 1 :]
        before = [each.changes() for each in books]
        for _ in range(20):
            second()
        rates = [each.changes() - then for each, then in zip(books, before, strict=True)]
        self.assertLessEqual(max(rates), 1.6 * median(rates), rates)
        self.assertLessEqual(
            sum(pool.manager.status().moves.values()), 100, (pool.manager.status().moves, rates, self.loads(pool))
        )
