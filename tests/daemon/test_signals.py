"""Tests for `gatherer.daemon.signals`: real signals to real processes."""

import json
import signal
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase, TestCase

from gatherer.daemon.signals import SignalActions
from tests.support.processes import Run, python, twistd

STUCK = """
import time
from twisted.internet import reactor
from gatherer.daemon.signals import leave_in_time, stop_on_signals
stop_on_signals(reactor)
leave_in_time(reactor, lambda: %d)
reactor.callInThread(time.sleep, 600)
reactor.callWhenRunning(print, "runs", flush=True)
reactor.run()
"""
SLOW = """
from twisted.internet import defer, reactor
from gatherer.daemon.signals import stop_on_signals
ending = defer.Deferred()
reactor.addSystemEventTrigger("before", "shutdown", lambda: (print("stopping", flush=True), ending)[1])
stop_on_signals(reactor, lambda: ending.callback(None))
reactor.callWhenRunning(print, "runs", flush=True)
reactor.run()
"""


class ProcessTests(TestCase):
    """Each process ends within the time of the test."""

    timeout = 90

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.folder = folder.resolve()

    async def test_a_thread_that_hangs_does_not_keep_the_process(self) -> None:
        """The status is right although a thread still waits, as for a name server."""
        for status in (0, 1):
            run = python(str(self.folder), STUCK % status)
            await run.saw("runs")
            run.transport.signalProcess(signal.SIGTERM)
            self.assertEqual(await run.ended, status, run.output)

    async def test_the_second_signal_stops_sooner(self) -> None:
        """The first signal stops cleanly and may take long; the second one stops sooner."""
        run = python(str(self.folder), SLOW)
        await run.saw("runs")
        run.transport.signalProcess(signal.SIGTERM)
        await run.saw("stopping")
        self.assertFalse(run.ended.called)
        run.transport.signalProcess(signal.SIGINT)
        self.assertEqual(await run.ended, 0, run.output)

    async def demo(self, *before: str) -> Run:
        """A small running gatherer."""
        run = twistd(
            str(self.folder), "--demo", "--demo-markets", "100", GATHERER_WEB_LISTEN="", GATHERER_POOL_ORDERBOOK="4",
            before=before,
        )  # fmt: skip
        return run

    async def test_a_state_dump_of_a_running_service(self) -> None:
        """SIGUSR1 writes one complete file for its owner only, and a log line names it."""
        run = await self.demo()
        await run.saw("complete after")
        run.transport.signalProcess(signal.SIGUSR1)
        await run.saw("state dump written to")
        (path,) = (self.folder / "capture" / "dumps").iterdir()
        self.assertIn(str(path), run.output)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        state = json.loads(path.read_text())
        self.assertEqual(len(state["manager"]["connections"]), 10)
        self.assertIn("MainThread", " ".join(state["threads"]))
        run.transport.signalProcess(signal.SIGTERM)
        self.assertEqual(await run.ended, 0, run.output)

    async def test_twistds_own_log_file_does_not_take_the_signal(self) -> None:
        """twistd does not rotate its --logfile on SIGUSR1."""
        run = await self.demo("--logfile", "log")
        log = self.folder / "log"
        await self.until(lambda: log.exists() and "complete after" in log.read_text())
        run.transport.signalProcess(signal.SIGUSR1)
        await self.until(lambda: "state dump written to" in log.read_text())
        self.assertEqual([path.name for path in self.folder.glob("log*")], ["log"])
        run.transport.signalProcess(signal.SIGTERM)
        self.assertEqual(await run.ended, 0, run.output)

    async def until(self, condition: object) -> None:
        """Wait until the condition holds: a file sends no event."""
        from twisted.internet import reactor
        from twisted.internet.task import deferLater

        while not condition():  # type: ignore[operator]
            await deferLater(reactor, 0.1)  # type: ignore[arg-type]


class SignalActionsTests(SynchronousTestCase):
    """Signals before and after the service has started."""

    def test_before_the_start(self) -> None:
        """A signal before the start costs a log line, and the program goes on."""
        actions = SignalActions()
        actions.reload()
        actions.dump()
        actions.stop_sooner()

    def test_a_bug_is_logged_and_ends_nothing(self) -> None:
        """If the action of a signal fails, the reactor goes on."""

        async def broken() -> None:
            raise ZeroDivisionError

        actions = SignalActions()
        actions.start(lambda: None, broken, broken)
        actions.reload()
        actions.dump()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
