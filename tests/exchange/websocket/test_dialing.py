"""Tests for `gatherer.exchange.websocket.dialing`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.exchange.websocket.dialing import MAX_INTERVAL, DialPacer


class DialPacerTests(SynchronousTestCase):
    """All dials pass one pacer."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.pacer = DialPacer(self.clock, 10.0)
        self.dialled: list[float] = []

    def dial(self) -> None:
        """A dial that the pacer calls."""
        self.dialled.append(round(self.clock.seconds(), 3))

    def test_a_crowd_goes_one_by_one(self) -> None:
        """150 dials take 15 s at 10 a second; the first starts at once."""
        for _ in range(150):
            self.pacer.admit(self.dial)
        self.clock.pump([0.01] * 2000)
        self.assertEqual((len(self.dialled), self.dialled[0]), (150, 0.01))
        self.assertGreaterEqual(self.dialled[-1], 14.9)
        self.assertTrue(all(b - a >= 0.0999 for a, b in zip(self.dialled, self.dialled[1:], strict=False)))

    def test_a_429_slows_those_that_wait(self) -> None:
        """The pace of all dials halves, down to a limit. It comes back step by step."""
        for _ in range(3):
            self.pacer.admit(self.dial)
        self.clock.advance(0)
        self.pacer.slow_down()
        self.clock.pump([0.0625] * 20)
        self.assertEqual(self.dialled, [0.0, 0.25, 0.5])
        for _ in range(20):
            self.pacer.slow_down()
        self.assertEqual(self.pacer.interval, MAX_INTERVAL)
        for _ in range(20):
            self.pacer.speed_up()
        self.assertEqual(self.pacer.interval, 0.1)

    def test_who_withdraws_is_not_called(self) -> None:
        """It leaves no timer behind."""
        leave = [self.pacer.admit(self.dial) for _ in range(2)]
        for call in leave:
            call()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        leave[0]()
