"""Tests for `gatherer.core.wire.handshake`. `tests.exchange.websocket.test_client` has refused upgrades."""

from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.wire.handshake import clock_skew


class ClockSkewTests(SynchronousTestCase):
    """What a `Date` header says about our clock."""

    def test_date_headers(self) -> None:
        """A readable date gives the skew; a missing or damaged one gives none."""
        self.assertEqual(clock_skew("Thu, 15 Oct 2026 14:00:00 GMT", 1792072803.0), 3.0)
        for damaged in ("", "yesterday", "Thu, 99 Oct 2026 14:00:00 GMT"):
            self.assertIsNone(clock_skew(damaged, 0.0))
