"""Tests for `gatherer.app.service` and the stop that uses it: nothing can hold it up for ever."""

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.app.service import IDLE_SECONDS, SETTLE_SECONDS, SOCKETS_SECONDS, Gatherer, StopTimeouts
from tests.app.test_service import Events, FakeManager, FakeRegistry, FakeRest, FakeRouter


class PatienceTests(SynchronousTestCase):
    """One wait, on a fake clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.patience = StopTimeouts(self.clock)
        self.ending: Deferred[None] = Deferred()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def test_it_ends_when_the_thing_does(self) -> None:
        """At once for what is over already; no timer is left."""
        self.successResultOf(self.patience.wait("x", succeed(None), 3.0))
        wait = self.patience.wait("x", self.ending, 3.0)
        self.assertNoResult(wait)
        self.ending.callback(None)
        self.successResultOf(wait)

    def test_it_ends_when_time_is_up(self) -> None:
        """The thing itself goes on, and may end later without harm."""
        wait = self.patience.wait("x", self.ending, 3.0)
        self.clock.advance(2.9)
        self.assertNoResult(wait)
        self.clock.advance(0.2)
        self.successResultOf(wait)
        self.ending.callback(None)

    def test_a_failure_is_an_end(self) -> None:
        """It is logged, and the stop goes on."""
        wait = self.patience.wait("x", self.ending, 3.0)
        self.ending.errback(ZeroDivisionError())
        self.successResultOf(wait)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_lost_patience_ends_every_wait(self) -> None:
        """The one under way and those to come."""
        wait = self.patience.wait("x", self.ending, 3.0)
        self.patience.lose()
        self.successResultOf(wait)
        self.successResultOf(self.patience.wait("y", Deferred(), 3.0))


class HungStopTests(SynchronousTestCase):
    """A gatherer of which nothing ends by itself."""

    def setUp(self) -> None:
        self.clock, self.events = Clock(), Events()
        self.router, self.manager = FakeRouter(self.events), FakeManager(self.events)
        registry, rest = FakeRegistry(self.events), FakeRest(self.events)
        for part, name in ((registry, "stop"), (rest, "close"), (self.manager, "stopService")):
            self.patch(part, name, Deferred)
        self.gatherer = Gatherer(self.router, rest, self.manager, registry, self.clock, self.events.append)
        self.gatherer.startService()
        self.manager.setServiceParent(self.gatherer)
        self.events.clear()

    def test_the_capture_is_closed_in_time(self) -> None:
        """Whatever hangs: 4.5 s, and 5 more for a disk that refuses are less than the 10 of a supervisor."""
        stopped = self.gatherer.stopService()
        for seconds in (SETTLE_SECONDS, SOCKETS_SECONDS, IDLE_SECONDS):
            self.assertEqual(self.events, [])
            self.clock.advance(seconds)
        self.successResultOf(stopped)
        self.assertEqual((self.events, self.clock.getDelayedCalls()), (["router closed"], []))
        self.assertLess(self.clock.seconds() + 5.0, 10.0)

    def test_a_second_signal_hurries(self) -> None:
        """Nothing is waited for any more, except for the capture."""
        stopped = self.gatherer.stopService()
        closed: Deferred[None] = Deferred()
        self.patch(self.router, "close", lambda: closed)
        self.gatherer.hurry()
        self.assertNoResult(stopped)
        closed.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
