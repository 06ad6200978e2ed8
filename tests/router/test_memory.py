"""MemoryRouter, which the tests of other packages use."""

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.interfaces import IMessageRouter
from gatherer.router.memory import MemoryRouter
from gatherer.values import Marker, RawMessage


class MemoryRouterTests(SynchronousTestCase):
    """Order, selection, close."""

    def test_keeps_the_contract(self) -> None:
        """MemoryRouter provides IMessageRouter."""
        verifyObject(IMessageRouter, MemoryRouter())

    def test_records_stay_in_order(self) -> None:
        """Messages and markers are kept in the order they were handed over."""
        router = MemoryRouter()
        first, last = RawMessage(b"{}", 7, 1), RawMessage(b"[]", 7, 3)
        gap = Marker("gap", 7, 2)
        router.deliver([first])
        router.mark(gap)
        router.deliver([last])
        self.assertEqual(router.records, [first, gap, last])
        self.assertEqual(router.messages(), [first, last])
        self.assertEqual(router.markers(), [gap])
        self.assertEqual(router.markers("session_up"), [])
        self.assertEqual((router.batches, router.backlog(), router.status().received), (2, 0, 2))

    def test_close_fires_every_time(self) -> None:
        """Each close() has its own Deferred that fires with None."""
        router = MemoryRouter()
        self.assertIsNone(self.successResultOf(router.close()))
        self.assertIsNone(self.successResultOf(router.close()))
        self.assertTrue(router.closed)

    def test_a_later_change_of_the_batch_is_not_seen(self) -> None:
        """What the caller does to its list afterwards does not reach the records."""
        router = MemoryRouter()
        batch = [RawMessage(b"{}", 7, 1)]
        router.deliver(batch)
        batch.clear()
        self.assertEqual(len(router.records), 1)
