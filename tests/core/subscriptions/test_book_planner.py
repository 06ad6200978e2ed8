"""Tests for `gatherer.core.subscriptions.book_planner`:
the plan against a model of an exchange that loses, refuses and ends things."""

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.backoff import Backoff
from gatherer.core.subscriptions.book_planner import ADDS, BookPlanner
from gatherer.core.subscriptions.commands import Action, Command
from gatherer.core.subscriptions.snapshots import Recovered

TICKERS = [f"M{n}" for n in range(6)]
some_tickers = st.lists(st.sampled_from(TICKERS), min_size=1, max_size=4, unique=True)
BAD = frozenset({"M5"})
"""Markets that the modelled exchange rejects even alone."""


def make_plan(wanted: set[str], batch_size: int = 4) -> BookPlanner:
    """A planner with small numbers and no jitter."""
    return BookPlanner(wanted, batch_size, 30.0, Backoff(1.0, 8.0, 2.0, 0.0, lambda: 0.5))


def held_with_books(tickers: str, wanted: set[str] | None = None) -> BookPlanner:
    """A planner whose markets are held on sid 1 and have their books."""
    plan = make_plan(set(tickers) if wanted is None else wanted)
    plan.next_command(0.0)
    plan.acknowledged(1, 0.0)
    for ticker in tickers:
        plan.snapshot(ticker, 1)
    return plan


class PlanMachine(RuleBasedStateMachine):
    """The exchange is a set and a sid. Every command has its own outcome."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted: set[str] = set()
        self.plan = make_plan(self.wanted)
        self.now = 0.0
        self.sids = 0
        self.sid = 0
        self.books: set[str] = set()
        self.due: list[str] = []
        self.complete: set[str] = set()
        """Markets whose first book came."""
        self.suspect: set[str] = set()
        """Those of them that were held at a gap, and whose book has not come since."""
        self.late: list[Command] = []
        """Commands that took effect, and whose answer is late."""
        self.command: Command | None = None

    @initialize()
    def already_running(self) -> None:
        """Most faults need markets that are held."""
        self.want(TICKERS[:3])
        self.turn("early")

    # -- the exchange -------------------------------------------------------------------------

    @rule(tickers=some_tickers)
    def want(self, tickers: list[str]) -> None:
        for ticker in tickers:
            self.wanted.add(ticker)
            self.plan.want(ticker)

    @rule(tickers=some_tickers)
    def unwant(self, tickers: list[str]) -> None:
        for ticker in tickers:
            self.wanted.discard(ticker)
            self.plan.unwant(ticker)

    @rule(seconds=st.sampled_from((1.0, 31.0, 700.0)))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.plan.overdue(self.now)

    @rule()
    def ask(self) -> None:
        """A command is sent; until its outcome is known, any other event may happen."""
        if self.command is None:
            self.command = self.plan.next_command(self.now)
        if self.command is not None:
            assert self.command.sid or self.command.action is Action.SUBSCRIBE
            assert self.command.tickers, "an empty list can mean all markets"
            assert len(self.command.tickers) <= 4 or self.command.action is Action.UNSUBSCRIBE
            assert len(set(self.command.tickers)) == len(self.command.tickers)

    @precondition(lambda self: self.due)
    @rule(data=st.data())
    def snapshot(self, data: st.DataObject) -> None:
        self.send_book(self.due.pop(data.draw(st.integers(0, len(self.due) - 1))))

    @precondition(lambda self: self.due)
    @rule(data=st.data())
    def lose_book(self, data: st.DataObject) -> None:
        """It never comes. No number shows that."""
        self.due.pop(data.draw(st.integers(0, len(self.due) - 1)))

    @precondition(lambda self: self.sid)
    @rule()
    def end_subscription(self) -> None:
        self.plan.sid_over(self.sid, self.now)
        self.end()

    @precondition(lambda self: self.sid)
    @rule(number=st.integers(1, 3))
    def skip_numbers(self, number: int) -> None:
        for _ in range(number):
            self.plan.gap(self.sid, self.now)
        self.suspect = {ticker for ticker in self.plan.held if ticker in self.complete}

    @precondition(lambda self: self.late)
    @rule()
    def answer_late(self) -> None:
        """Another command may be in flight. Its answer will be the later one."""
        command = self.late.pop(0)
        self.plan.acknowledged_late(command, self.sid, self.now)

    def send_book(self, ticker: str) -> None:
        if ticker in self.books:
            self.suspect.discard(ticker)
            self.complete.add(ticker)
            self.plan.snapshot(ticker, self.sid)

    def end(self) -> None:
        self.sid, self.late = 0, []
        self.books, self.complete, self.suspect = set(), set(), set()

    # -- the outcome of a command -------------------------------------------------------------------

    @rule(outcome=st.sampled_from(["answer", "early", "lost", "lost answer", "limit"]))
    def turn(self, outcome: str) -> None:
        """Take the next command at its due time, unless one is in flight; then draw its outcome."""
        self.now = max(self.now, self.plan.wake_at() or 0.0)
        self.ask()
        if self.command is not None:
            if not outcome.startswith("lost"):
                self.late = []  # an answer overtakes those to earlier commands
            getattr(self, outcome.replace(" ", "_"))(self.command)
            self.command = None

    def answer(self, command: Command, early: bool = False) -> None:
        """The exchange does what it should. With `early` a book overtakes the acknowledgement."""
        if not self.knows(command):
            self.plan.unknown(self.now)  # code 7, unknown sid
            self.plan.sid_over(command.sid, self.now)
        elif command.action in ADDS and BAD & set(command.tickers):
            self.plan.bad_market(11, self.now)
        else:
            self.take_effect(command)
            if early and self.due and command.action in ADDS:
                self.send_book(self.due.pop())
            self.plan.acknowledged(self.sid or command.sid, self.now)

    def early(self, command: Command) -> None:
        self.answer(command, early=True)

    def lost(self, command: Command) -> None:
        self.plan.unknown(self.now)

    def lost_answer(self, command: Command) -> None:
        if self.knows(command) and not (command.action in ADDS and BAD & set(command.tickers)):
            self.take_effect(command)
            if command.action in (*ADDS, Action.DELETE):
                self.late.append(command)
        self.plan.unknown(self.now)

    def limit(self, command: Command) -> None:
        surplus, may_be_held = self.plan.over_limit(self.now)
        assert set(surplus) <= self.wanted
        if may_be_held:  # the session is given up
            self.end()
            self.due = []
            self.plan = make_plan(self.wanted)

    def knows(self, command: Command) -> bool:
        return command.action is Action.SUBSCRIBE or command.sid == self.sid

    def take_effect(self, command: Command) -> None:
        tickers = set(command.tickers)
        if command.action is Action.SNAPSHOT:
            self.due.extend(t for t in command.tickers if t in self.books)
        elif command.action in ADDS:
            if not self.sid:
                self.sids += 1
                self.sid = self.sids
            self.due.extend(t for t in command.tickers if t not in self.books)
            self.books |= tickers
        elif command.action is Action.DELETE:
            self.books -= tickers
            self.complete -= tickers
            self.suspect -= tickers
        elif self.sid:
            self.end()

    # -- what must be true -------------------------------------------------------------------------

    @invariant()
    def nothing_is_owed_for_a_market_nobody_wants(self) -> None:
        assert all(t in self.wanted for t in TICKERS if t in self.plan.owed)

    @invariant()
    def a_recovery_is_over_when_every_book_came(self) -> None:
        for done in self.plan.recoveries.take_done(self.now):
            stale = {t for t in self.suspect if t in self.wanted and t in self.plan.held}
            assert not stale, f"{done} without the books of {stale}"

    def teardown(self) -> None:
        """Once no faults happen, the exchange has exactly the wanted markets."""
        for _ in range(500):
            self.turn("answer")
            for ticker in self.due:
                self.send_book(ticker)
            self.due = []
            due = self.plan.wake_at()
            if due is None or (due == self.plan.rejected.next_due() and due > self.now and not self.plan.owed.late):
                break
            self.now = max(self.now, due)
            self.plan.overdue(self.now)
        assert self.plan.wake_at() is None or self.plan.rejected, "never quiet"
        assert self.plan.in_flight is None
        assert self.books == self.wanted - BAD
        assert {t for t in TICKERS if t in self.plan.held} == self.books
        assert set(self.plan.rejected) == self.wanted & BAD
        assert self.plan.is_settled and not len(self.plan.owed)
        assert not self.suspect, f"no fresh book of {self.suspect}"
        self.a_recovery_is_over_when_every_book_came()
        assert not any(self.plan.recoveries.waits(sid) for sid in range(self.sids + 1))


class BookPlanTests(SynchronousTestCase):
    """The planner alone."""

    def test_it_converges_whatever_happens(self) -> None:
        """It survives lost, late and rejected commands, ended subscriptions and changed wishes in any order."""
        run_state_machine_as_test(
            PlanMachine, settings=settings(max_examples=500, stateful_step_count=20, deadline=None)
        )

    def test_first_subscribe_then_add_last_out_unsubscribes(self) -> None:
        """The first batch makes a sid, later ones join it, and the last market to leave ends it."""
        wanted = set(TICKERS)
        plan = make_plan(wanted)
        actions = []
        for _ in range(2):
            command = plan.next_command(0.0)
            assert command is not None
            actions.append((command.action, len(command.tickers), command.sid))
            plan.acknowledged(3, 0.0)
        for ticker in sorted(wanted):
            plan.snapshot(ticker, 3)
        for ticker in sorted(wanted):
            wanted.discard(ticker)
            plan.unwant(ticker)
        command = plan.next_command(0.0)
        assert command is not None
        actions.append((command.action, len(command.tickers), command.sid))
        self.assertEqual(actions, [(Action.SUBSCRIBE, 4, 0), (Action.ADD, 2, 3), (Action.UNSUBSCRIBE, 6, 3)])

    def test_adds_wait_for_owed_books(self) -> None:
        """When twice the batch is owed, the next add waits for a snapshot."""
        tickers = [f"M{n}" for n in range(12)]
        plan = make_plan(set(tickers))
        for _ in range(2):
            plan.next_command(0.0)
            plan.acknowledged(1, 0.0)
        self.assertIsNone(plan.next_command(0.0))
        plan.snapshot(next(t for t in tickers if t in plan.owed), 1)
        self.assertIsNotNone(plan.next_command(0.0))

    def test_a_late_book_is_asked_for_at_once_and_then_reported(self) -> None:
        """A late book is asked for by `get_snapshot`. If it is late again, the market is silent. It stays owed."""
        plan = make_plan({"A"})
        plan.next_command(0.0)
        plan.acknowledged(1, 0.0)
        self.assertEqual(plan.overdue(31.0), [])
        command = plan.next_command(31.0)
        assert command is not None
        self.assertEqual((command.action, command.tickers), (Action.SNAPSHOT, ("A",)))
        plan.acknowledged(0, 31.0)
        self.assertEqual(plan.overdue(62.0), ["A"])
        self.assertEqual((len(plan.owed), plan.owed.late, plan.wake_at()), (1, 1, 120.0))

    def test_a_late_book_is_asked_for_for_ever(self) -> None:
        """The pauses grow to ten minutes and then stay so. The book ends it, whenever it comes."""
        plan, now, asked = make_plan({"A"}), 0.0, []
        while now < 3 * 86_400:
            plan.overdue(now)
            command = plan.next_command(now)
            if command is not None:
                asked.append(now)
                if command.action is Action.SNAPSHOT:
                    plan.unanswered()
                else:
                    plan.acknowledged(1, now)
            due = plan.wake_at()
            assert due is not None, "it gave up"
            now = due
        pauses = [after - before for before, after in pairwise(asked)]
        self.assertEqual(pauses[:7], [30.0, 60.0, 90.0, 150.0, 270.0, 510.0, 630.0])
        self.assertEqual(set(pauses[7:]), {630.0})
        plan.snapshot("A", 1)
        self.assertEqual((len(plan.owed), plan.owed.late, plan.wake_at()), (0, 0, None))

    def test_silent_markets_do_not_stop_the_adds(self) -> None:
        """Markets whose book never comes do not count as a batch that is still to be sent."""
        wanted = {f"M{n}" for n in range(8)}
        plan = make_plan(wanted)
        for now in (0.0, 0.0, 31.0):
            plan.overdue(now)
            if plan.next_command(now) is not None:
                plan.acknowledged(1, now)
        self.assertEqual(plan.owed.late, 8)
        wanted.add("new")
        plan.want("new")
        commands = [plan.next_command(31.0)]
        self.assertEqual([command and command.tickers for command in commands], [("new",)])

    def test_batches_shrink_after_failures_and_grow_slowly(self) -> None:
        """The batch halves at every failure and grows a step at every success."""
        plan = make_plan({f"M{n}" for n in range(100)}, batch_size=16)
        plan.next_command(0.0)
        plan.unknown(0.0)
        self.assertEqual((plan.batch, plan.next_command(0.5)), (8, None))
        command = plan.next_command(1.0)
        assert command is not None
        plan.acknowledged(1, 1.0)
        self.assertEqual((len(command.tickers), plan.batch), (8, 9))

    def test_a_refused_add_may_be_there_all_the_same(self) -> None:
        """A market that is not wanted after an error is added until that is acknowledged, and then deleted."""
        wanted = {"A"}
        plan = make_plan(wanted)
        plan.next_command(0.0)
        wanted.discard("A")
        plan.unwant("A")
        plan.unknown(0.0)
        actions = []
        for _ in range(2):
            command = plan.next_command(100.0)
            assert command is not None
            actions.append(command.action)
            plan.acknowledged(1, 100.0)
        self.assertEqual(actions, [Action.SUBSCRIBE, Action.UNSUBSCRIBE])

    def test_a_refused_delete_may_have_happened_all_the_same(self) -> None:
        """A market that is wanted again after the error is added again; it does not count as held."""
        wanted = {"A", "B"}
        plan = make_plan(wanted)
        plan.next_command(0.0)
        plan.acknowledged(1, 0.0)
        wanted.discard("A")
        plan.unwant("A")
        plan.next_command(0.0)
        plan.unknown(0.0)
        wanted.add("A")
        plan.want("A")
        command = plan.next_command(100.0)
        assert command is not None
        self.assertEqual((command.action, command.tickers), (Action.ADD, ("A",)))

    def test_what_did_not_fit_is_not_asked_for_again(self) -> None:
        """The first answer was lost, and the second is code 26. The market moves to another connection and is not tried
        here again. Whether the first try took effect shows only in a new session."""
        wanted = {"A"}
        plan = make_plan(wanted)
        plan.next_command(0.0)
        plan.unknown(0.0)
        plan.next_command(100.0)
        self.assertEqual(plan.over_limit(100.0), (["A"], True))
        wanted.discard("A")
        plan.unwant("A")
        self.assertIsNone(plan.next_command(1000.0))
        self.assertEqual(plan.wake_at(), None)

    def test_a_refused_market_is_tried_again(self) -> None:
        """It is tried ten minutes later, alone: the exchange may accept it then."""
        plan = make_plan({"A"})
        plan.next_command(0.0)
        plan.bad_market(14, 0.0)
        self.assertEqual((dict(plan.rejected), plan.wake_at()), ({"A": 14}, 600.0))
        plan.overdue(600.0)
        command = plan.next_command(600.0)
        assert command is not None
        self.assertEqual((command.tickers, dict(plan.rejected)), (("A",), {}))
        plan.acknowledged(1, 600.0)
        self.assertTrue(plan.is_settled)

    def test_markets_on_sids_of_their_own(self) -> None:
        """If the exchange gives each market a sid, the snapshot names it and the delete uses it."""
        wanted = {"A", "B"}
        plan = make_plan(wanted)
        plan.next_command(0.0)
        plan.acknowledged(1, 0.0)
        plan.snapshot("A", 1)
        plan.snapshot("B", 2)
        wanted.discard("B")
        plan.unwant("B")
        command = plan.next_command(0.0)
        assert command is not None
        self.assertEqual((command.action, command.sid, command.tickers), (Action.UNSUBSCRIBE, 2, ("B",)))

    def test_a_gap_refreshes_every_book_of_the_sid(self) -> None:
        """All books may be wrong; the recovery ends with the last snapshot."""
        plan = make_plan({"A", "B"})
        plan.next_command(0.0)
        plan.acknowledged(1, 0.0)
        for ticker in "AB":
            plan.snapshot(ticker, 1)
        plan.gap(1, 10.0)
        command = plan.next_command(10.0)
        assert command is not None
        self.assertEqual((command.action, set(command.tickers)), (Action.SNAPSHOT, {"A", "B"}))
        plan.snapshot("A", 1)
        self.assertEqual(plan.recoveries.take_done(11.0), [])
        plan.snapshot("B", 1)
        self.assertEqual(plan.recoveries.take_done(12.0), [Recovered(1, 2.0, 1)])

    def test_a_recovery_waits_for_the_last_book(self) -> None:
        """A book that is late does not end the recovery. It is asked for until it comes."""
        plan = held_with_books("AB")
        plan.gap(1, 10.0)
        plan.next_command(10.0)
        plan.unanswered()
        plan.snapshot("A", 1)
        for now in (41.0, 72.0, 103.0, 700.0):
            plan.overdue(now)
            if plan.next_command(now) is not None:
                plan.unanswered()
            self.assertEqual(plan.recoveries.take_done(now), [])
        plan.snapshot("B", 1)
        self.assertEqual(plan.recoveries.take_done(800.0), [Recovered(1, 790.0, 1)])

    def test_a_storm_of_gaps_asks_once_for_each_round_of_books(self) -> None:
        """A further gap costs nothing, until a book has come that it makes suspect. Then one more round follows."""
        plan = held_with_books("AB")
        rounds: list[int] = []
        begin = plan.recoveries.begin

        def count(sid: int, tickers: Iterable[str]) -> None:
            rounds.append(sid)
            begin(sid, tickers)

        self.patch(plan.recoveries, "begin", count)
        for _ in range(100):
            plan.gap(1, 10.0)
        self.assertEqual(len(rounds), 1)
        plan.next_command(10.0)
        plan.snapshot("A", 1)
        plan.unanswered()
        for _ in range(100):
            plan.gap(1, 11.0)
        self.assertEqual(len(rounds), 1)
        plan.snapshot("B", 1)
        command = plan.next_command(11.0)
        assert command is not None
        self.assertEqual((len(rounds), plan.recoveries.take_done(11.0)), (2, []))
        self.assertEqual((command.action, set(command.tickers)), (Action.SNAPSHOT, {"A", "B"}))
        for ticker in "AB":
            plan.snapshot(ticker, 1)
        self.assertEqual(plan.recoveries.take_done(12.0), [Recovered(1, 2.0, 200)])

    def test_an_early_book_does_not_outlive_its_subscription(self) -> None:
        """The book came before the acknowledgement, then the subscription ended. The next one owes the book again."""
        plan = make_plan({"A"})
        plan.next_command(0.0)
        plan.snapshot("A", 1)
        plan.sid_over(1, 0.0)
        plan.unknown(0.0)
        plan.next_command(100.0)
        plan.acknowledged(2, 100.0)
        self.assertIn("A", plan.owed)

    def test_a_market_that_is_wanted_again_gets_its_book(self) -> None:
        """It was not wanted for a moment, so the book that it is owed was forgotten. It is asked for again."""
        wanted = {"A", "B"}
        plan = make_plan(wanted)
        plan.next_command(0.0)
        plan.acknowledged(1, 0.0)
        wanted.discard("A")
        plan.unwant("A")
        wanted.add("A")
        plan.want("A")
        command = plan.next_command(0.0)
        assert command is not None
        self.assertEqual((command.action, command.tickers), (Action.SNAPSHOT, ("A",)))

    def test_a_late_acknowledgement_counts(self) -> None:
        """The markets are held, and the halves that were to be repeated are not."""
        plan = make_plan({"A", "B"})
        command = plan.next_command(0.0)
        assert command is not None
        plan.unknown(5.0)
        self.assertEqual(set(plan.acknowledged_late(command, 1, 5.5)), {"A", "B"})
        self.assertEqual((set(plan.held), plan.is_settled), ({"A", "B"}, True))
        self.assertIsNone(plan.next_command(6.0))

    def test_a_late_acknowledgement_while_the_repetition_is_in_flight(self) -> None:
        """The repetition changes nothing any more: the book that came in between is not owed again."""
        plan = make_plan({"A"})
        command = plan.next_command(0.0)
        assert command is not None
        plan.unknown(5.0)
        plan.next_command(6.0)
        plan.acknowledged_late(command, 1, 6.5)
        plan.snapshot("A", 1, 7)
        plan.acknowledged(1, 12.0)
        self.assertEqual((len(plan.owed), plan.is_settled), (0, True))
        held = plan.held.get("A")
        assert held is not None
        self.assertEqual(held.book_at, 7)

    def test_a_late_delete_counts(self) -> None:
        """The market is not held any more. If it is wanted again, it is added again."""
        wanted = {"A", "B"}
        plan = held_with_books("AB", wanted)
        wanted.discard("A")
        plan.unwant("A")
        command = plan.next_command(0.0)
        assert command is not None
        plan.unknown(5.0)
        plan.acknowledged_late(command, 1, 5.5)
        self.assertEqual((set(plan.held), plan.is_settled), ({"B"}, True))
