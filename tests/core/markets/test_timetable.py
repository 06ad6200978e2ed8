"""Due times: none is early, none is lost, and moved ones can be skipped."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

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

    @given(st.lists(st.tuples(st.sampled_from("ABCD"), st.floats(0, 50)), max_size=40), st.floats(0, 60))
    def test_last_schedule_counts(self, moves: list[tuple[str, float]], now: float) -> None:
        """With the newest `Moment` each ticker is seen once, and only when its last due time has come."""
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
