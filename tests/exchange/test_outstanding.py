"""Tests for `gatherer.exchange.outstanding` and `gatherer.exchange.reports`."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.backoff import Backoff
from gatherer.core.histograms import Measurements
from gatherer.core.subscriptions.book_planner import BookPlanner
from gatherer.core.subscriptions.commands import Action, Command
from gatherer.errors import CommandTimeout, SessionLost
from gatherer.exchange.counters import Counters
from gatherer.exchange.outstanding import MAX_LATE, Outstanding
from gatherer.exchange.reports import MAX_NAMED, ProgressReports
from tests.exchange.test_command_queue import RecordingOwner

ADD = Command(Action.ADD, "orderbook_delta", ("A",), 1)
SNAPSHOT = Command(Action.SNAPSHOT, "orderbook_delta", ("A",), 1)


class OutstandingTests(SynchronousTestCase):
    """Replies in time, late replies and silence."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.outstanding = Outstanding(self.clock, 5.0, self.counters, Measurements().reply_latency)

    def send(self, command: Command = ADD) -> tuple[int, Deferred[Any]]:
        """A command whose reply has no other listener."""
        return self.outstanding.issue(command)

    def let_expire(self, command: Command = ADD) -> int:
        """A command whose deadline passes."""
        command_id, reply = self.send(command)
        while not reply.called:
            self.clock.advance(1.0)
        self.failureResultOf(reply, CommandTimeout)
        return command_id

    def test_a_late_reply_finds_its_command_once(self) -> None:
        """It is a sample of the reply times, too."""
        command_id = self.let_expire()
        self.clock.advance(2.0)
        self.assertFalse(self.outstanding.resolve(command_id, 1))
        self.assertIs(self.outstanding.take(command_id), ADD)
        self.assertIsNone(self.outstanding.take(command_id))
        self.assertEqual((self.counters.replies, self.counters.reply_seconds), (1, 7.0))

    def test_a_later_reply_overtakes(self) -> None:
        """What the earlier command did is not the state any more."""
        early = self.let_expire()
        later, reply = self.send()
        self.assertTrue(self.outstanding.resolve(later, 1))
        self.outstanding.take(later)
        self.assertEqual(self.successResultOf(reply), 1)
        self.assertIsNone(self.outstanding.take(early))

    def test_the_end_of_a_subscription_forgets_what_is_late(self) -> None:
        """The command that waits in time is kept."""
        early = self.let_expire()
        later, reply = self.send()
        self.outstanding.forget_late()
        self.assertIsNone(self.outstanding.take(early))
        self.assertIs(self.outstanding.take(later), ADD)
        self.outstanding.close(SessionLost("over"))
        self.failureResultOf(reply, SessionLost)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_few_are_remembered(self) -> None:
        """The oldest go first. A `get_snapshot` has no acknowledgement that could come late."""
        ids = [self.let_expire() for _ in range(MAX_LATE + 3)]
        self.assertIsNone(self.outstanding.take(ids[2]))
        self.assertIs(self.outstanding.take(ids[3]), ADD)
        self.assertIsNone(self.outstanding.take(self.let_expire(SNAPSHOT)))

    def test_silent_markets_are_no_silent_exchange(self) -> None:
        """A `get_snapshot` of silent markets has no answer. That says nothing about the exchange."""
        for _ in range(50):
            self.let_expire(SNAPSHOT)
        self.assertFalse(self.outstanding.is_silent)
        while not self.outstanding.is_silent:
            self.let_expire()
        self.assertEqual(self.outstanding.unanswered_seconds, 60.0)


class WithoutBookTests(SynchronousTestCase):
    """The marker `without_book`."""

    def test_it_says_when_it_gets_worse_and_when_it_is_over(self) -> None:
        """One marker when markets turn late, one whenever their number has halved, and one with 0 at the end."""
        tickers = [f"M{number:03}" for number in range(200)]
        planner = BookPlanner(set(tickers), 500, 30.0, Backoff(1.0, 8.0, 2.0, 0.0, lambda: 0.5))
        marks: list[dict[str, Any]] = []
        reports = ProgressReports(
            "orderbook_delta-7", planner, RecordingOwner(), Counters(), lambda kind, **facts: marks.append(facts)
        )
        planner.next_command(0.0)
        planner.acknowledged(1, 0.0)
        reports.look(0.0)
        self.assertEqual(marks, [])
        planner.overdue(30.0)
        for number, ticker in enumerate(tickers):
            reports.look(31.0 + number)
            planner.snapshot(ticker, 1)
        reports.look(300.0)
        self.assertEqual([each["count"] for each in marks], [200, 100, 50, 25, 12, 6, 3, 1, 0])
        self.assertEqual((len(marks[0]["tickers"]), marks[0]["sid"]), (MAX_NAMED, 1))
        self.assertEqual(len(marks[3]["tickers"]), 25)
