"""Tests for `gatherer.core.planning`: the plan against a model of an exchange that loses, refuses and ends things."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.backoff import Backoff
from gatherer.core.commands import Action, Command
from gatherer.core.planning import ADDS, BookPlan

TICKERS = [f"M{n}" for n in range(12)]
BAD = frozenset({"M5", "M11"})
"""Markets the modelled exchange refuses even alone."""


def make_plan(wanted: set[str], batch_size: int = 4) -> BookPlan:
    """A plan with small numbers and no jitter."""
    return BookPlan(wanted, batch_size, 30.0, Backoff(1.0, 8.0, 2.0, 0.0, lambda: 0.5))


class PlanMachine(RuleBasedStateMachine):
    """The exchange is a set and a sid; every command meets a fate of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted: set[str] = set()
        self.plan = make_plan(self.wanted)
        self.now = 0.0
        self.sids = 0
        self.sid = 0
        self.books: set[str] = set()
        self.due: list[str] = []
        self.command: Command | None = None

    # -- the world -----------------------------------------------------------------------------

    @rule(ticker=st.sampled_from(TICKERS))
    def want(self, ticker: str) -> None:
        self.wanted.add(ticker)
        self.plan.want(ticker)

    @rule(ticker=st.sampled_from(TICKERS))
    def unwant(self, ticker: str) -> None:
        self.wanted.discard(ticker)
        self.plan.unwant(ticker)

    @rule(seconds=st.sampled_from([0.5, 3.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.plan.overdue(self.now)

    @precondition(lambda self: self.command is None)
    @rule()
    def ask(self) -> None:
        self.command = self.plan.next_command(self.now)
        if self.command is not None:
            assert self.command.tickers, "an empty list can mean all markets"
            assert len(self.command.tickers) <= 4 or self.command.action is Action.UNSUBSCRIBE
            assert len(set(self.command.tickers)) == len(self.command.tickers)

    @precondition(lambda self: self.due)
    @rule(data=st.data())
    def snapshot(self, data: st.DataObject) -> None:
        ticker = self.due.pop(data.draw(st.integers(0, len(self.due) - 1)))
        if ticker in self.books:
            self.plan.snapshot(ticker, self.sid)

    @precondition(lambda self: self.sid)
    @rule()
    def end_of_subscription(self) -> None:
        self.plan.sid_over(self.sid, self.now)
        self.sid, self.books = 0, set()

    @precondition(lambda self: self.sid)
    @rule()
    def gap(self) -> None:
        self.plan.gap(self.sid, self.now)

    # -- the fate of a command -------------------------------------------------------------------

    @precondition(lambda self: self.command is not None)
    @rule(early=st.booleans())
    def answer(self, early: bool) -> None:
        """The exchange does what it should; with `early`, a book overtakes the acknowledgement."""
        command = self.command
        assert command is not None
        if command.sid not in (0, self.sid):
            self.plan.refused(self.now)  # unknown sid
        elif command.action in ADDS and BAD & set(command.tickers):
            self.plan.bad_market(11, self.now)
        else:
            self.take_effect(command)
            if early and self.due and command.action in ADDS:
                self.plan.snapshot(self.due.pop(), self.sid)
            self.plan.acknowledged(self.sid or command.sid, self.now)
        self.command = None

    @precondition(lambda self: self.command is not None)
    @rule(took_effect=st.booleans())
    def lose(self, took_effect: bool) -> None:
        """No reply comes: the command, or only its answer, got lost."""
        command = self.command
        assert command is not None
        if took_effect and command.sid in (0, self.sid) and not (command.action in ADDS and BAD & set(command.tickers)):
            self.take_effect(command)
        self.plan.unknown(self.now)
        self.command = None

    @precondition(lambda self: self.command is not None)
    @rule(limit=st.booleans())
    def refuse(self, limit: bool) -> None:
        """Too fast, or too many."""
        surplus = self.plan.over_limit(self.now) if limit else []
        if not limit:
            self.plan.refused(self.now)
        assert set(surplus) <= self.wanted
        self.command = None

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
        elif self.sid:
            self.sid, self.books = 0, set()

    # -- what must be true -------------------------------------------------------------------------

    @invariant()
    def nothing_is_believed_that_is_not_so(self) -> None:
        held = {t for t in TICKERS if t in self.plan.held}
        assert held <= self.books or self.command is not None

    @invariant()
    def nothing_is_owed_for_a_market_nobody_wants(self) -> None:
        assert all(t in self.wanted for t in TICKERS if t in self.plan.owed)

    def teardown(self) -> None:
        """Once everything is quiet, the exchange has what is wanted: nothing more, nothing less."""
        for _ in range(500):
            if self.command is None:
                self.ask()
            if self.command is not None:
                self.answer(early=False)
            while self.due:
                self.plan.snapshot(self.due.pop(), self.sid)
            due = self.plan.wake_at()
            if due is None:
                break
            self.now = max(self.now, due)
            self.plan.overdue(self.now)
        assert self.plan.wake_at() is None, "never quiet"
        assert self.plan.in_flight is None
        assert self.books == self.wanted - BAD
        assert {t for t in TICKERS if t in self.plan.held} == self.books
        assert set(self.plan.rejected) == self.wanted & BAD
        assert self.plan.is_settled and not len(self.plan.owed)


class BookPlanTests(SynchronousTestCase):
    """The plan alone."""

    def test_it_converges_whatever_happens(self) -> None:
        """Lost, late and refused commands, ended subscriptions and changes of mind in any order."""
        run_state_machine_as_test(PlanMachine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))

    def test_first_subscribe_then_add_last_out_unsubscribes(self) -> None:
        """One sid: the first batch makes it, later ones join it, and the last market out ends it."""
        wanted = set(TICKERS[:6])
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
        """Twice the batch may be owed; then the next add waits for a snapshot."""
        plan = make_plan(set(TICKERS))
        for _ in range(2):
            plan.next_command(0.0)
            plan.acknowledged(1, 0.0)
        self.assertIsNone(plan.next_command(0.0))
        plan.snapshot(next(t for t in TICKERS if t in plan.owed), 1)
        self.assertIsNotNone(plan.next_command(0.0))

    def test_a_late_book_is_asked_for_once_and_then_reported(self) -> None:
        """First `get_snapshot`, then the market is silent."""
        plan = make_plan({"A"})
        plan.next_command(0.0)
        plan.acknowledged(1, 0.0)
        self.assertEqual(plan.overdue(31.0), [])
        command = plan.next_command(31.0)
        assert command is not None
        self.assertEqual((command.action, command.tickers), (Action.SNAPSHOT, ("A",)))
        plan.acknowledged(0, 31.0)
        self.assertEqual(plan.overdue(62.0), ["A"])
        self.assertIsNone(plan.wake_at())

    def test_batches_shrink_in_trouble_and_grow_slowly(self) -> None:
        """Halved at every failure, one step up at every success."""
        plan = make_plan(set(f"M{n}" for n in range(100)), batch_size=16)
        plan.next_command(0.0)
        plan.refused(0.0)
        self.assertEqual((plan.batch, plan.next_command(0.5)), (8, None))
        command = plan.next_command(1.0)
        assert command is not None
        plan.acknowledged(1, 1.0)
        self.assertEqual((len(command.tickers), plan.batch), (8, 9))

    def test_markets_on_sids_of_their_own(self) -> None:
        """An exchange that gives each market a sid: the snapshot tells it, and the delete goes there."""
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
        """All books are suspect; the recovery ends with the last snapshot."""
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
        self.assertEqual(plan.recoveries.take_done(12.0), [(1, 2.0)])
