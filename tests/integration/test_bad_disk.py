"""The whole program on a disk that refuses or does not answer: it ends in time, with status 1 and the truth."""

import signal
from pathlib import Path
from time import monotonic

from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from gatherer.capture_format import read_capture
from tests.support.pair import Pair

MAX_STOP = 10.0
"""Seconds, as promised; a supervisor waits no longer."""
BAD_DISK = """
import errno, os, threading
from gatherer.capture_format import Disk
def write(self, fd, data):
    if os.path.exists("full"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if os.path.exists("hung"):
        threading.Event().wait()
    return os.write(fd, data)
Disk.write = write
from twisted.scripts.twistd import run; run()
"""
"""`twistd`; the disk becomes bad when a file of that name appears."""


class BadDiskTests(TestCase):
    """gatherer and an exchange as two processes."""

    timeout = 120

    def setUp(self) -> None:
        self.pair = Pair(Path(self.mktemp()))
        self.addCleanup(self.pair.end)

    async def stopped(self, name: str, seconds: float, sign: str = "") -> str:
        """Spoil the disk, wait so long or for a line of the log, stop; what was printed. It ended in time, with 1."""
        from twisted.internet import reactor

        await self.pair.open_exchange()
        gatherer = self.pair.start(script=BAD_DISK)
        await gatherer.saw("complete after")
        (self.pair.folder / name).touch()
        if sign:
            await gatherer.saw(sign)
        await deferLater(reactor, seconds)  # type: ignore[arg-type]
        began = monotonic()
        gatherer.transport.signalProcess(signal.SIGTERM)
        self.assertEqual(await gatherer.ended, 1, gatherer.output)
        self.assertLess(monotonic() - began, MAX_STOP)
        self.assertNotIn("Traceback", gatherer.output)
        self.assertNotIn("the capture is complete on disk", gatherer.output)
        markers = [record.get("marker") for record in read_capture(self.pair.folder / "capture")]
        self.assertNotIn("run_end", markers)
        return gatherer.output

    async def test_a_full_disk(self) -> None:
        """The log says how many messages are missing, where, and why."""
        output = await self.stopped("full", 0.0, "cannot be written")
        capture = self.pair.folder / "capture"
        self.assertRegex(output, rf"not complete on disk: \d+ messages, .* to {capture}: \[Errno 28\] No space left")
        self.assertEqual(list(capture.glob("*.open")), [])

    async def test_a_write_that_never_returns(self) -> None:
        """The process does not wait for it for ever."""
        output = await self.stopped("hung", 3.0)
        self.assertRegex(output, r"not complete on disk: \d+ messages, .*: the disk does not answer")
