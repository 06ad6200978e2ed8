"""Tests for `gatherer.coverage.timeline`."""

from twisted.trial.unittest import SynchronousTestCase

from gatherer.coverage.timeline import Cause, Interval, Standing, Timeline

COMPLETE, HOLE, ABSENT = Standing.COMPLETE, Standing.HOLE, Standing.ABSENT


def why(text: str) -> Cause:
    """A cause told by its text only."""
    return Cause(0, "test", text)


class TimelineTests(SynchronousTestCase):
    """Stretches, and what is learnt late."""

    def line(self, *stretches: tuple[int, Standing]) -> Timeline:
        """A timeline with these starts."""
        line = Timeline()
        for start, standing in stretches:
            line.enter(start, standing, why(str(start)))
        return line

    def spans(self, line: Timeline, start: int, end: int) -> list[tuple[int, int, Standing]]:
        """What it answers, without causes."""
        return [(i.start, i.end, i.standing) for i in line.intervals(start, end)]

    def test_a_range_cuts_what_reaches_over_it(self) -> None:
        """Only the part within the range is told, and nothing that merely touches it."""
        line = self.line((0, ABSENT), (10, COMPLETE), (20, HOLE), (30, COMPLETE))
        self.assertEqual(self.spans(line, 15, 20), [(15, 20, COMPLETE)])
        self.assertEqual(self.spans(line, 5, 25), [(5, 10, ABSENT), (10, 20, COMPLETE), (20, 25, HOLE)])

    def test_a_hole_without_length_is_a_hole(self) -> None:
        """A gap and the snapshot behind it in one read: no time passes, and yet messages are missing there."""
        line = self.line((10, COMPLETE), (20, HOLE), (20, COMPLETE))
        self.assertEqual(self.spans(line, 10, 30), [(10, 20, COMPLETE), (20, 20, HOLE), (20, 30, COMPLETE)])
        self.assertEqual(self.spans(line, 20, 30)[0], (20, 20, HOLE))
        self.assertEqual(self.spans(line, 21, 30), [(21, 30, COMPLETE)])

    def test_other_stretches_without_length_are_nothing(self) -> None:
        """Complete for no time is not complete; the holes on both sides are one, with all their causes."""
        line = self.line((10, HOLE), (20, COMPLETE), (20, HOLE))
        (hole,) = line.intervals(10, 30)
        self.assertEqual((hole.start, hole.end, [cause.text for cause in hole.causes]), (10, 30, ["10", "20"]))

    def test_an_instant_has_one_answer(self) -> None:
        """A range from a time to itself is answered by what stands there."""
        line = self.line((10, COMPLETE), (20, HOLE))
        self.assertEqual(self.spans(line, 15, 15), [(15, 15, COMPLETE)])
        self.assertEqual(self.spans(line, 20, 20), [(20, 20, HOLE)])

    def test_what_is_spoilt_was_complete(self) -> None:
        """A loss told late takes back completeness since then, and leaves alone what was not claimed."""
        line = self.line((0, ABSENT), (10, COMPLETE), (20, ABSENT), (30, COMPLETE), (40, ABSENT))
        line.spoil(15, HOLE, why("late"))
        self.assertEqual(
            self.spans(line, 0, 50),
            [(0, 10, ABSENT), (10, 15, COMPLETE), (15, 20, HOLE), (20, 30, ABSENT), (30, 40, HOLE), (40, 50, ABSENT)],
        )

    def test_a_clock_that_steps_back_makes_no_stretch_run_backwards(self) -> None:
        """The order of entering counts; a stretch starts no earlier than the one before."""
        line = self.line((10, COMPLETE), (5, HOLE), (20, COMPLETE))
        self.assertEqual(self.spans(line, 0, 30), [(10, 20, HOLE), (20, 30, COMPLETE)])

    def test_length(self) -> None:
        """Nanoseconds from start to end."""
        self.assertEqual(Interval(5, 12, HOLE).length, 7)
