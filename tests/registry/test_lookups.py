"""Look-ups: one market that REST cannot tell holds up no other."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.registry.test_registry import RegistryRig, make_row


class OddMarketTests(SynchronousTestCase):
    """Market A is odd in several ways. B and C have ended unnoticed."""

    def setUp(self) -> None:
        """All are carried, and a walk has just found that they vanished."""
        self.rig = RegistryRig(self, make_row("A"), make_row("B"), make_row("C"))
        self.rig.start()
        self.rig.got("add A", "add B", "add C")
        self.rig.rest.put(make_row("B", "finalized"))
        del self.rig.rest.rows["C"]
        self.rig.rest.asked.clear()

    def miss(self) -> None:
        """No book came for any of them."""
        for ticker in "ABC":
            self.rig.registry.market_missed(ticker)

    def test_request_that_fails_for_ever(self) -> None:
        """While the request for one market fails again and again, all others are looked up within seconds."""
        self.rig.rest.broken.add("A")
        self.miss()
        self.rig.wait(10)
        self.rig.got("remove B", "remove C")
        for _ in range(5):
            self.rig.wait(200)
            self.rig.rest.put(make_row("B"))
            self.rig.wait(400)
            self.rig.rest.put(make_row("B", "finalized"))
            self.rig.registry.market_missed("B")
            self.rig.wait(2)
            self.assertNotIn("B", self.rig.registry.active())

    def test_request_that_hangs(self) -> None:
        """While the request for one market is under way, look-ups of others begin and end."""
        self.rig.rest.unreadable.add("A")
        self.rig.registry.market_missed("A")
        self.rig.wait(1)
        held: list[Deferred[None]] = []
        self.rig.rest.held = held
        self.rig.rest.unreadable.add("A")
        self.rig.registry.market_missed("A")
        self.rig.wait(1)
        held.pop().callback(None)
        self.rig.settle()
        self.assertEqual(self.rig.asked()[-1], "market A")
        self.rig.rest.held = None
        self.rig.registry.market_missed("B")
        self.rig.wait(1)
        self.rig.got("remove B")
        held.pop().callback(None)

    def test_ticker_that_the_exchange_refuses(self) -> None:
        """A ticker for which the exchange refuses the whole request is asked for alone, and the others without it."""
        self.rig.rest.refused.add("A")
        self.miss()
        self.rig.wait(2)
        self.rig.got("remove B", "remove C")
        self.assertIn("market A", self.rig.asked())

    def test_failed_batch_forgets_none(self) -> None:
        """An unexpected error of ours puts the tickers back into the queue."""

        def explode(*_: object) -> None:
            raise ZeroDivisionError

        self.patch(self.rig.registry._table, "looked_up", explode)
        self.miss()
        self.rig.wait(2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        del self.rig.registry._table.looked_up  # type: ignore[method-assign]
        self.rig.wait(31)
        self.rig.got("remove B", "remove C")
