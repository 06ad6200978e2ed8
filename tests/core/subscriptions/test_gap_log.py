"""Tests for `GapLog` of `gatherer.core.subscriptions.sequence`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.subscriptions.sequence import MAX_KEPT, GapLog

EVENTS = st.lists(st.tuples(st.sampled_from(["opened", "recovered", "over"]), st.integers(1, 3)), max_size=300)


class GapJournalTests(SynchronousTestCase):
    """The latest gaps of a connection."""

    def test_what_becomes_of_a_gap(self) -> None:
        """A gap waits, then it is recovered or over, and later events do not change it."""
        journal = GapLog()
        journal.opened(10.0, 1, 3)
        journal.opened(11.0, 2, 5)
        journal.opened(11.5, 2, 1, "not repaired")
        journal.recovered(1, 12.5)
        journal.over("session lost")
        journal.recovered(2, 20.0)
        self.assertEqual(
            [(gap["at"], gap["size"], gap["outcome"], gap["seconds"]) for gap in journal.since(0)],
            [
                (10.0, 3, "recovered", 2.5),
                (11.0, 5, "session lost", None),
                (11.5, 1, "not repaired", None),
            ],
        )
        self.assertEqual(len(journal.since(11.0)), 2)

    @given(EVENTS)
    def test_the_journal_is_bounded_and_in_order(self, events: list[tuple[str, int]]) -> None:
        """The latest gaps are kept, the oldest first, and only recovered ones have a duration."""
        journal, opened = GapLog(), 0
        for now, (event, sid) in enumerate(events):
            if event == "opened":
                journal.opened(float(now), sid, 1)
                opened += 1
            elif event == "recovered":
                journal.recovered(sid, float(now))
            else:
                journal.over("over", sid)
        gaps = journal.since(0)
        self.assertEqual(len(gaps), min(opened, MAX_KEPT))
        self.assertEqual(gaps, sorted(gaps, key=lambda gap: gap["at"]))
        for gap in gaps:
            self.assertEqual(gap["outcome"] == "recovered", gap["seconds"] is not None)
