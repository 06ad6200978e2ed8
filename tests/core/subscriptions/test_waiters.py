"""Tests for `Waiters` of `gatherer.core.subscriptions.correlation`."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.subscriptions.correlation import Waiters


class WaitersTests(SynchronousTestCase):
    """Deferreds by key."""

    def test_each_has_a_promise_of_its_own(self) -> None:
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
