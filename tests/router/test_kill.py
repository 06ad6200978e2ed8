"""The router with its real threads, in a process of its own that is killed: the socket-free end-to-end check."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

import gatherer
from gatherer.capture_format.reading import read_capture, read_lines, segments_of
from gatherer.router.segment_router import SegmentRouter
from gatherer.values import Marker
from tests.router.support import AT, messages

FLUSH_INTERVAL = 0.2
CHILD = """
import sys, time
from twisted.internet import reactor, task
from gatherer.values import RawMessage
from gatherer.router.segment_router import SegmentRouter
router = SegmentRouter(sys.argv[1], reactor, flush_interval=float(sys.argv[2]), segment_bytes=4_000)
router.start()
n = 0
def feed():
    global n
    now = time.time_ns()
    router.deliver([RawMessage(b'{"n":%d}' % i, 7, now) for i in range(n, n + 100)])
    n += 100
    sys.stdout.write("%d %d\\n" % (n, now))
    sys.stdout.flush()
task.LoopingCall(feed).start(0.005)
reactor.run()
"""


class _Child(ProcessProtocol):
    """Collects what the child says until it is dead."""

    def __init__(self) -> None:
        self.said: list[tuple[int, int]] = []
        self.ended: Deferred[bool] = Deferred()
        self.enough: Deferred[None] = Deferred()
        self._rest = b""

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            n, at = line.split()
            self.said.append((int(n), int(at)))
        if len(self.said) > 150 and not self.enough.called:
            self.enough.callback(None)

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(bool(reason.check(ProcessDone)))


class KillTests(TestCase):
    """SIGKILL."""

    timeout = 30

    async def test_loses_at_most_the_flush_interval(self) -> None:
        """After SIGKILL every line is complete and in order, what is missing is younger than `flush_interval`,
        `zstdcat` reads the recovered files, and the next start takes the directory over."""
        directory = Path(self.mktemp())
        child = _Child()
        root = str(Path(gatherer.__file__).parent.parent)
        process = reactor.spawnProcess(
            child,
            sys.executable,
            [sys.executable, "-c", CHILD, str(directory), str(FLUSH_INTERVAL)],
            env={**os.environ, "PYTHONPATH": root},
        )
        await child.enough
        process.signalProcess(signal.SIGKILL)
        self.assertFalse(await child.ended, "it ended by itself")
        delivered, killed_at = child.said[-1]

        router = SegmentRouter(directory, reactor)
        router.start()
        await router.close()
        numbers = [record["data"]["n"] for record in read_capture(directory) if "data" in record]
        self.assertEqual(numbers, list(range(len(numbers))))
        must_be_there = max(n for n, at in child.said if at < killed_at - FLUSH_INTERVAL * 1e9)
        self.assertGreaterEqual(len(numbers), must_be_there)
        self.assertLessEqual(len(numbers), delivered + 100)

        paths = segments_of(directory)
        self.assertGreater(len(paths), 1)
        self.assertEqual({path.suffix for path in paths}, {".zst"})
        text = await deferToThread(subprocess.check_output, ["zstdcat", *map(str, paths)])
        self.assertEqual(text.splitlines(), list(read_lines(directory)))
        for line in text.splitlines():
            json.loads(line)


class ThreadsTests(TestCase):
    """Real threads in this process."""

    timeout = 30

    async def test_a_burst_within_one_reactor_turn_is_not_dropped_for_want_of_a_turn(self) -> None:
        """The writer takes block after block while the reactor is still busy delivering."""
        router = SegmentRouter(self.mktemp(), reactor, segment_bytes=1 << 30)
        router.start()
        sent = 0
        deadline = time.monotonic() + 10
        while sent < 60_000:  # one turn: no callback of the reactor can run
            if router.backlog() > 9_000:
                self.assertLess(time.monotonic(), deadline, "the writer waits for the reactor")
                os.sched_yield()
                continue
            router.deliver(messages(50, start=sent))
            sent += 50
        self.assertEqual(router.dropped, 0)
        await router.close()
        self.assertEqual(router.written, sent)

    async def test_everything_is_on_disk_when_close_fires(self) -> None:
        """Messages and markers of many segments come back complete and in order."""
        directory = Path(self.mktemp())
        router = SegmentRouter(directory, reactor, segment_bytes=2_000, flush_interval=0.01)
        router.start()
        for start in range(0, 8_000, 40):
            router.deliver(messages(40, start=start))
        router.mark(Marker("session_down", 7, AT))
        await router.close()
        records = [record for record in read_capture(directory) if record.get("marker") != "segment_start"]
        self.assertEqual(records.pop()["marker"], "run_end")
        self.assertEqual([record["data"]["n"] for record in records[:-1]], list(range(8_000)))
        self.assertEqual(records[-1]["marker"], "session_down")
        self.assertEqual({path.suffix for path in segments_of(directory)}, {".zst"})
