"""Tests for `gatherer.core.balance`: equal numbers, equal rates, few moves, and no market that goes to and fro."""

from collections.abc import Iterator
from statistics import median

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.balance import HOT, MIN_DIFFERENCE, MIN_HOT_RATE, Balancer, Budget, Load, Move, MoveReason


class Pool:
    """Connections with markets of known rates; moves take effect at once."""

    def __init__(self, rates: dict[int, list[float]], capacity: int = 7_500) -> None:
        self.capacity = capacity
        self.markets = {
            conn_id: {f"M{conn_id}-{number}": rate for number, rate in enumerate(each)}
            for conn_id, each in rates.items()
        }
        self.moved: list[Move] = []

    def loads(self) -> list[Load]:
        """What the balancer sees."""
        return [Load(c, len(m), sum(m.values()), self.capacity) for c, m in self.markets.items()]

    def busiest(self, conn_id: int) -> Iterator[tuple[str, float]]:
        """Busiest first."""
        yield from sorted(self.markets[conn_id].items(), key=lambda each: -each[1])

    def quietest(self, conn_id: int) -> Iterator[str]:
        """Quietest first."""
        yield from sorted(self.markets[conn_id], key=self.markets[conn_id].__getitem__)

    def look(self, balancer: Balancer, budget: int) -> int:
        """One look; how many moves."""
        moves = balancer.moves(self.loads(), self.busiest, self.quietest, budget)
        for move in moves:
            self.markets[move.target][move.ticker] = self.markets[move.source].pop(move.ticker)
        self.moved += moves
        return len(moves)

    def settle(self, balancer: Balancer, budget: int = 100) -> None:
        """Looks until nothing moves."""
        for _ in range(1_000):
            if not self.look(balancer, budget):
                return
        raise AssertionError("it never comes to rest")


class CountTests(SynchronousTestCase):
    """Numbers of markets."""

    def test_an_empty_connection_gets_its_share(self) -> None:
        """After an outage one connection has everything: in the end all are within a tenth of the mean."""
        pool = Pool({7: [0.0] * 3_000} | {conn_id: [] for conn_id in range(8, 18)})
        pool.settle(Balancer(500))
        counts = [load.markets for load in pool.loads()]
        self.assertLessEqual(max(counts) - min(counts), 0.1 * sum(counts) / len(counts))
        self.assertEqual({move.reason for move in pool.moved}, {MoveReason.COUNT})

    def test_a_small_difference_is_left_alone(self) -> None:
        """Below the upper mark nothing moves."""
        pool = Pool({7: [0.0] * 100, 8: [0.0] * (100 - MIN_DIFFERENCE)})
        self.assertEqual(pool.look(Balancer(500), 100), 0)

    def test_it_goes_on_until_the_lower_mark(self) -> None:
        """Once begun, balancing does not stop at the upper mark: the next settled market would start it again."""
        pool = Pool({7: [0.0] * 300, 8: [0.0] * 100})
        pool.settle(Balancer(500), budget=1)
        self.assertLessEqual(abs(len(pool.markets[7]) - len(pool.markets[8])), 10)

    def test_the_budget_holds(self) -> None:
        """No look moves more than it may."""
        pool = Pool({7: [0.0] * 3_000, 8: []})
        self.assertEqual(pool.look(Balancer(500), 17), 17)
        self.assertEqual(pool.look(Balancer(500), 0), 0)

    def test_quiet_markets_move(self) -> None:
        """Moving a quiet market costs the least."""
        pool = Pool({7: [5.0, 0.0] * 50, 8: []})
        pool.look(Balancer(500), 30)
        self.assertEqual(sum(pool.markets[8].values()), 0.0)

    def test_capacity_holds(self) -> None:
        """A connection that is full gets nothing, also when it has fewer markets than others."""
        pool = Pool({7: [0.0] * 3_000, 8: [0.0] * 10, 9: []}, capacity=10)
        pool.settle(Balancer(500))
        self.assertEqual([len(pool.markets[conn_id]) for conn_id in (8, 9)], [10, 10])

    def test_one_connection_has_nobody_to_give_to(self) -> None:
        """Nothing happens without a second connection."""
        self.assertEqual(Pool({7: [0.0] * 100}).look(Balancer(500), 100), 0)
        self.assertEqual(Balancer(500).moves([], lambda _: [], lambda _: [], 100), [])


class RateTests(SynchronousTestCase):
    """Message rates."""

    def test_a_hot_connection_cools_down(self) -> None:
        """At five times the median it comes down to the mark, with few moves."""
        pool = Pool({conn_id: [1.0] * 200 for conn_id in range(8, 24)} | {7: [5.0] * 200})
        pool.settle(Balancer(500))
        rates = [load.rate for load in pool.loads()]
        self.assertLessEqual(max(rates), HOT * median(rates))
        self.assertLessEqual(len(pool.moved), 0.1 * 200 * 17)

    def test_a_single_giant_stays(self) -> None:
        """One market that is hotter than all others together is not passed on from one to the next."""
        pool = Pool({conn_id: [1.0] * 50 for conn_id in range(8, 12)} | {7: [1000.0] + [1.0] * 49})
        pool.settle(Balancer(500))
        self.assertIn("M7-0", pool.markets[7])

    def test_a_quiet_pool_is_left_alone(self) -> None:
        """Ten times next to nothing is still no burden."""
        pool = Pool({conn_id: [0.1] * 10 for conn_id in range(8, 12)} | {7: [1.0] * 10})
        self.assertLess(pool.loads()[-1].rate, MIN_HOT_RATE)
        self.assertEqual(pool.look(Balancer(500), 100), 0)

    def test_numbers_come_first(self) -> None:
        """While numbers differ, rates wait: the moves for numbers change them anyway."""
        pool = Pool({7: [5.0] * 1_000, 8: [0.1] * 10})
        balancer = Balancer(500)
        pool.look(balancer, 10)
        self.assertEqual({move.reason for move in pool.moved}, {MoveReason.COUNT})

    @given(
        st.dictionaries(
            st.integers(7, 20), st.lists(st.sampled_from([0.0, 0.1, 1.0, 30.0, 500.0]), max_size=60), min_size=2
        ),
        st.integers(1, 50),
    )
    def test_it_comes_to_rest(self, rates: dict[int, list[float]], budget: int) -> None:
        """From any start: no market is lost, none is moved by rate twice in a row, and the moves end."""
        pool = Pool(rates)
        before = sorted(ticker for markets in pool.markets.values() for ticker in markets)
        pool.settle(Balancer(500), budget)
        self.assertEqual(sorted(ticker for markets in pool.markets.values() for ticker in markets), before)
        self.assertLessEqual(len(pool.moved), 4 * len(before) + 1)


class BudgetTests(SynchronousTestCase):
    """Budget."""

    def test_a_share_a_minute(self) -> None:
        """With 0.05 a minute a pool of 1,200 markets may move one a second, and saves up 60 at most."""
        budget = Budget(0.05, 100.0)
        self.assertEqual(budget.refill(1_200, 110.0), 10)
        budget.spend(10)
        self.assertEqual(budget.refill(1_200, 110.5), 0)
        self.assertEqual(budget.refill(1_200, 10_000.0), 60)

    def test_few_markets_may_move_too(self) -> None:
        """A share of three markets is less than one: one a minute is allowed all the same."""
        budget = Budget(0.05, 0.0)
        self.assertEqual(budget.refill(3, 60.0), 1)

    def test_zero_turns_it_off(self) -> None:
        """A share of 0 allows nothing, ever."""
        self.assertEqual(Budget(0.0, 0.0).refill(1_000_000, 1e9), 0)
