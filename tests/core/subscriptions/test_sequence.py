"""Tests for `gatherer.core.subscriptions.sequence`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.subscriptions.sequence import MAX_KEPT, GapLog, SequenceTracker

EVENTS = st.lists(st.tuples(st.sampled_from(["opened", "recovered", "over"]), st.integers(1, 3)), max_size=300)


class SequenceTrackerTests(SynchronousTestCase):
    """Gaps of each sid."""

    def test_gap_is_reported_once(self) -> None:
        """The message after a gap reveals it; the next one is in order."""
        tracker = SequenceTracker()
        self.assertEqual([tracker.observe(1, seq) for seq in (1, 2, 6, 7)], [0, 0, 3, 0])
        self.assertEqual(tracker.gaps, 1)

    def test_a_sid_must_start_at_one(self) -> None:
        """A higher first number means that messages were lost before it."""
        self.assertEqual(SequenceTracker().observe(1, 4), 3)

    def test_sids_do_not_talk_to_each_other(self) -> None:
        """Two subscriptions have separate numbers."""
        tracker = SequenceTracker()
        self.assertEqual([tracker.observe(*pair) for pair in ((1, 1), (2, 1), (1, 2), (2, 2))], [0, 0, 0, 0])

    def test_repeats_are_not_gaps(self) -> None:
        """A repeated or lower number is counted as a repeat and changes nothing."""
        tracker = SequenceTracker()
        self.assertEqual([tracker.observe(1, seq) for seq in (1, 2, 2, 1, 3)], [0, 0, 0, 0, 0])
        self.assertEqual((tracker.gaps, tracker.repeats), (0, 2))

    def test_a_forgotten_sid_starts_anew(self) -> None:
        """Numbers that start again after the end of a subscription are not a gap."""
        tracker = SequenceTracker()
        tracker.observe(1, 1)
        tracker.forget(1)
        self.assertEqual((tracker.observe(1, 1), tracker.last(1)), (0, 1))

    @given(st.lists(st.integers(1, 20), max_size=40))
    def test_gaps_add_up_to_what_is_missing(self, numbers: list[int]) -> None:
        """Sizes are never negative. Their sum is the count of numbers below the highest that did not come in order."""
        tracker = SequenceTracker()
        sizes = [tracker.observe(1, seq) for seq in numbers]
        self.assertTrue(all(size >= 0 for size in sizes))
        risen = [seq for index, seq in enumerate(numbers) if seq > max(numbers[:index], default=0)]
        self.assertEqual(sum(sizes), max(numbers, default=0) - len(risen))

    @given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(0, 5))
    def test_a_run_is_what_observing_each_would_make_of_it(self, numbers: list[int], before: int) -> None:
        """A list is taken at once only if every number is in order, with the same result as one by one."""
        one_by_one, at_once = SequenceTracker(), SequenceTracker()
        for seq in range(1, before + 1):
            one_by_one.observe(1, seq)
            at_once.observe(1, seq)
        in_order = [one_by_one.observe(1, seq) for seq in numbers] == [0] * len(numbers) and not one_by_one.repeats
        self.assertEqual(at_once.advance(1, numbers), in_order)
        self.assertEqual(at_once.last(1), one_by_one.last(1) if in_order else before)
        self.assertEqual((at_once.gaps, at_once.repeats), (0, 0))


class GapLogTests(SynchronousTestCase):
    """The latest gaps of a connection."""

    def test_what_becomes_of_a_gap(self) -> None:
        """A gap waits, then it is recovered or over, and later events do not change it."""
        log = GapLog()
        log.opened(10.0, 1, 3)
        log.opened(11.0, 2, 5)
        log.opened(11.5, 2, 1, "not repaired")
        log.recovered(1, 12.5)
        log.over("session lost")
        log.recovered(2, 20.0)
        self.assertEqual(
            [(gap["at"], gap["size"], gap["outcome"], gap["seconds"]) for gap in log.since(0)],
            [
                (10.0, 3, "recovered", 2.5),
                (11.0, 5, "session lost", None),
                (11.5, 1, "not repaired", None),
            ],
        )
        self.assertEqual(len(log.since(11.0)), 2)

    @given(EVENTS)
    def test_the_log_is_bounded_and_in_order(self, events: list[tuple[str, int]]) -> None:
        """The latest gaps are kept, the oldest first, and only recovered ones have a duration."""
        log, opened = GapLog(), 0
        for now, (event, sid) in enumerate(events):
            if event == "opened":
                log.opened(float(now), sid, 1)
                opened += 1
            elif event == "recovered":
                log.recovered(sid, float(now))
            else:
                log.over("over", sid)
        gaps = log.since(0)
        self.assertEqual(len(gaps), min(opened, MAX_KEPT))
        self.assertEqual(gaps, sorted(gaps, key=lambda gap: gap["at"]))
        for gap in gaps:
            self.assertEqual(gap["outcome"] == "recovered", gap["seconds"] is not None)
