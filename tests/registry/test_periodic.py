"""Chores: never twice at once, never forgotten, gone after stop."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.registry.periodic import PeriodicTask


class ChoreTests(SynchronousTestCase):
    """A task whose action waits until the test lets it end."""

    def setUp(self) -> None:
        """A task that has not been asked to run."""
        self.clock = Clock()
        self.started: list[float] = []
        self.running: list[Deferred[float | None]] = []
        self.task = PeriodicTask(self.clock, "test", self.act)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    async def act(self) -> float | None:
        """Note the time, then wait for the test."""
        self.started.append(self.clock.seconds())
        ending: Deferred[float | None] = Deferred()
        self.running.append(ending)
        return await ending

    def end(self, result: float | None) -> None:
        """Let the run under way end."""
        self.running.pop().callback(result)

    def test_runs_when_asked_and_when_it_says(self) -> None:
        """It runs after `run_within`, and again after as many seconds as the action returned."""
        self.task.run_within(5)
        self.clock.pump([4, 1])
        self.end(10)
        self.clock.pump([9, 1])
        self.end(None)
        self.clock.advance(100)
        self.assertEqual(self.started, [5, 15])

    def test_earliest_wish_counts(self) -> None:
        """A later wish does not put off an earlier one, and an earlier one brings it forward."""
        self.task.run_within(10)
        self.task.run_within(20)
        self.task.run_within(5)
        self.clock.advance(5)
        self.end(None)
        self.assertEqual(self.started, [5])

    def test_never_twice_at_once(self) -> None:
        """Asked while it runs, it runs once more afterwards, not meanwhile."""
        self.task.run_within()
        self.clock.advance(0)
        self.task.run_within()
        self.task.run_within(3)
        self.clock.advance(50)
        self.assertEqual((self.started, self.task.busy), ([0], True))
        self.end(1000)
        self.clock.advance(0)
        self.end(None)
        self.assertEqual((self.started, self.task.busy), ([0, 50], False))

    def test_hurried_from_within(self) -> None:
        """An action that asks for another run before its first wait gets exactly one."""
        runs = []

        async def again() -> float | None:
            runs.append(self.clock.seconds())
            if len(runs) == 1:
                task.run_within()
            return None

        task = PeriodicTask(self.clock, "test", again)
        task.run_within()
        self.clock.pump([0, 0, 0])
        self.assertEqual(runs, [0, 0])

    def test_survives_a_bug(self) -> None:
        """An unforeseen error is logged, and the task goes on half a minute later."""
        self.task.run_within()
        self.clock.advance(0)
        self.running.pop().errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(30)
        self.end(None)
        self.assertEqual(self.started, [0, 30])

    def test_stop(self) -> None:
        """Stopping cancels what runs and what is scheduled; afterwards nothing starts it again."""
        self.task.run_within()
        self.clock.advance(0)
        self.task.run_within(5)
        self.successResultOf(self.task.stop())
        self.successResultOf(self.task.stop())
        self.task.run_within()
        self.clock.advance(100)
        self.assertEqual((self.started, self.task.busy), ([0], False))

    def test_stop_before_the_first_run(self) -> None:
        """A scheduled run is cancelled by stop."""
        self.task.run_within(5)
        self.successResultOf(self.task.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_waits_for_the_action(self) -> None:
        """An action that tidies up after its cancellation is waited for, by everyone who asked."""
        tidied: Deferred[None] = Deferred()

        async def slow() -> float | None:
            try:
                await Deferred()
            finally:
                await tidied
            return None

        task = PeriodicTask(self.clock, "test", slow)
        task.run_within()
        self.clock.advance(0)
        stops = [task.stop(), task.stop()]
        for stopped in stops:
            self.assertNoResult(stopped)
        tidied.callback(None)
        for stopped in stops:
            self.successResultOf(stopped)
