"""Ten minutes of figures, rates, and what changed: pure, so over whatever figures Hypothesis finds."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.ops.web.event_log import MAX_SINGLE, changes
from gatherer.ops.web.trends import COLUMNS, MAX_SAMPLES, History, Rates, Totals, totals
from tests.ops.support import StubManager, StubRouter, connection, connection_status, pool_status, router_status

counts = st.integers(0, 10**12)
figures = st.builds(Totals, counts, counts, counts, counts, counts, counts, counts)
moments = st.floats(0, 2e9)


def still(messages: int = 0, gaps: int = 0) -> Totals:
    """Nothing but these."""
    return Totals(messages, 0, gaps, 0, 0, 0, 0)


class HistoryTests(SynchronousTestCase):
    """The ring."""

    def test_a_sample_is_what_happened_since_the_one_before(self) -> None:
        """Rates are per second, whatever the distance of two samples; gaps are counted, not divided."""
        history = History()
        history.note(100.0, still())
        history.note(102.0, still(messages=50, gaps=1))
        history.note(106.0, still(messages=150, gaps=4))
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in history.rows()]
        self.assertEqual([row["messages"] for row in rows], [25.0, 25.0])
        self.assertEqual([row["gaps"] for row in rows], [1, 3])
        self.assertEqual(history.latest(), history.rows()[-1])

    def test_the_first_look_is_no_sample(self) -> None:
        """What was received before anybody looked is no rate."""
        history = History()
        history.note(100.0, still(messages=10**9))
        self.assertIsNone(history.latest())

    def test_no_rate_over_next_to_nothing(self) -> None:
        """Two looks in the same moment are one: nothing infinite, and what came in between is not lost."""
        history = History()
        history.note(0.0, still())
        history.note(5e-324, still(messages=1))
        history.note(2.0, still(messages=2))
        self.assertEqual([row[1] for row in history.rows()], [1.0])

    @given(st.lists(st.tuples(moments, figures), max_size=8))
    def test_it_holds_whatever_the_clock_does(self, looks: list[tuple[float, Totals]]) -> None:
        """A clock that stands still or steps back makes no negative, infinite or missing number."""
        history = History()
        for now, what in looks:
            history.note(now, what)
        for row in history.rows():
            self.assertEqual(len(row), len(COLUMNS))
            self.assertTrue(all(number >= 0 for number in row), row)
        json.dumps(history.rows(), allow_nan=False)

    def test_it_forgets(self) -> None:
        """However long it runs, it keeps as much as ten minutes are."""
        history = History()
        for second in range(MAX_SAMPLES + 50):
            history.note(float(second), still(messages=second))
        self.assertEqual(len(history.rows()), MAX_SAMPLES)
        self.assertEqual(history.rows()[0][0], 50.0)

    def test_missing_are_markets_without_a_book(self) -> None:
        """Wanted and not held, or held and the book is due: both are missing; more held than wanted is not."""
        manager, router = StubManager().figures, StubRouter().figures
        for change, missing in (({}, 1), ({"owed": 10}, 11), ({"held": 500}, 0)):
            self.assertEqual(totals(pool_status({**manager, **change}), router_status(router)).missing, missing)


class RatesTests(SynchronousTestCase):
    """Messages a second of each connection."""

    def test_a_steady_flow_has_its_rate(self) -> None:
        """30 messages in two seconds, again and again, are 15 a second."""
        rates = Rates()
        for step in range(20):
            rates.note(step * 2.0, [connection_status(connection(1, "ticker", received=30 * step))])
        self.assertAlmostEqual(rates.of(1), 15.0)

    def test_silence_falls_to_nothing(self) -> None:
        """Half a minute after the last message the rate is next to zero, but it does not jump there."""
        rates = Rates()
        for second in range(10):
            rates.note(float(second), [connection_status(connection(1, "ticker", received=100 * second))])
        rates.note(10.0, [connection_status(connection(1, "ticker", received=900))])
        self.assertTrue(50 < rates.of(1) < 100, rates.of(1))
        for second in range(11, 40):
            rates.note(float(second), [connection_status(connection(1, "ticker", received=900))])
        self.assertLess(rates.of(1), 0.1)

    @given(st.lists(st.tuples(moments, counts), max_size=12))
    def test_no_clock_makes_it_negative(self, looks: list[tuple[float, int]]) -> None:
        """Whatever the clock does, a rate is a finite number and not below zero."""
        rates = Rates()
        for now, received in looks:
            rates.note(now, [connection_status(connection(1, "ticker", received=received))])
        self.assertTrue(0 <= rates.of(1) < float("inf"))


class ChangesTests(SynchronousTestCase):
    """Two looks at the pool."""

    def compare(self, before: list[dict[str, object]], after: list[dict[str, object]]) -> list[tuple[object, ...]]:
        """The changes found."""
        figures = StubManager().figures
        statuses = (pool_status({**figures, "connections": each}) for each in (before, after))
        return list(changes(*statuses))

    def test_nothing_changed(self) -> None:
        """Messages alone are no event."""
        self.assertEqual(self.compare([connection(7, "trade")], [connection(7, "trade", received=99)]), [])

    def test_a_connection_comes_back(self) -> None:
        """It is an event when it is live again, with its id; the loss has a line of the log."""
        down = [connection(7, "trade", state="backoff")]
        up = [connection(7, "trade")]
        self.assertEqual(self.compare(down, up), [("info", "trade-7 is live again", 7)])
        self.assertEqual(self.compare(up, down), [])
        self.assertEqual(self.compare(down, [connection(7, "trade", reconnects=0)])[0][1], "trade-7 is live")

    def test_every_gap_is_an_event(self) -> None:
        """Each look that finds a gap says where and how much is missing."""
        before = [connection(7, "orderbook_delta", gaps=1, skipped=3)]
        after = [connection(7, "orderbook_delta", gaps=2, skipped=4)]
        found = self.compare(before, after)
        self.assertEqual(found, [("warn", "orderbook_delta-7: 1 gap, 1 message missing", 7)])

    def test_many_at_once_are_one(self) -> None:
        """150 connections that come up in one second are one event; a few are described one by one."""
        for count, expected in ((MAX_SINGLE, MAX_SINGLE), (MAX_SINGLE + 1, 1), (150, 1)):
            down = [connection(i, "ticker", state="dialing") for i in range(count)]
            self.assertEqual(len(self.compare(down, [connection(i, "ticker") for i in range(count)])), expected)
