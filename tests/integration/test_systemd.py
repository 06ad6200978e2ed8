"""gatherer under a supervisor with systemd's protocol, and the unit under systemd's own checks."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from tests.support.processes import Run, twistd
from tests.support.supervising import Supervisor

UNIT = Path(__file__).resolve().parents[2] / "conf" / "systemd" / "gatherer.service"
WATCHDOG = "1500000"
"""Microseconds between two signs of life."""


class SupervisedTests(TestCase):
    """The demo as a service of `Type=notify`."""

    timeout = 120

    async def start(self) -> tuple[Run, Supervisor]:
        """Wait until it is ready."""
        from twisted.internet import reactor

        supervisor = Supervisor(reactor)
        supervisor.open()
        self.addCleanup(supervisor.close)
        folder = Path(self.mktemp())
        folder.mkdir()
        run = twistd(
            str(folder.resolve()), "--demo", "--demo-markets", "300", "--demo-churn", "0", GATHERER_WEB_LISTEN="",
            NOTIFY_SOCKET=supervisor.address, WATCHDOG_USEC=WATCHDOG,
        )  # fmt: skip
        self.addCleanup(self.end, run)
        await supervisor.hears("READY=1")
        return run, supervisor

    async def end(self, run: Run) -> None:
        """Kill it if it still runs."""
        if not run.ended.called:
            run.transport.signalProcess(signal.SIGKILL)
            await run.ended

    async def test_a_life(self) -> None:
        """It asks for more time, is ready with 100 connections, reports a reload and its stop, and has status 0."""
        run, supervisor = await self.start()
        self.assertIn("EXTEND_TIMEOUT_USEC=30000000", supervisor.heard[0])
        self.assertRegex("\n".join(supervisor.heard), r"READY=1\nSTATUS=1\d\d of 150 connections live")
        await supervisor.hears("WATCHDOG=1")
        run.transport.signalProcess(signal.SIGHUP)
        self.assertRegex(await supervisor.hears("RELOADING=1"), r"MONOTONIC_USEC=\d+$")
        self.assertIn("0 changes", await supervisor.hears("READY=1"))
        stopping = supervisor.hears("STOPPING=1")
        run.transport.signalProcess(signal.SIGTERM)
        await stopping
        self.assertEqual(await run.ended, 0, run.output)
        self.assertIn("STOPPING=1", supervisor.heard[-1])

    async def test_a_hang_is_noticed_and_explained(self) -> None:
        """A reactor that hangs sends no sign of life. systemd's signal makes it print its position."""
        run, supervisor = await self.start()
        run.transport.signalProcess(signal.SIGSTOP)
        await supervisor.silence("WATCHDOG=1", 0.2)  # datagrams on their way
        self.assertTrue(await supervisor.silence("WATCHDOG=1", int(WATCHDOG) / 1e6))
        run.transport.signalProcess(signal.SIGABRT)
        run.transport.signalProcess(signal.SIGCONT)
        self.assertEqual(await run.ended, -signal.SIGABRT)
        self.assertIn("Fatal Python error: Aborted", run.output)
        self.assertIn("in mainLoop", run.output)


class UnitTests(SynchronousTestCase):
    """conf/systemd/gatherer.service, where systemd is installed."""

    def setUp(self) -> None:
        if which("systemd-analyze") is None:
            raise SkipTest("systemd-analyze is not installed")

    def analyze(self, *arguments: str) -> Any:
        """The output of systemd-analyze, without a running systemd."""
        return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60)

    def test_systemd_understands_every_line(self) -> None:
        """The unit has no unknown key and no ignored value. The program is one that exists here."""
        path = Path(self.mktemp()).with_suffix(".service").absolute()
        path.write_text(UNIT.read_text().replace("/opt/gatherer/bin/twistd", sys.executable))
        verified = self.analyze("verify", "--man=no", str(path))
        told = [line for line in (verified.stdout + verified.stderr).splitlines() if path.name in line]
        self.assertEqual(told, [])

    def test_it_is_as_closed_as_the_docs_say(self) -> None:
        """`systemd-analyze security` gives the figure of docs/running.md, or a similar one in another version."""
        judged = self.analyze("security", "--offline=true", "--no-pager", str(UNIT))
        if judged.returncode and "unrecognized option" in judged.stderr:
            raise SkipTest("this systemd-analyze cannot judge a file")
        found = re.search(r"Overall exposure level for gatherer.service: ([\d.]+)", judged.stdout)
        assert found is not None, judged.stdout + judged.stderr
        self.assertLessEqual(float(found[1]), 1.5)
        if self.analyze("--version").stdout.startswith("systemd 252"):
            self.assertIn(found[0], (UNIT.parents[2] / "docs" / "running.md").read_text())

    def test_memory_may_be_written_and_executed(self) -> None:
        """The unit must not have it: with MemoryDenyWriteExecute cffi has no callbacks, so pyOpenSSL has no TLS."""
        self.assertNotIn("MemoryDenyWriteExecute=yes", UNIT.read_text().splitlines())
