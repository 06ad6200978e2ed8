"""Captures that were not ended well, or are not all there."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import zstandard
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

import gatherer
import tests
from gatherer.capture_format import CaptureDirectory, read_blocks, segments_of
from gatherer.capture_format.segment_file import segment_name, segment_time
from gatherer.coverage import BadRequest, FeedCoverage, State, coverage_of, gatherer_names
from gatherer.coverage.report import duration, utc
from gatherer.errors import GathererError
from gatherer.router.segment_router import SegmentRouter
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
from gatherer.router.segment_router import SegmentRouter
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


def book(kind: str, at: int, seq: int, ticker: str = TICKER) -> RawMessage:
    """A message about a market's book on connection 7, sid 1."""
    data = {"type": f"orderbook_{kind}", "sid": 1, "seq": seq, "msg": {"market_ticker": ticker}}
    return RawMessage(json.dumps(data).encode(), 7, at)


def verdict(directory: Path, *period: int, skip_damaged: bool = False) -> FeedCoverage:
    """What the capture says of the market."""
    start, end = period or (None, None)
    return coverage_of([directory], tickers=[TICKER], start=start, end=end, skip_damaged=skip_damaged).book(TICKER)


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
        (alone,) = verdict(directory).holes
        self.assertTrue(last_said - SECOND < alone.start <= last_said + SECOND // 10)
        self.assertIn("without the last marker", alone.why)

        router = SegmentRouter(directory, reactor)
        router.start()
        router.mark(Marker("session_up", 7, last_said + 5 * SECOND, {"ping_timeout": 30.0}))
        router.deliver([book("snapshot", last_said + 9 * SECOND, 1)])
        router.deliver([book("delta", last_said + 10 * SECOND, 2)])
        await router.close()
        hole = verdict(directory).holes[0]
        self.assertEqual((hole.start, hole.end), (alone.start, last_said + 9 * SECOND))
        self.assertIn("killed or crashed", hole.why)


class CaptureTestCase(SynchronousTestCase):
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

    def cut_end(self, directory: Path) -> None:
        """Take away everything after the last message."""
        for path in reversed(segments_of(directory)):
            if b'"seq_gap"' in b"".join(read_blocks(path)):
                return
            path.unlink()

    def states(self, directory: Path, *when: int) -> list[str]:
        """The answers in order; times in seconds after the first."""
        return [i.state.value for i in verdict(directory, *(AT + second * SECOND for second in when)).intervals]


class SegmentsTests(CaptureTestCase):
    """Which of its segments are there."""

    def test_a_whole_capture(self) -> None:
        """The default range ends behind the last record, so that the stop is in it."""
        self.assertEqual(self.states(self.capture()), ["complete", "not_carried"])
        self.assertEqual(self.states(self.capture(), 6, 7), ["complete"])

    def test_a_missing_segment_is_a_hole(self) -> None:
        """Until the next snapshot, whatever was in it."""
        directory = self.capture()
        segments_of(directory)[3].unlink()
        self.assertEqual(self.states(directory), ["complete", "hole", "complete", "not_carried"])

    def test_without_the_first_segments(self) -> None:
        """A book whose snapshot is not there has a hole until the next one, even if only deltas are left of it."""
        directory = self.capture()
        for path in segments_of(directory)[:2]:
            path.unlink()
        self.assertEqual(self.states(directory), ["hole", "complete", "not_carried"])
        found = verdict(segments_of(directory)[0])
        self.assertEqual([i.state for i in found.intervals], [State.HOLE])
        self.assertIn("before this capture", found.intervals[0].why)

    def test_a_channel_without_the_first_segments(self) -> None:
        """Its first message on a connection proves that it is subscribed: from there on it is complete."""
        rig = Rig(self, segment_bytes=1)
        for conn_id in (3, 4):
            rig.router.mark(Marker("session_up", conn_id, AT, {"role": "trade"}))
            rig.router.mark(Marker("markets_added", conn_id, AT, {"sid": 1, "channel": "trade", "tickers": []}))
        for second in range(1, 9):
            rig.clock.advance(2)
            rig.router.deliver([RawMessage(b'{"type":"trade","sid":1,"seq":1}', 3 + second % 2, AT + second * SECOND)])
        rig.router.mark(Marker("gap", 3, AT + 8 * SECOND, {"sid": 1, "size": 1, "since": AT + 5 * SECOND}))
        for conn_id in (3, 4):
            rig.router.mark(
                Marker("session_down", conn_id, AT + 9 * SECOND, {"since": AT + 8 * SECOND, "stopped": True})
            )
        rig.close()
        first = next(path for path in segments_of(rig.directory) if b'"seq":1' in b"".join(read_blocks(path)))
        for path in segments_of(rig.directory):
            if path <= first:
                path.unlink()
        (feed,) = coverage_of([rig.directory], channels=["trade"]).feeds
        states = [(i.state.value, (i.start - AT) // SECOND) for i in feed.intervals]
        self.assertEqual(states[0], ("complete", 2))
        self.assertEqual([state for state, _ in states if state == "hole"], [])

    def test_outside_the_capture_nothing_is_sure(self) -> None:
        """Time before the first and after the last record is a hole when it is asked for."""
        self.assertEqual(self.states(self.capture(), -5, 20), ["hole", "complete", "not_carried", "hole"])

    def test_the_last_marker_is_missing(self) -> None:
        """A finished segment is the last one, and nothing says that the gatherer was stopped: a disk was full."""
        directory = self.capture()
        self.cut_end(directory)
        (hole,) = verdict(directory).holes
        self.assertEqual(hole.start, AT + 9 * SECOND)

    def test_a_gatherer_that_runs(self) -> None:
        """While it holds the lock of the directory nothing is missing at the end, and the answer ends where it is
        sure."""
        directory = self.capture()
        self.cut_end(directory)
        holder = CaptureDirectory(directory)
        holder.open()
        self.addCleanup(holder.close)
        found = verdict(directory)
        self.assertEqual([i.state for i in found.intervals], [State.COMPLETE])
        self.assertEqual(found.intervals[-1].end, AT + 9 * SECOND)


class DamageTests(CaptureTestCase):
    """Bytes that are not what was written."""

    def damaged(self, change: Callable[[bytes], bytes], number: int = 3) -> Path:
        """A capture with a changed segment."""
        directory = self.capture()
        path = segments_of(directory)[number]
        path.write_bytes(change(path.read_bytes()))
        return directory

    def test_damage_is_bad_input_or_a_hole(self) -> None:
        """A finished segment that is cut off, has bytes too many or a flipped byte is named; or, if that is asked for,
        it is a hole until the next snapshot."""
        for change in (
            lambda data: data[:-1], lambda data: data + b"\x28\xb5\x2f\xfd", lambda data: data[:-3] + b"?" + data[-2:],
            lambda data: b"?" + data[1:],
        ):  # fmt: skip
            directory = self.damaged(change)
            error = self.assertRaises(GathererError, verdict, directory)
            self.assertIn(segments_of(directory)[3].name, str(error))
            found = verdict(directory, skip_damaged=True)
            self.assertEqual([i.state.value for i in found.intervals], ["complete", "hole", "complete", "not_carried"])
            self.assertEqual(found.holes[0].end, AT + 5 * SECOND)

    def test_a_failed_fsync(self) -> None:
        """It is a hole only if the segment is shorter than what was written."""
        for more, expected in ((0, ["complete", "not_carried"]), (1, ["complete", "hole", "complete", "not_carried"])):
            rig = Rig(self, segment_bytes=1)
            rig.router.mark(Marker("session_up", 7, AT))
            rig.router.mark(Marker("markets_added", 7, AT, {"sid": 1, "tickers": [TICKER]}))
            rig.router.deliver([book("snapshot", AT, 1)])
            rig.clock.advance(2)
            (first,) = rig.finished()
            facts = {"segment": first.name, "size": first.stat().st_size + more, "since": AT + SECOND}
            rig.router.mark(Marker("sync_failed", 0, AT + 3 * SECOND, facts))
            rig.router.deliver([book("snapshot", AT + 4 * SECOND, 2)])
            rig.router.mark(Marker("session_down", 7, AT + 9 * SECOND, {"since": AT + 9 * SECOND, "stopped": True}))
            rig.close()
            self.assertEqual(self.states(rig.directory), expected)

    def test_what_is_not_a_capture_is_named(self) -> None:
        """An empty directory, a file of something else, frames without markers."""
        empty = Path(self.mktemp())
        empty.mkdir()
        self.assertIn(str(empty), str(self.assertRaises(GathererError, verdict, empty)))
        other = empty / "other.jsonl.zst"
        other.write_text("no")
        self.assertIn(str(other), str(self.assertRaises(GathererError, verdict, other)))
        other.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(b'{"a":1}\n'))
        self.assertIn("segment_start", str(self.assertRaises(GathererError, verdict, other)))

    def test_what_does_not_exist_is_named(self) -> None:
        """A market or a channel that never was, and a range that ends before it begins."""
        directory = self.capture()
        for request, word in (
            ({"start": AT + 99 * SECOND}, "nothing of the capture"), ({"tickers": ["KXNOBODY"]}, "KXNOBODY"),
            ({"channels": ["book"]}, "book"), ({"start": 5, "end": 5}, "range")
        ):  # fmt: skip
            self.assertIn(word, str(self.assertRaises(BadRequest, coverage_of, [directory], **request)))

    def test_progress(self) -> None:
        """It counts the segments of all captures, from 0."""
        seen: list[tuple[int, int]] = []
        one, other = self.capture(), self.capture()
        coverage_of([one, other], progress=lambda done, total: seen.append((done, total)))
        total = len(segments_of(one)) + len(segments_of(other))
        self.assertEqual(seen, [(number, total) for number in range(total)])


class NamesTests(SynchronousTestCase):
    """What a gatherer is called."""

    def test_the_shortest_tails_that_differ(self) -> None:
        """The last name; of equal ones as many names as it takes."""
        self.assertEqual(gatherer_names([Path("/a/one"), Path("/a/two")]), ["one", "two"])
        paths = [Path("/x/a/capture"), Path("/x/b/capture"), Path("/x/third")]
        self.assertEqual(gatherer_names(paths), ["a/capture", "b/capture", "third"])
        self.assertRaises(BadRequest, gatherer_names, [Path("/a/one"), Path("/a/one/")])


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
