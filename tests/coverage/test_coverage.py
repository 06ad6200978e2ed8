"""Tests for `gatherer.coverage.coverage`."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.coverage.coverage import Coverage
from gatherer.coverage.timeline import Standing
from tests.coverage.coverage_model import STEP, VERBS, Model, tell, time_of

WORDS = {Standing.COMPLETE: "complete", Standing.HOLE: "hole", Standing.ABSENT: "absent"}
Story = Callable[[Coverage], None]


def told(coverage: Coverage, start: int, end: int) -> list[tuple[int, int, str]]:
    """What it answers, in words."""
    return [(i.start, i.end, WORDS[i.standing]) for i in coverage.intervals(start, end)]


def carried(conn_id: int = 7, at: int = 10) -> Coverage:
    """A run in which the market's book is complete from `at`."""
    coverage = Coverage()
    coverage.new_run(0)
    coverage.session_up(conn_id, 1)
    coverage.added(conn_id, at, 1)
    coverage.snapshot(conn_id, at, 1, asked=False)
    return coverage


class BookTests(SynchronousTestCase):
    """One connection, one session."""

    def test_complete_from_its_snapshot(self) -> None:
        """Before the acknowledgement and while the first snapshot is awaited it is not carried: nothing is missing."""
        coverage = Coverage()
        coverage.new_run(0)
        coverage.added(7, 10, 1)
        self.assertTrue(coverage.is_open)
        coverage.snapshot(7, 12, 1, asked=False)
        self.assertFalse(coverage.is_open)
        self.assertEqual(told(coverage, 0, 20), [(0, 12, "absent"), (12, 20, "complete")])

    def test_a_snapshot_may_overtake_its_acknowledgement(self) -> None:
        """Then the acknowledgement changes nothing."""
        coverage = Coverage()
        coverage.new_run(0)
        coverage.snapshot(7, 9, 1, asked=False)
        coverage.added(7, 10, 1)
        self.assertEqual(told(coverage, 0, 20), [(0, 9, "absent"), (9, 20, "complete")])

    def test_no_book_at_all_is_a_hole(self) -> None:
        """Subscribed, and removed, cut or at the end of the capture without ever having sent a snapshot."""
        ends: list[Story] = [
            lambda c: c.removed(7, 40), lambda c: c.session_down(7, 40, 40, "cut", False), Coverage.finish,
        ]  # fmt: skip
        for end in ends:
            coverage = Coverage()
            coverage.new_run(0)
            coverage.added(7, 10, 1)
            end(coverage)
            self.assertEqual(told(coverage, 0, 40), [(0, 10, "absent"), (10, 40, "hole")])

    def test_every_loss_ends_with_a_snapshot(self) -> None:
        """The hole begins when the book was last sure, not when the loss was noticed."""
        losses: list[tuple[int, Story]] = [
            (20, lambda c: c.gap(7, 25, 20, 1, 3)),
            (21, lambda c: c.dropped(7, 25, 21, 9)),
            (25, lambda c: c.unreadable(7, 25, "json")),
            (25, lambda c: c.terminal(7, 25, 1, "code 25")),
        ]
        for begin, loss in losses:
            coverage = carried()
            loss(coverage)
            coverage.snapshot(7, 30, 1, asked=False)
            expected = [(10, begin, "complete"), (begin, 30, "hole"), (30, 40, "complete")]
            self.assertEqual(told(coverage, 10, 40), expected)

    def test_another_sid_is_another_matter(self) -> None:
        """A gap or an end on a sid that does not have the market leaves it alone; one without a sid does not."""
        coverage = carried()
        coverage.gap(7, 25, 20, 2, 3)
        coverage.terminal(7, 26, 2, "code 10")
        coverage.gap(8, 27, 20, 1, 3)
        self.assertEqual(told(coverage, 10, 30), [(10, 30, "complete")])
        coverage.terminal(7, 28, 0, "code 10")
        self.assertEqual(told(coverage, 10, 30), [(10, 28, "complete"), (28, 30, "hole")])

    def test_an_answer_on_a_subscription_that_is_over_proves_nothing(self) -> None:
        """Only a new subscription brings the book back after a terminal error."""
        coverage = carried()
        coverage.terminal(7, 20, 1, "code 25")
        coverage.snapshot(7, 25, 1, asked=True)
        coverage.snapshot(7, 30, 2, asked=False)
        self.assertEqual(told(coverage, 10, 40), [(10, 20, "complete"), (20, 30, "hole"), (30, 40, "complete")])

    def test_another_sid_without_a_word_spoils_all_before(self) -> None:
        """Nobody knows when the first subscription ended, so nothing of it can be vouched for."""
        coverage = carried()
        coverage.added(7, 30, 2)
        coverage.snapshot(7, 35, 2, asked=False)
        self.assertEqual(told(coverage, 10, 40), [(10, 35, "hole"), (35, 40, "complete")])

    def test_removed_is_not_a_hole(self) -> None:
        """And a late answer to `get_snapshot` does not bring it back, while a new subscription does."""
        coverage = carried()
        coverage.removed(7, 20)
        coverage.snapshot(7, 25, 1, asked=True)
        self.assertEqual(told(coverage, 10, 30), [(10, 20, "complete"), (20, 30, "absent")])
        coverage.snapshot(7, 30, 2, asked=False)
        self.assertEqual(told(coverage, 25, 40), [(25, 30, "absent"), (30, 40, "complete")])

    def test_an_unanswered_removal_counts_from_when_it_was_asked(self) -> None:
        """It may have taken effect then, and the messages since may be missing."""
        coverage = carried()
        coverage.removed(7, 25, since=20)
        self.assertEqual(told(coverage, 10, 30), [(10, 20, "complete"), (20, 30, "absent")])


class SocketTests(SynchronousTestCase):
    """Sessions come and go."""

    def test_a_cut_is_a_hole_from_the_last_sign_of_life(self) -> None:
        """Until the next session's snapshot; an acknowledgement alone does not end it, nor a late message."""
        coverage = carried()
        coverage.session_down(7, 30, 22, "no ping", stopped=False)
        coverage.snapshot(7, 31, 1, asked=False)
        coverage.session_up(7, 40)
        coverage.added(7, 41, 1)
        coverage.snapshot(7, 45, 1, asked=False)
        self.assertEqual(told(coverage, 10, 50), [(10, 22, "complete"), (22, 45, "hole"), (45, 50, "complete")])

    def test_dropped_while_the_socket_was_down(self) -> None:
        """From then on it is not carried: the hole ends."""
        coverage = carried()
        coverage.session_down(7, 20, 20, "cut", stopped=False)
        coverage.removed(7, 30)
        self.assertEqual(told(coverage, 10, 40), [(10, 20, "complete"), (20, 30, "hole"), (30, 40, "absent")])

    def test_moved_to_another_connection(self) -> None:
        """The hole lasts until the book is there, or until nobody wants the market there either."""
        for end in ("complete", "absent"):
            coverage = carried()
            coverage.session_down(7, 20, 20, "cut", stopped=False)
            coverage.removed(7, 30, moved=True)
            if end == "complete":
                coverage.added(8, 40, 1)
                coverage.snapshot(8, 50, 1, asked=False)
            else:
                coverage.removed(8, 50)
            self.assertEqual(told(coverage, 10, 60), [(10, 20, "complete"), (20, 50, "hole"), (50, 60, end)])

    def test_two_connections_are_as_good_as_the_better(self) -> None:
        """A hole of one is none while the other had the book all the time; it is one from where it had not."""
        coverage = carried()
        coverage.snapshot(8, 20, 1, asked=False)
        coverage.gap(7, 30, 25, 1, 1)
        self.assertEqual(told(coverage, 10, 40), [(10, 40, "complete")])
        coverage.snapshot(7, 40, 1, asked=False)
        coverage.gap(8, 50, 35, 1, 1)
        self.assertEqual(told(coverage, 10, 60), [(10, 35, "complete"), (35, 50, "hole"), (50, 60, "complete")])

    def test_a_drop_told_late_reaches_back_into_the_session_before(self) -> None:
        """What was complete since the first lost message was not, whatever happened in between."""
        coverage = carried()
        coverage.removed(7, 30)
        coverage.dropped(7, 40, 20, 5)
        self.assertEqual(told(coverage, 10, 50), [(10, 20, "complete"), (20, 30, "hole"), (30, 50, "absent")])


class RunTests(SynchronousTestCase):
    """The gatherer stops, dies, starts again; segments are missing."""

    def test_a_stop_at_the_end_is_no_hole(self) -> None:
        """The book is vouched for until the last sign of life; then nobody is carrying it."""
        coverage = carried()
        coverage.session_down(7, 30, 28, "stopped", stopped=True)
        coverage.finish()
        self.assertEqual(told(coverage, 10, 30), [(10, 28, "complete"), (28, 30, "absent")])

    def test_a_stop_before_another_run_is_a_hole(self) -> None:
        """Until the next run has its snapshot; a run that never carries it ends the hole where it begins."""
        for again in (True, False):
            coverage = carried()
            coverage.session_down(7, 30, 28, "stopped", stopped=True)
            self.assertTrue(coverage.is_open)
            coverage.broke_off(31, lambda _: 31, "killed")
            coverage.new_run(50)
            if again:
                coverage.added(9, 55, 1)
                coverage.snapshot(9, 60, 1, asked=False)
            coverage.finish()
            expected = [(28, 60, "hole"), (60, 70, "complete")] if again else [(28, 50, "hole"), (50, 70, "absent")]
            self.assertEqual(told(coverage, 10, 70), [(10, 28, "complete"), *expected])

    def test_killed(self) -> None:
        """Complete until the last message that is surely all; then a hole, like after a stop."""
        coverage = carried()
        coverage.broke_off(30, {7: 29}.__getitem__, "killed")
        coverage.new_run(50)
        coverage.snapshot(9, 60, 1, asked=False)
        self.assertEqual(told(coverage, 10, 70), [(10, 29, "complete"), (29, 60, "hole"), (60, 70, "complete")])

    def test_two_runs_without_it(self) -> None:
        """Only the time to the next run is a hole; that run, and the one after, never carry it."""
        coverage = carried()
        coverage.broke_off(30, lambda _: 30, "killed")
        coverage.new_run(50)
        coverage.broke_off(60, lambda _: 60, "killed")
        coverage.new_run(70)
        coverage.finish()
        self.assertEqual(told(coverage, 10, 90), [(10, 30, "complete"), (30, 50, "hole"), (50, 90, "absent")])

    def test_the_start_of_the_run_is_missing(self) -> None:
        """Unknown is a hole until the book shows up; unless it shows up by being added, then it was not carried."""
        coverage = Coverage()
        coverage.begins_within(0, "earlier segments")
        coverage.delta(7, 5, 1)
        coverage.snapshot(7, 10, 1, asked=True)
        self.assertEqual(told(coverage, 0, 20), [(0, 10, "hole"), (10, 20, "complete")])
        coverage = Coverage()
        coverage.begins_within(0, "earlier segments")
        coverage.added(7, 5, 1)
        coverage.snapshot(7, 10, 1, asked=False)
        self.assertEqual(told(coverage, 0, 20), [(0, 10, "absent"), (10, 20, "complete")])

    def test_added_again_proves_nothing_about_the_time_before(self) -> None:
        """After a new session, or a terminal error, on a connection whose past is missing."""
        before: list[Story] = [lambda c: c.session_up(7, 3), lambda c: c.terminal(7, 3, 1, "code 25")]
        for event in before:
            coverage = Coverage()
            coverage.begins_within(0, "earlier segments")
            event(coverage)
            coverage.added(7, 5, 1)
            coverage.snapshot(7, 10, 1, asked=False)
            self.assertEqual(told(coverage, 0, 20), [(0, 10, "hole"), (10, 20, "complete")])

    def test_causes_are_told(self) -> None:
        """One hole of three reasons names all three."""
        coverage = carried()
        coverage.gap(7, 20, 20, 1, 2)
        coverage.dropped(7, 22, 21, 5)
        coverage.session_down(7, 25, 24, "cut", stopped=False)
        (_, hole) = coverage.intervals(10, 30)
        self.assertEqual([cause.kind for cause in hole.causes], ["gap", "local_drop", "session_down"])


steps = st.lists(
    st.tuples(st.sampled_from(VERBS), st.sampled_from((7, 8)), st.integers(0, 40), st.booleans()), max_size=40
)


class ModelTests(SynchronousTestCase):
    """Against a model that keeps one letter for every moment."""

    @settings(max_examples=300, deadline=None)
    @given(steps)
    def test_one_connection_like_the_model(self, story: list[tuple[str, int, int, bool]]) -> None:
        """Every moment stands as the model says, for any order of events."""
        coverage, model = Coverage(), Model()
        coverage.new_run(0)
        for verb, _, back, flag in story:
            tell(coverage, model, verb, 7, back, flag)
        coverage.finish()
        self.assertEqual(self.moments(coverage, model), model.answer())

    @settings(max_examples=300, deadline=None)
    @given(steps)
    def test_two_connections_never_claim_more(self, story: list[tuple[str, int, int, bool]]) -> None:
        """What is called complete was complete on one of the two, and at the end both agree with the model."""
        coverage, model = Coverage(), Model()
        coverage.new_run(0)
        for verb, conn_id, back, flag in story:
            tell(coverage, model, verb, conn_id, back, flag)
        coverage.finish()
        ours, true = self.moments(coverage, model), model.answer()
        for moment, (said, expected) in enumerate(zip(ours, true, strict=True)):
            self.assertFalse(said == "complete" != expected, (moment, ours, true))
        self.assertEqual(ours[-1:], true[-1:])

    def moments(self, coverage: Coverage, model: Model) -> list[str]:
        """The answer for the middle of each moment."""
        middles = (time_of(index) + STEP // 2 for index in range(len(model)))
        return [told(coverage, middle, middle)[0][2] for middle in middles]
