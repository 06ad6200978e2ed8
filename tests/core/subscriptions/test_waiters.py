"""Who waits for what."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.subscriptions.correlation import Waiters


class WaitersTests(SynchronousTestCase):
    """Waiters."""

    def test_each_has_a_promise_of_its_own(self) -> None:
        """What one does with its result is nothing to the other; keys do not mix."""
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
        """And the key with the last of them."""
        waiters: Waiters[str, None] = Waiters()
        first, second = waiters.wait("a"), waiters.wait("a")
        first.cancel()
        self.failureResultOf(first)
        self.assertIn("a", waiters)
        second.cancel()
        self.failureResultOf(second)
        self.assertNotIn("a", waiters)

    def test_waiting_again_while_being_told(self) -> None:
        """Who waits anew in a callback waits for the next time, also when it is an error."""
        waiters: Waiters[str, int] = Waiters()
        again: list[Any] = []
        waiters.wait("a").addCallback(lambda _: again.append(waiters.wait("a")))
        waiters.fire("a", 1)
        self.assertNoResult(again[0])
        again[0].addErrback(lambda _: again.append(waiters.wait("a")))
        waiters.fail_all(ValueError("over"))
        self.assertNoResult(again[1])
        self.assertIn("a", waiters)
