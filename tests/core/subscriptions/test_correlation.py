"""Tests for `gatherer.core.subscriptions.correlation`."""

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.core.subscriptions.correlation import PendingCommands
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
