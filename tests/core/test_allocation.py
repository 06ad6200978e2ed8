"""Tests for `gatherer.core.allocation`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.core.allocation import LeastLoaded
from gatherer.errors import NoCapacity
from gatherer.interfaces import IAllocator

steps = st.lists(
    st.one_of(
        st.tuples(st.just("assign"), st.integers(0, 30)),
        st.tuples(st.just("release"), st.integers(0, 30)),
        st.tuples(st.sampled_from(["up", "down"]), st.integers(7, 10)),
        st.tuples(st.just("limit"), st.integers(7, 10)),
    ),
    max_size=120,
)


class LeastLoadedTests(SynchronousTestCase):
    """Where a market goes."""

    def test_it_is_an_allocator(self) -> None:
        """The contract holds."""
        verifyObject(IAllocator, LeastLoaded([7, 8], 10))

    def test_markets_go_round(self) -> None:
        """Ties go to the lowest id, so the first markets get one connection each."""
        allocator = LeastLoaded([9, 7, 8], 10)
        self.assertEqual([allocator.assign(f"M{n}") for n in range(6)], [7, 8, 9, 7, 8, 9])

    def test_a_market_keeps_its_place(self) -> None:
        """A market that is assigned twice stays on its connection and counts once."""
        allocator = LeastLoaded([7, 8], 10)
        self.assertEqual([allocator.assign("A"), allocator.assign("A")], [7, 7])
        self.assertEqual(allocator.load(7), 1)

    def test_the_freed_place_is_taken_first(self) -> None:
        """A release makes its connection the least loaded."""
        allocator = LeastLoaded([7, 8], 10)
        for ticker in "ABCD":
            allocator.assign(ticker)
        self.assertEqual(allocator.release("B"), 8)
        self.assertEqual(allocator.assign("E"), 8)

    def test_full_is_said_and_heals(self) -> None:
        """Without room there is an error; a release makes room again."""
        allocator = LeastLoaded([7], 1)
        allocator.assign("A")
        self.assertRaises(NoCapacity, allocator.assign, "B")
        allocator.release("A")
        self.assertEqual(allocator.assign("B"), 7)

    def test_a_connection_that_is_away_gets_nothing_new(self) -> None:
        """Its markets stay; new markets go to others until it is available again."""
        allocator = LeastLoaded([7, 8], 10)
        allocator.assign("A")
        allocator.set_available(7, False)
        self.assertEqual([allocator.assign("B"), allocator.assign("C")], [8, 8])
        self.assertEqual(allocator.where("A"), 7)
        allocator.set_available(7, True)
        self.assertEqual(allocator.assign("D"), 7)

    @given(steps)
    def test_it_does_what_a_plain_search_does(self, script: list[tuple[str, int]]) -> None:
        """After any history an assignment goes where a search over all connections would put it."""
        allocator = LeastLoaded(range(7, 11), 6)
        where: dict[str, int] = {}
        capacity, up = dict.fromkeys(range(7, 11), 6), dict.fromkeys(range(7, 11), True)
        for verb, number in script:
            if verb == "assign":
                self.check_assign(allocator, where, capacity, up, f"M{number}")
            elif verb == "release":
                self.assertEqual(allocator.release(f"M{number}"), where.pop(f"M{number}", None))
            elif verb == "limit":
                capacity[number] = 3
                allocator.set_capacity(number, 3)
            else:
                up[number] = verb == "up"
                allocator.set_available(number, up[number])
        self.assertEqual(len(allocator), len(where))

    def check_assign(
        self, allocator: LeastLoaded, where: dict[str, int], capacity: dict[int, int], up: dict[int, bool], ticker: str
    ) -> None:
        loads = {conn_id: sum(1 for c in where.values() if c == conn_id) for conn_id in capacity}
        room = [(loads[c], c) for c in capacity if up[c] and loads[c] < capacity[c]]
        if ticker in where:
            self.assertEqual(allocator.assign(ticker), where[ticker])
        elif not room:
            self.assertRaises(NoCapacity, allocator.assign, ticker)
        else:
            where[ticker] = min(room)[1]
            self.assertEqual(allocator.assign(ticker), where[ticker])
