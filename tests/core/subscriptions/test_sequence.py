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

    def test_a_lasting_step_back_is_a_gap(self) -> None:
        """Two numbers that count on from a lower one begin a new count. What the old count had after its last number is
        unknown, so the gap has a size of at least one."""
        tracker = SequenceTracker()
        self.assertEqual([tracker.observe(1, seq) for seq in (1, 2, 3, 4, 1, 2, 3)], [0, 0, 0, 0, 0, 1, 0])
        self.assertEqual((tracker.gaps, tracker.repeats, tracker.last(1)), (1, 1, 3))
        self.assertEqual([tracker.observe(2, seq) for seq in range(1, 10)], [0] * 9)
        self.assertEqual([tracker.observe(2, seq) for seq in (5, 6, 7)], [0, 4, 0])

    def test_single_lower_numbers_are_repeats(self) -> None:
        """They are repeats even if two of them would count on, when a message in order came in between."""
        tracker = SequenceTracker()
        tracker.advance(1, [1, 2, 3, 4, 5])
        self.assertEqual([tracker.observe(1, seq) for seq in (3, 6, 4, 3, 3)], [0] * 5)
        tracker.observe(1, 2)
        self.assertTrue(tracker.advance(1, [7, 8]))
        self.assertEqual((tracker.observe(1, 3), tracker.gaps), (0, 0))

    @given(st.lists(st.integers(1, 20), max_size=40))
    def test_gaps_are_what_is_missing(self, numbers: list[int]) -> None:
        """As long as the numbers never count on from a lower one, the sizes add up to the numbers below the highest one
        that did not come in order."""
        tracker, highest, lower = SequenceTracker(), 0, 0
        sizes = []
        for seq in numbers:
            if seq <= highest and seq == lower + 1:
                break
            lower = seq if seq <= highest else 0
            highest = max(highest, seq)
            sizes.append(tracker.observe(1, seq))
        self.assertTrue(all(size >= 0 for size in sizes))
        numbers = numbers[: len(sizes)]
        risen = [seq for index, seq in enumerate(numbers) if seq > max(numbers[:index], default=0)]
        self.assertEqual(sum(sizes), max(numbers, default=0) - len(risen))

    @given(st.integers(2, 50), st.integers(1, 60), st.integers(1, 20))
    def test_a_new_count_is_never_missed(self, before: int, first: int, number: int) -> None:
        """Whatever the old count was and wherever the new one begins, there is one gap, unless it is one message or
        goes on where the old one ended."""
        tracker = SequenceTracker()
        tracker.advance(1, list(range(1, before + 1)))
        for seq in range(first, first + number + 1):
            tracker.observe(1, seq)
        goes_on = first in (before, before + 1)
        self.assertEqual(tracker.gaps, 0 if goes_on else 1)
        self.assertEqual(tracker.last(1), first + number)

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
        log.opened(1010.0, 10.0, 1, 3)
        log.opened(1011.0, 11.0, 2, 5)
        log.opened(1011.5, 11.5, 2, 1, "not repaired")
        log.recovered(1, 12.5)
        log.over("session lost")
        log.recovered(2, 20.0)
        self.assertEqual(
            [(gap["at"], gap["size"], gap["outcome"], gap["seconds"]) for gap in log.since(0)],
            [
                (1010.0, 3, "recovered", 2.5),
                (1011.0, 5, "session lost", None),
                (1011.5, 1, "not repaired", None),
            ],
        )
        self.assertEqual(len(log.since(1011.0)), 2)

    @given(EVENTS)
    def test_the_log_is_bounded_and_in_order(self, events: list[tuple[str, int]]) -> None:
        """The latest gaps are kept, the oldest first, and only recovered ones have a duration."""
        log, opened = GapLog(), 0
        for now, (event, sid) in enumerate(events):
            if event == "opened":
                log.opened(float(now), float(now), sid, 1)
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
