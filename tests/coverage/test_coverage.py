"""Tests for `gatherer.judge.capture_judge`: what one capture says of one market."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from twisted.trial.unittest import SynchronousTestCase

from gatherer.coverage import BOOKS
from gatherer.coverage.capture_judge import CaptureJudge
from gatherer.coverage.records import Facts
from tests.coverage.coverage_model import (
    STEP,
    TICKER,
    VERBS,
    Model,
    added,
    answer,
    delta,
    removed,
    snapshot,
    tell,
    time_of,
)

Story = Callable[[CaptureJudge], None]


def begun() -> CaptureJudge:
    """A run begins."""
    judge = CaptureJudge()
    judge.new_run(0)
    return judge


def carried(conn_id: int = 7, at: int = 10) -> CaptureJudge:
    """A run in which the market's book is complete from `at`."""
    judge = begun()
    judge.session_up(conn_id, 1, Facts())
    added(judge, at, conn_id=conn_id)
    snapshot(judge, at, conn_id=conn_id)
    return judge


class BookTests(SynchronousTestCase):
    """One connection, one session."""

    def test_complete_from_its_snapshot(self) -> None:
        """Before the acknowledgement and while the first snapshot is awaited it is not carried: nothing is missing."""
        judge = begun()
        added(judge, 10, 1)
        snapshot(judge, 12, 1)
        self.assertEqual(answer(judge, 0, 20), [(0, 12, "not_carried"), (12, 20, "complete")])

    def test_a_snapshot_may_overtake_its_acknowledgement(self) -> None:
        """Then the acknowledgement changes nothing."""
        judge = begun()
        snapshot(judge, 9, 1)
        added(judge, 10, 1)
        self.assertEqual(answer(judge, 0, 20), [(0, 9, "not_carried"), (9, 20, "complete")])

    def test_no_book_at_all_is_a_hole(self) -> None:
        """Subscribed, and removed, cut or at the end of the capture without ever having sent a snapshot."""
        ends: list[Story] = [
            lambda c: removed(c, 40), CaptureJudge.finish,
            lambda c: c.session_down(7, 40, Facts(since=40, reason="cut")),
        ]  # fmt: skip
        for end in ends:
            judge = begun()
            added(judge, 10, 1)
            end(judge)
            self.assertEqual(answer(judge, 0, 40), [(0, 10, "not_carried"), (10, 40, "hole")])

    def test_every_loss_ends_with_a_snapshot(self) -> None:
        """The hole begins when the book was last sure, not when the loss was noticed."""
        losses: list[tuple[int, Story]] = [
            (20, lambda c: c.gap(7, 25, Facts(since=20, sid=1, size=3))),
            (21, lambda c: c.dropped(7, 25, Facts(first_at=21, last_at=21, count=9))),
            (25, lambda c: c.unreadable(7, 25, Facts(reason="json"))),
            (25, lambda c: c.ended(7, 25, Facts(sid=1, code=25))),
        ]
        for begin, loss in losses:
            judge = carried()
            loss(judge)
            snapshot(judge, 30, 1)
            expected = [(10, begin, "complete"), (begin, 30, "hole"), (30, 40, "complete")]
            self.assertEqual(answer(judge, 10, 40), expected)

    def test_another_sid_is_another_matter(self) -> None:
        """A gap or an end on a sid that does not have the market leaves it alone; one without a sid does not."""
        judge = carried()
        judge.gap(7, 25, Facts(since=20, sid=2, size=3))
        judge.ended(7, 26, Facts(sid=2, code=10))
        judge.gap(8, 27, Facts(since=20, sid=1, size=3))
        self.assertEqual(answer(judge, 10, 30), [(10, 30, "complete")])
        judge.ended(7, 28, Facts(sid=0, code=10))
        self.assertEqual(answer(judge, 10, 30), [(10, 28, "complete"), (28, 30, "hole")])

    def test_an_answer_on_a_subscription_that_is_over_proves_nothing(self) -> None:
        """Only a new subscription brings the book back after a terminal error."""
        judge = carried()
        judge.ended(7, 20, Facts(sid=1, code=25))
        snapshot(judge, 25, 1, asked=True)
        snapshot(judge, 30, 2)
        self.assertEqual(answer(judge, 10, 40), [(10, 20, "complete"), (20, 30, "hole"), (30, 40, "complete")])

    def test_another_sid_without_a_word_spoils_all_before(self) -> None:
        """Nobody knows when the first subscription ended, so nothing of it can be vouched for."""
        judge = carried()
        added(judge, 30, 2)
        snapshot(judge, 35, 2)
        self.assertEqual(answer(judge, 10, 40), [(10, 35, "hole"), (35, 40, "complete")])

    def test_removed_is_not_a_hole(self) -> None:
        """And a late answer to `get_snapshot` does not bring it back, while a new subscription does."""
        judge = carried()
        removed(judge, 20)
        snapshot(judge, 25, 1, asked=True)
        self.assertEqual(answer(judge, 10, 30), [(10, 20, "complete"), (20, 30, "not_carried")])
        snapshot(judge, 30, 2)
        self.assertEqual(answer(judge, 25, 40), [(25, 30, "not_carried"), (30, 40, "complete")])

    def test_an_unanswered_removal_counts_from_when_it_was_asked(self) -> None:
        """It may have taken effect then, and the messages since may be missing."""
        judge = carried()
        removed(judge, 25, since=20)
        self.assertEqual(answer(judge, 10, 30), [(10, 20, "complete"), (20, 30, "not_carried")])


class SocketTests(SynchronousTestCase):
    """Sessions come and go."""

    def test_a_cut_is_a_hole_from_the_last_sign_of_life(self) -> None:
        """Until the next session's snapshot; an acknowledgement alone does not end it, nor a late message."""
        judge = carried()
        judge.session_down(7, 30, Facts(since=22, reason="no ping"))
        snapshot(judge, 31, 1)
        judge.session_up(7, 40, Facts())
        added(judge, 41, 1)
        snapshot(judge, 45, 1)
        self.assertEqual(answer(judge, 10, 50), [(10, 22, "complete"), (22, 45, "hole"), (45, 50, "complete")])

    def test_dropped_while_the_socket_was_down(self) -> None:
        """From then on it is not carried: the hole ends."""
        judge = carried()
        judge.session_down(7, 20, Facts(since=20, reason="cut"))
        removed(judge, 30)
        self.assertEqual(answer(judge, 10, 40), [(10, 20, "complete"), (20, 30, "hole"), (30, 40, "not_carried")])

    def test_moved_to_another_connection(self) -> None:
        """The hole lasts until the book is there, or until nobody wants the market there either."""
        for end in ("complete", "not_carried"):
            judge = carried()
            judge.session_down(7, 20, Facts(since=20, reason="cut"))
            removed(judge, 30, moved=True)
            if end == "complete":
                added(judge, 40, 1, conn_id=8)
                snapshot(judge, 50, 1, conn_id=8)
            else:
                removed(judge, 50, conn_id=8)
            self.assertEqual(answer(judge, 10, 60), [(10, 20, "complete"), (20, 50, "hole"), (50, 60, end)])

    def test_two_connections_are_as_good_as_the_better(self) -> None:
        """A hole of one is none while the other had the book all the time; it is one from where it had not."""
        judge = carried()
        snapshot(judge, 20, 1, conn_id=8)
        judge.gap(7, 30, Facts(since=25, sid=1, size=1))
        self.assertEqual(answer(judge, 10, 40), [(10, 25, "complete"), (25, 40, "complete")])
        snapshot(judge, 40, 1)
        judge.gap(8, 50, Facts(since=35, sid=1, size=1))
        self.assertEqual(answer(judge, 25, 60), [(25, 35, "complete"), (35, 40, "hole"), (40, 60, "complete")])

    def test_a_drop_told_late_reaches_back_into_the_session_before(self) -> None:
        """What was complete since the first lost message was not, whatever happened in between."""
        judge = carried()
        removed(judge, 30)
        judge.dropped(7, 40, Facts(first_at=20, last_at=20, count=5))
        self.assertEqual(answer(judge, 10, 50), [(10, 20, "complete"), (20, 30, "hole"), (30, 50, "not_carried")])


class RunTests(SynchronousTestCase):
    """The gatherer stops, dies, starts again; segments are missing."""

    def test_a_stop_at_the_end_is_no_hole(self) -> None:
        """The book is vouched for until the last sign of life; then nobody is carrying it."""
        judge = carried()
        judge.session_down(7, 30, Facts(since=28, reason="stopped", stopped=True))
        judge.finish()
        self.assertEqual(answer(judge, 10, 30), [(10, 28, "complete"), (28, 30, "not_carried")])

    def test_a_stop_before_another_run_is_a_hole(self) -> None:
        """Until the next run has its snapshot; a run that never carries it ends the hole where it begins."""
        for again in (True, False):
            judge = carried()
            judge.session_down(7, 30, Facts(since=28, reason="stopped", stopped=True))
            judge.broke_off(31, lambda _: 31, "killed")
            judge.new_run(50)
            if again:
                added(judge, 55, 1, conn_id=9)
                snapshot(judge, 60, 1, conn_id=9)
            judge.finish()
            expected = (
                [(28, 60, "hole"), (60, 70, "complete")] if again else [(28, 50, "hole"), (50, 70, "not_carried")]
            )
            self.assertEqual(answer(judge, 10, 70), [(10, 28, "complete"), *expected])

    def test_killed(self) -> None:
        """Complete until the last message that is surely all; then a hole, like after a stop."""
        judge = carried()
        judge.broke_off(30, lambda connection: {7: 29}[connection.conn_id], "killed")
        judge.new_run(50)
        snapshot(judge, 60, 1, conn_id=9)
        self.assertEqual(answer(judge, 10, 70), [(10, 29, "complete"), (29, 60, "hole"), (60, 70, "complete")])

    def test_two_runs_without_it(self) -> None:
        """Only the time to the next run is a hole; that run, and the one after, never carry it."""
        judge = carried()
        judge.broke_off(30, lambda _: 30, "killed")
        judge.new_run(50)
        judge.broke_off(60, lambda _: 60, "killed")
        judge.new_run(70)
        judge.finish()
        self.assertEqual(answer(judge, 10, 90), [(10, 30, "complete"), (30, 50, "hole"), (50, 90, "not_carried")])

    def test_the_start_of_the_run_is_missing(self) -> None:
        """Unknown is a hole until the book shows up; unless it shows up by being added, then it was not carried."""
        judge = CaptureJudge()
        judge.begins_within(0, "earlier segments")
        delta(judge, 5, 1)
        snapshot(judge, 10, 1, asked=True)
        self.assertEqual(answer(judge, 0, 20), [(0, 10, "hole"), (10, 20, "complete")])
        judge = CaptureJudge()
        judge.begins_within(0, "earlier segments")
        added(judge, 5, 1)
        snapshot(judge, 10, 1)
        self.assertEqual(answer(judge, 0, 20), [(0, 10, "not_carried"), (10, 20, "complete")])

    def test_added_again_proves_nothing_about_the_time_before(self) -> None:
        """After a new session, or a terminal error, on a connection whose past is missing."""
        before: list[Story] = [lambda c: c.session_up(7, 3, Facts()), lambda c: c.ended(7, 3, Facts(sid=1, code=25))]
        for event in before:
            judge = CaptureJudge()
            judge.begins_within(0, "earlier segments")
            event(judge)
            added(judge, 5, 1)
            snapshot(judge, 10, 1)
            self.assertEqual(answer(judge, 0, 20), [(0, 10, "hole"), (10, 20, "complete")])

    def test_reasons_are_named(self) -> None:
        """One hole of three reasons names all three."""
        judge = carried()
        judge.gap(7, 20, Facts(since=20, sid=1, size=2))
        judge.dropped(7, 22, Facts(first_at=21, last_at=21, count=5))
        judge.session_down(7, 25, Facts(since=24, reason="cut"))
        reasons = judge.feeds[BOOKS, TICKER].legs[7].line.stretches[-1].reasons
        self.assertEqual(len(reasons), 3)
        for reason, words in zip(reasons, ("2 messages missing", "5 messages dropped", "down: cut"), strict=True):
            self.assertIn(words, reason)


class NeverPretendTests(SynchronousTestCase):
    """What looked complete, or not carried, and was not."""

    def test_a_first_book_that_had_to_be_asked_for(self) -> None:
        """The book of the subscription was lost, so it is a hole from the acknowledgement on."""
        judge = begun()
        added(judge, 10)
        judge.dropped(7, 12, Facts(first_at=11, last_at=12, count=3))
        snapshot(judge, 30, asked=True)
        self.assertEqual(answer(judge, 0, 40), [(0, 10, "not_carried"), (10, 30, "hole"), (30, 40, "complete")])

    def test_held_without_a_book(self) -> None:
        """The marker names the market; an open wait is a hole even if a book comes later."""
        judge = begun()
        added(judge, 10)
        judge.without_book(7, 20, Facts(tickers=[TICKER]))
        snapshot(judge, 30)
        self.assertEqual(answer(judge, 0, 40), [(0, 10, "not_carried"), (10, 30, "hole"), (30, 40, "complete")])

    def test_dropped_markers(self) -> None:
        """Without them nothing is known of the connection, until a book comes again."""
        for conn_id in (7, 0):
            judge = carried()
            judge.dropped(conn_id, 25, Facts(first_at=20, last_at=24, markers={"session_down": Raw(b"{}")}))
            snapshot(judge, 30, sid=2)
            self.assertEqual(answer(judge, 10, 40), [(10, 20, "complete"), (20, 30, "hole"), (30, 40, "complete")])

    def test_a_frozen_feed(self) -> None:
        """Its time is a hole, for the connections or the channel that the marker names; then the book goes on."""
        for conn_id, facts in (
            (7, Facts(since=20, until=30)),
            (0, Facts(since=20, until=30, conn_ids=[7])),
            (0, Facts(since=20, until=30, role=BOOKS)),
        ):
            judge = carried()
            judge.frozen(conn_id, 31, facts)
            self.assertEqual(answer(judge, 10, 40), [(10, 20, "complete"), (20, 30, "hole"), (30, 40, "complete")])

    def test_a_subscription_that_ends_as_a_whole(self) -> None:
        """A market whose acknowledgement never came ends with the sid, although no marker names it."""
        judge = begun()
        snapshot(judge, 10)
        judge.removed(7, 30, Facts(sid=1, ended=1, since=20, tickers=["OTHER"]))
        self.assertEqual(answer(judge, 10, 40), [(10, 20, "complete"), (20, 40, "hole")])

    def test_a_time_of_before_a_step_back(self) -> None:
        """Nothing that has a time of after the step is sure, until the old clock is reached again."""
        second = 1_000_000_000
        judge = carried()
        judge.clock.see(1000 * second)
        judge.clock.see(900 * second)
        judge.session_down(7, 905 * second, Facts(since=1000 * second, reason="cut"))
        snapshot(judge, 910 * second, conn_id=8)
        found = answer(judge, 800 * second, 1100 * second)
        self.assertEqual(
            [(a // second, b // second, c) for a, b, c in found][:2], [(800, 900, "complete"), (900, 1000, "hole")]
        )
        judge = carried()
        judge.gap(7, 950 * second, Facts(since=950 * second, sid=1, size=1))
        judge.clock_stepped(0, 900 * second, Facts(seconds=-100.0))
        snapshot(judge, 910 * second)
        self.assertEqual(answer(judge, 960 * second, 1100 * second), [
            (960 * second, 1000 * second, "hole"), (1000 * second, 1100 * second, "complete")
        ])  # fmt: skip

    def test_a_since_that_lies_in_the_future(self) -> None:
        """Without any record of the step, the order of arrival says that the clock stepped back."""
        second = 1_000_000_000
        judge = carried()
        judge.session_down(7, 905 * second, Facts(since=2000 * second, reason="cut"))
        self.assertEqual(answer(judge, 904 * second, 906 * second)[0][2], "hole")


class ChannelTests(SynchronousTestCase):
    """A channel that is carried as a whole."""

    def live(self, conn_id: int = 3, channel: str = "trade", judge: CaptureJudge | None = None) -> CaptureJudge:
        """Acknowledged at 10."""
        judge = judge or begun()
        judge.session_up(conn_id, 1, Facts(role="market_lifecycle" if channel == "market_lifecycle_v2" else channel))
        judge.added(conn_id, 10, Facts(sid=1, channel=channel))
        return judge

    def test_complete_from_the_acknowledgement(self) -> None:
        """All three channels, under the names of the exchange."""
        for channel in ("ticker", "trade", "market_lifecycle_v2"):
            judge = self.live(channel=channel)
            self.assertEqual(answer(judge, 0, 40, channel), [(0, 10, "not_carried"), (10, 40, "complete")])

    def test_only_what_is_lost_is_missing(self) -> None:
        """A gap, a drop and an unreadable message cost their own time; there is no book to be wrong afterwards."""
        for lose, end in (
            (lambda judge: judge.gap(3, 25, Facts(since=20, sid=1, size=4)), 25),
            (lambda judge: judge.dropped(3, 25, Facts(first_at=20, last_at=22, count=4)), 23),
            (lambda judge: judge.unreadable(3, 20, Facts(reason="json")), 21),
        ):
            judge = self.live()
            lose(judge)
            self.assertEqual(
                answer(judge, 10, 40, "trade"), [(10, 20, "complete"), (20, end, "hole"), (end, 40, "complete")]
            )

    def test_a_cut_lasts_until_the_next_acknowledgement(self) -> None:
        """A new session alone brings nothing."""
        judge = self.live()
        judge.session_down(3, 25, Facts(since=20, reason="cut"))
        judge.session_up(3, 30, Facts(role="trade"))
        judge.added(3, 35, Facts(sid=1, channel="trade"))
        self.assertEqual(answer(judge, 10, 40, "trade"), [(10, 20, "complete"), (20, 35, "hole"), (35, 40, "complete")])

    def test_never_acknowledged(self) -> None:
        """The channel is always wanted, so a session without it is a hole."""
        judge = begun()
        judge.session_up(3, 5, Facts(role="trade"))
        judge.finish()
        self.assertEqual(answer(judge, 0, 40, "trade"), [(0, 5, "not_carried"), (5, 40, "hole")])

    def test_one_leg_is_enough(self) -> None:
        """The other one fills the hole."""
        judge = self.live(4, judge=self.live(3))
        judge.gap(3, 25, Facts(since=20, sid=1, size=4))
        judge.gap(4, 35, Facts(since=30, sid=1, size=4))
        self.assertEqual({state for _, _, state in answer(judge, 10, 40, "trade")}, {"complete"})
        judge.gap(3, 34, Facts(since=32, sid=1, size=4))
        self.assertIn((32, 34, "hole"), answer(judge, 10, 40, "trade"))


steps = st.lists(
    st.tuples(st.sampled_from(VERBS), st.sampled_from((7, 8)), st.integers(0, 40), st.booleans()), max_size=40
)


class ModelTests(SynchronousTestCase):
    """Against a model that keeps one letter for every moment."""

    @settings(max_examples=300, deadline=None)
    @given(steps)
    def test_one_connection_like_the_model(self, story: list[tuple[str, int, int, bool]]) -> None:
        """Every moment stands as the model says, for any order of events."""
        judge, model = begun(), Model()
        for verb, _, back, flag in story:
            tell(judge, model, verb, 7, back, flag)
        judge.finish()
        self.assertEqual(self.moments(judge, model), model.answer())

    @settings(max_examples=300, deadline=None)
    @given(steps)
    def test_two_connections_like_the_model(self, story: list[tuple[str, int, int, bool]]) -> None:
        """Every moment stands as the better of the two connections."""
        judge, model = begun(), Model()
        for verb, conn_id, back, flag in story:
            tell(judge, model, verb, conn_id, back, flag)
        judge.finish()
        self.assertEqual(self.moments(judge, model), model.answer())

    def moments(self, judge: CaptureJudge, model: Model) -> list[str]:
        """The answer for the middle of each moment."""
        middles = (time_of(index) + STEP // 2 for index in range(len(model)))
        return [answer(judge, middle, middle + 1)[0][2] for middle in middles]
