"""Tests for `gatherer.core.subscriptions.retries`."""

from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.subscriptions.retries import RETRY_SECONDS, RejectedMarkets


class SetAsideTests(SynchronousTestCase):
    """Rejected markets wait for their next try."""

    def test_each_is_due_once(self) -> None:
        """They come in the order of the rejections, and not before their time."""
        aside = RejectedMarkets()
        aside.put("A", 11, 0.0)
        aside.put("B", 14, 5.0)
        self.assertEqual((dict(aside), aside.next_due()), ({"A": 11, "B": 14}, RETRY_SECONDS))
        self.assertEqual(aside.take_due(RETRY_SECONDS), ["A"])
        self.assertEqual(aside.take_due(RETRY_SECONDS + 100), ["B"])
        self.assertEqual((dict(aside), aside.next_due()), ({}, None))

    def test_what_was_taken_out_is_not_due(self) -> None:
        """A market that was wanted again, or is not wanted any more, is not tried."""
        aside = RejectedMarkets()
        aside.put("A", 11, 0.0)
        del aside["A"]
        self.assertIsNone(aside.next_due())
        self.assertEqual(aside.take_due(RETRY_SECONDS), [])
        aside.put("A", 11, RETRY_SECONDS)
        self.assertEqual(aside.next_due(), 2 * RETRY_SECONDS)
