"""Captures that were not ended well, or are not all there."""

import json
import os
import signal
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

import gatherer
import tests
from gatherer.capture_format.reading import segments_of
from gatherer.capture_format.segment_file import segment_name, segment_time
from gatherer.coverage.judge import judge
from gatherer.coverage.report import duration, utc
from gatherer.coverage.timeline import Standing
from gatherer.errors import GathererError
from gatherer.router.segments import SegmentRouter
from gatherer.values import Marker, RawMessage
from tests.router.support import AT, Rig

ROOT = os.pathsep.join(str(Path(package.__file__ or "").parent.parent) for package in (gatherer, tests))
"""Both packages' folders: under tox they are not the same."""
TICKER = "KXTEST-1"
SECOND = 1_000_000_000
CHILD = """
import sys, time
from twisted.internet import reactor, task
from gatherer.values import Marker, RawMessage
from gatherer.router.segments import SegmentRouter
from tests.coverage.test_runs import book
router = SegmentRouter(sys.argv[1], reactor, flush_interval=0.1, segment_bytes=20_000)
router.start()
router.mark(Marker("session_up", 7, time.time_ns(), {"ping_timeout": 30.0}))
router.mark(Marker("markets_added", 7, time.time_ns(), {"sid": 1, "tickers": ["KXTEST-1"]}))
router.deliver([book("snapshot", time.time_ns(), 1)])
seq = 1
def feed():
    global seq
    now = time.time_ns()
    router.deliver([book("delta", now, seq + n + 1) for n in range(50)])
    seq += 50
    sys.stdout.write("%d\\n" % now)
    sys.stdout.flush()
task.LoopingCall(feed).start(0.005)
reactor.run()
"""


def book(kind: str, at: int, seq: int) -> RawMessage:
    """A message about the market's book on connection 7, sid 1."""
    data = {"type": f"orderbook_{kind}", "sid": 1, "seq": seq, "msg": {"market_ticker": TICKER}}
    return RawMessage(json.dumps(data).encode(), 7, at)


class _Child(ProcessProtocol):
    """Collects the times the child said until it is dead."""

    def __init__(self) -> None:
        self.said = b""
        self.enough: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self.said += data
        if self.said.count(b"\n") > 150 and not self.enough.called:
            self.enough.callback(None)

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(None)


class KillTests(TestCase):
    """SIGKILL, with real segments."""

    timeout = 30

    async def test_complete_until_the_last_message_then_a_hole_to_the_next_run(self) -> None:
        """Nothing after the last record on disk is vouched for, nearly everything before it is."""
        directory, child = Path(self.mktemp()), _Child()
        process = reactor.spawnProcess(
            child, sys.executable, [sys.executable, "-c", CHILD, str(directory)], env={**os.environ, "PYTHONPATH": ROOT}
        )
        await child.enough
        process.signalProcess(signal.SIGKILL)
        await child.ended
        last_said = int(child.said.split()[-1])
        alone = judge(directory, TICKER)
        self.assertTrue(alone.is_complete and alone.is_growing)
        self.assertTrue(last_said - SECOND < alone.end <= last_said + SECOND // 10)

        router = SegmentRouter(directory, reactor)
        router.start()
        router.mark(Marker("session_up", 7, last_said + 5 * SECOND, {"ping_timeout": 30.0}))
        router.deliver([book("snapshot", last_said + 9 * SECOND, 1)])
        router.deliver([book("delta", last_said + 10 * SECOND, 2)])
        await router.close()
        (hole,) = judge(directory, TICKER).holes
        self.assertEqual((hole.start, hole.end), (alone.end, last_said + 9 * SECOND))
        self.assertEqual(hole.causes[0].kind, "broke_off")


class SegmentsTests(SynchronousTestCase):
    """A capture of ten segments, one a second."""

    def capture(self) -> Path:
        """One market, a snapshot in the first and in the sixth segment, deltas in all."""
        rig = Rig(self, segment_bytes=1)
        rig.router.mark(Marker("session_up", 7, AT))
        rig.router.mark(Marker("markets_added", 7, AT, {"sid": 1, "tickers": [TICKER, "OTHER"]}))
        for number in range(10):
            kind = "snapshot" if number in (0, 5) else "delta"
            rig.router.deliver([book(kind, AT + number * SECOND, number + 1)])
            rig.clock.advance(2)
        rig.router.mark(Marker("session_down", 7, AT + 10 * SECOND, {"since": AT + 9 * SECOND, "stopped": True}))
        rig.close()
        return rig.directory

    def standings(self, directory: Path, *when: int) -> list[str]:
        """The answers in order; times in seconds after the first."""
        verdict = judge(directory, TICKER, *(AT + second * SECOND for second in when))
        return [interval.standing.value for interval in verdict.intervals]

    def test_only_what_is_needed_is_read(self) -> None:
        """From the latest book before FROM to the first message behind TO, with the same answer."""
        directory = self.capture()
        self.assertEqual(len(segments_of(directory)), 12)
        self.assertEqual(self.standings(directory), ["complete", "not carried"])
        verdict = judge(directory, TICKER, AT + 6 * SECOND, AT + 7 * SECOND)
        self.assertEqual([i.standing for i in verdict.intervals], [Standing.COMPLETE])
        self.assertLess(verdict.segments, 6)

    def test_a_missing_segment_is_a_hole(self) -> None:
        """Until the next snapshot, whatever was in it."""
        directory = self.capture()
        segments_of(directory)[3].unlink()
        self.assertEqual(self.standings(directory), ["complete", "hole", "complete", "not carried"])

    def test_a_segment_cut_short_is_a_hole(self) -> None:
        """As if it were missing: its last records are."""
        directory = self.capture()
        path = segments_of(directory)[3]
        path.write_bytes(path.read_bytes() + b"\x28\xb5\x2f\xfd")
        self.assertEqual(self.standings(directory), ["complete", "hole", "complete", "not carried"])

    def test_without_the_first_segments(self) -> None:
        """A book whose snapshot is not there has a hole until the next one."""
        directory = self.capture()
        for path in segments_of(directory)[:2]:
            path.unlink()
        self.assertEqual(self.standings(directory), ["hole", "complete", "not carried"])
        self.assertEqual(judge(segments_of(directory)[5], TICKER).holes[0].causes[0].kind, "missing_segments")

    def test_outside_the_capture_nothing_is_vouched_for(self) -> None:
        """Time before the first and after the last record is a hole when it is asked for."""
        self.assertEqual(self.standings(self.capture(), -5, 20), ["hole", "complete", "not carried", "hole"])

    def test_what_is_no_capture_is_named(self) -> None:
        """A directory without segments, a file of something else, a damaged frame."""
        empty = Path(self.mktemp())
        empty.mkdir()
        self.assertIn(str(empty), str(self.assertRaises(GathererError, judge, empty, TICKER)))
        other = empty / "other.jsonl.zst"
        other.write_text("no")
        self.assertIn("no zstd frame", str(self.assertRaises(GathererError, judge, other, TICKER)))
        path = segments_of(self.capture())[0]
        data = bytearray(path.read_bytes())
        data[-3] ^= 0xFF
        path.write_bytes(data)
        self.assertIn("damaged", str(self.assertRaises(GathererError, judge, path, TICKER)))


class TimesTests(SynchronousTestCase):
    """In and out."""

    def test_utc(self) -> None:
        """A time is shown to the nanosecond."""
        self.assertEqual(utc(1_795_464_000_123_456_789), "2026-11-23T20:00:00.123456789Z")

    def test_duration(self) -> None:
        """Days to microseconds, without what is not there."""
        self.assertEqual(duration(90_061_000_002_000), "1 d 1 h 1 min 1.000002 s")
        self.assertEqual(duration(0), "0.000000 s")

    def test_the_time_in_a_segments_name(self) -> None:
        """To the microsecond; other names have none."""
        self.assertEqual(segment_time(segment_name(AT, 3)), AT // 1000 * 1000)
        self.assertEqual(segment_time("notes.txt"), None)
