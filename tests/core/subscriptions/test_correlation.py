"""Tests for `gatherer.core.subscriptions.correlation`."""

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.core.subscriptions.correlation import PendingCommands, Waiters
from gatherer.errors import CommandRejected, SessionLost
from gatherer.interfaces import ICommandCorrelator


class PendingCommandsTests(SynchronousTestCase):
    """Replies find their commands."""

    def setUp(self) -> None:
        self.pending = PendingCommands()

    def test_it_is_a_correlator(self) -> None:
        """The contract holds."""
        verifyObject(ICommandCorrelator, self.pending)

    def test_replies_in_any_order(self) -> None:
        """Each reply fires its own command; ids start at 1, because 0 means none on the wire."""
        (one, first), (two, second) = self.pending.issue(), self.pending.issue()
        self.assertEqual((one, two), (1, 2))
        self.assertTrue(self.pending.resolve(two, "b"))
        self.assertNoResult(first)
        self.assertTrue(self.pending.resolve(one, "a"))
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), ("a", "b"))

    def test_unknown_late_and_repeated_replies_are_counted(self) -> None:
        """None of them raises an error or fires a Deferred twice."""
        command_id, reply = self.pending.issue()
        self.assertFalse(self.pending.resolve(99, None))
        self.pending.resolve(command_id, 5)
        self.assertFalse(self.pending.resolve(command_id, 6))
        self.assertFalse(self.pending.fail(command_id, CommandRejected(8, "late")))
        self.assertEqual((self.successResultOf(reply), self.pending.strays), (5, 3))

    def test_cancelling_forgets_the_command(self) -> None:
        """After a timeout the late reply is a stray."""
        command_id, reply = self.pending.issue()
        reply.cancel()
        self.failureResultOf(reply, CancelledError)
        self.assertEqual(self.pending.pending, 0)
        self.assertFalse(self.pending.resolve(command_id, None))

    def test_a_lost_socket_leaves_nobody_waiting(self) -> None:
        """Every waiting command fails, even if an errback issues a new one."""
        replies = [self.pending.issue()[1] for _ in range(3)]
        again = []
        replies[0].addErrback(lambda _: again.append(self.pending.issue()[1]))
        self.pending.fail_all(SessionLost("cut"))
        for reply in replies[1:]:
            self.failureResultOf(reply, SessionLost)
        self.assertNoResult(again[0])
        self.assertEqual(self.pending.pending, 1)


class WaitersTests(SynchronousTestCase):
    """Deferreds by key."""

    def test_each_has_its_own_deferred(self) -> None:
        """One caller's callbacks do not change the result of another; keys do not mix."""
        waiters: Waiters[int, Any] = Waiters()
        first, second, other = waiters.wait(1), waiters.wait(1), waiters.wait(2)
        first.addCallback(lambda value: value + 1)
        waiters.fire(1, 7)
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), (8, 7))
        self.assertNoResult(other)
        waiters.fire(2, 0)
        waiters.fire(2, 1)
        self.assertEqual(self.successResultOf(other), 0)

    def test_who_gives_up_is_forgotten(self) -> None:
        """A cancelled Deferred is forgotten, and the key with the last of them."""
        waiters: Waiters[str, None] = Waiters()
        first, second = waiters.wait("a"), waiters.wait("a")
        first.cancel()
        self.failureResultOf(first)
        self.assertIn("a", waiters)
        second.cancel()
        self.failureResultOf(second)
        self.assertNotIn("a", waiters)

    def test_waiting_again_while_being_told(self) -> None:
        """A wait that begins in a callback or an errback is for the next event."""
        waiters: Waiters[str, int] = Waiters()
        again: list[Any] = []
        waiters.wait("a").addCallback(lambda _: again.append(waiters.wait("a")))
        waiters.fire("a", 1)
        self.assertNoResult(again[0])
        again[0].addErrback(lambda _: again.append(waiters.wait("a")))
        waiters.fail_all(ValueError("over"))
        self.assertNoResult(again[1])
        self.assertIn("a", waiters)
