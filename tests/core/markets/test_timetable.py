"""Due times: none is early, none is lost, and moved ones can be skipped."""

import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.markets import timetable as timetable_module
from gatherer.core.markets.timetable import Moment, Timetable


class TimetableTests(SynchronousTestCase):
    """The behaviour of `Timetable`."""

    def test_same_second_is_noted_once(self) -> None:
        """A market that is scheduled a thousand times for the same second is noted once."""
        timetable, moment = Timetable(), None
        for _ in range(1000):
            moment = timetable.schedule("A", 99.5, moment)
        self.assertEqual(timetable.take(100.0, 5000), [("A", {})])

    def test_never_early(self) -> None:
        """A due time between two seconds is taken at the second one."""
        timetable = Timetable()
        timetable.schedule("A", 99.5, None)
        self.assertEqual((timetable.take(99.9, 10), timetable.next_due()), ([], 100.0))

    def test_limit_leaves_the_rest_due(self) -> None:
        """Tickers above the limit of one call stay due, and none is taken twice."""
        timetable = Timetable()
        for number in range(25):
            timetable.schedule(str(number), float(number % 3), None)
        taken = []
        while (due := timetable.next_due()) is not None:
            self.assertLessEqual(due, 5.0)
            taken.append([ticker for ticker, _ in timetable.take(5.0, 10)])
        self.assertEqual([len(chunk) for chunk in taken], [10, 10, 5])
        self.assertEqual({ticker for chunk in taken for ticker in chunk}, {str(number) for number in range(25)})

    def test_emptied_seconds_are_not_kept(self) -> None:
        """Markets that leave a closing time a year ahead, each another second, leave nothing behind."""
        timetable = Timetable()
        for number in range(20_000):
            far = timetable.schedule(f"M{number}", 31e6 + number, None)
            timetable.schedule(f"M{number}", 3600.0, far)
        self.assertLess(len(timetable._moments), 1100)
        self.assertEqual(len(timetable._heap), len(timetable._moments))

    def test_large_second_gives_its_memory_back(self) -> None:
        """A second that ten thousand markets left early does not keep their room until it comes."""
        timetable = Timetable()
        moments = [(f"M{number}", timetable.schedule(f"M{number}", 31e6, None)) for number in range(10_000)]
        for ticker, moment in moments:
            timetable.schedule(ticker, 3600.0, moment)
        self.assertLess(sys.getsizeof(moments[0][1]), 100)

    @given(
        st.sampled_from((0, 1, 1000)),
        st.lists(st.tuples(st.sampled_from("ABCD"), st.floats(0, 50)), max_size=40),
        st.floats(0, 60),
    )
    def test_last_schedule_counts(self, least: int, moves: list[tuple[str, float]], now: float) -> None:
        """With the newest `Moment` each ticker is seen once, and only when its last due time has come."""
        self.patch(timetable_module, "MIN_EMPTIED", least)
        timetable = Timetable()
        due: dict[str, float] = {}
        moments: dict[str, Moment] = {}
        for ticker, when in moves:
            moments[ticker] = timetable.schedule(ticker, when, moments.get(ticker))
            due[ticker] = when
        seen = []
        for ticker, moment in timetable.take(now, 1000):
            if moments.get(ticker) is moment:
                seen.append(ticker)
                del moments[ticker]
        self.assertEqual(sorted(seen), sorted(t for t, when in due.items() if -(-when // 1) <= now))
