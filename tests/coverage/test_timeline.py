"""Tests for `gatherer.coverage.timeline`."""

from twisted.trial.unittest import SynchronousTestCase

from gatherer.coverage import State
from gatherer.coverage.timeline import MAX_REASONS, Stretch, Timeline

COMPLETE, HOLE, ABSENT = State.COMPLETE, State.HOLE, State.NOT_CARRIED


class TimelineTests(SynchronousTestCase):
    """Stretches, and what is learnt late."""

    def line(self, *stretches: tuple[int, State]) -> Timeline:
        """A timeline with these starts."""
        line = Timeline()
        for start, state in stretches:
            line.enter(start, state)
        return line

    def spans(self, line: Timeline) -> list[tuple[int, State]]:
        """What it says, without reasons."""
        return [(start, stretch.state) for start, stretch in line.spans()]

    def test_a_hole_lasts_a_nanosecond_at_least(self) -> None:
        """A gap and the snapshot behind it in one read: no time passes, and yet messages of that time are missing."""
        line = self.line((10, COMPLETE), (20, HOLE), (20, COMPLETE))
        self.assertEqual(self.spans(line), [(10, COMPLETE), (20, HOLE), (21, COMPLETE)])

    def test_complete_for_no_time_is_nothing(self) -> None:
        """A stretch without a length is not part of the answer."""
        line = self.line((10, COMPLETE), (20, ABSENT), (20, COMPLETE), (20, HOLE))
        self.assertEqual(self.spans(line), [(10, COMPLETE), (20, HOLE)])

    def test_what_is_spoilt_was_complete(self) -> None:
        """A loss that is reported late takes back completeness since then, and leaves alone what was not claimed."""
        line = self.line((0, ABSENT), (10, COMPLETE), (20, ABSENT), (30, COMPLETE), (40, ABSENT))
        line.spoil(15, HOLE, ("late",))
        self.assertEqual(
            self.spans(line), [(0, ABSENT), (10, COMPLETE), (15, HOLE), (20, ABSENT), (30, HOLE), (40, ABSENT)]
        )

    def test_a_part_can_be_spoilt(self) -> None:
        """Before and after it everything is as it was, even if the part reaches over several stretches."""
        line = self.line((0, COMPLETE), (20, ABSENT), (30, COMPLETE))
        line.spoil(10, HOLE, ("late",), 40)
        self.assertEqual(self.spans(line), [(0, COMPLETE), (10, HOLE), (20, ABSENT), (30, HOLE), (40, COMPLETE)])
        line.spoil(50, HOLE, ("later",), 60)
        self.assertEqual(self.spans(line)[-3:], [(40, COMPLETE), (50, HOLE), (60, COMPLETE)])

    def test_a_clock_that_steps_back_makes_no_stretch_run_backwards(self) -> None:
        """The order of entering counts; a stretch starts no earlier than the one before."""
        line = self.line((10, COMPLETE), (5, HOLE), (20, COMPLETE))
        self.assertEqual(self.spans(line), [(10, HOLE), (20, COMPLETE)])

    def test_reasons_have_a_bound(self) -> None:
        """A hole names each reason once, and no more than a few."""
        stretch = Stretch(0, HOLE, ("a",))
        for name in "aabcdefg":
            stretch.blame((name,))
        self.assertEqual(stretch.reasons, ("a", "b", "c", "d"))
        self.assertEqual(len(stretch.reasons), MAX_REASONS)
