"""Segment files: rotation, names, close."""

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format.reading import read_capture, segments_of
from gatherer.router.segment_router import SegmentRouter
from gatherer.values import Marker
from tests.router.support import AT, ManualThreads, Rig, messages


class SegmentTests(SynchronousTestCase):
    """Rotation, names, close."""

    def test_no_record_no_segment(self) -> None:
        """A run without a record leaves no segment behind."""
        rig = Rig(self)
        rig.close()
        self.assertEqual(segments_of(rig.directory), [])

    def test_open_segment_has_an_open_name(self) -> None:
        """Only a finished segment has the final name."""
        rig = Rig(self)
        rig.router.deliver(messages(20))
        self.assertEqual([path.name.endswith(".jsonl.zst.open") for path in segments_of(rig.directory)], [True])
        rig.close()
        self.assertEqual([path.name.endswith(".jsonl.zst") for path in segments_of(rig.directory)], [True])

    def test_rotates_by_size(self) -> None:
        """Segments do not grow past `segment_bytes` by more than one block, and nothing is lost between them."""
        rig = Rig(self, segment_bytes=1)
        for start in range(0, 100, 20):
            rig.router.deliver(messages(20, start=start))
        rig.close()
        self.assertEqual(len(rig.finished()), 6)  # the last has the end of the run
        self.assertEqual(rig.router.status().segments_finished, 6)
        self.assertEqual(rig.numbers(), list(range(100)))

    def test_rotates_by_age_even_when_nothing_comes(self) -> None:
        """A segment is finished after `segment_seconds` without any further message."""
        rig = Rig(self, segment_seconds=60)
        rig.router.deliver(messages(20))
        rig.clock.advance(59)
        self.assertEqual(rig.finished(), [])
        rig.clock.advance(1)
        self.assertEqual(len(rig.finished()), 1)
        rig.router.deliver(messages(20, start=20))
        rig.clock.advance(30)
        self.assertEqual(len(rig.finished()), 1)
        rig.clock.advance(30)
        self.assertEqual(len(rig.finished()), 2)
        rig.close()

    def test_equal_times_give_unique_names(self) -> None:
        """Two segments whose first records share a time, in one run or two, do not overwrite each other."""
        rig = Rig(self, segment_bytes=1)
        for _ in range(3):
            rig.router.deliver(messages(20))
        rig.close()
        again = SegmentRouter(rig.directory, rig.clock, threads=ManualThreads())
        again.start()
        again.deliver(messages(20))
        self.successResultOf(again.close())
        self.assertEqual(len(rig.finished()), 5)
        self.assertEqual(len(rig.numbers()), 80)

    def test_every_segment_starts_with_its_own_line(self) -> None:
        """The first line of each segment is a `segment_start` marker with its name."""
        rig = Rig(self, segment_bytes=1)
        rig.router.deliver(messages(20))
        rig.router.deliver(messages(20))
        rig.close()
        for path in rig.finished():
            first = next(iter(read_capture(path)))
            self.assertEqual((first["marker"], first["facts"]["segment"]), ("segment_start", path.name))

    def test_finishing_one_segment_does_not_hold_up_the_next(self) -> None:
        """While the fsync of a full segment takes its time, messages go on to the next one."""
        rig = Rig(self, segment_bytes=1)
        finishing = rig.threads.finish
        late: list[Any] = []
        rig.threads.finish = lambda work: late.append(work) or finishing(lambda: None)  # type: ignore
        rig.router.deliver(messages(20))
        rig.router.deliver(messages(20, start=20))
        self.assertEqual(rig.finished(), [])
        self.assertEqual(rig.numbers(), list(range(40)))
        for work in late:
            work()
        self.assertEqual(len(rig.finished()), 2)
        rig.close()

    def test_close_waits_for_the_disk(self) -> None:
        """Close fires only when the writer is done, and then all is under its final name."""
        rig = Rig(self)
        rig.threads.held = True
        rig.router.deliver(messages(25))
        closed = rig.router.close()
        self.assertNoResult(closed)
        rig.threads.release()
        self.assertIsNone(self.successResultOf(closed))
        self.assertEqual(rig.numbers(), list(range(25)))
        self.assertEqual(len(rig.finished()), 1)
        self.assertFalse(rig.threads.running)

    def test_close_is_idempotent(self) -> None:
        """Each of several closes, before, during and after, fires; cancelling one does not hurt another."""
        rig = Rig(self)
        rig.threads.held = True
        rig.router.deliver(messages(25))
        first, second = rig.router.close(), rig.router.close()
        first.cancel()
        self.failureResultOf(first)
        rig.threads.release()
        self.assertIsNone(self.successResultOf(second))
        self.assertIsNone(self.successResultOf(rig.router.close()))

    def test_close_of_a_router_that_never_started(self) -> None:
        """Close fires at once and touches nothing."""
        directory = Path(self.mktemp())
        router = SegmentRouter(directory, Clock(), threads=ManualThreads())
        self.assertIsNone(self.successResultOf(router.close()))
        self.assertFalse(directory.exists())

    def test_messages_after_close_are_counted_as_dropped(self) -> None:
        """A late batch raises nothing and is counted."""
        rig = Rig(self)
        rig.close()
        rig.router.deliver(messages(3))
        rig.router.mark(Marker("session_down", 7, AT))
        self.assertEqual((rig.router.received, rig.router.dropped), (3, 3))

    def test_markers_during_close_are_written(self) -> None:
        """Connections that end while the router closes still have their markers in the capture."""
        rig = Rig(self)
        rig.threads.held = True
        rig.router.deliver(messages(20))
        closed = rig.router.close()
        rig.router.mark(Marker("session_down", 7, AT))
        rig.threads.release()
        self.successResultOf(closed)
        self.assertEqual(rig.records()[-1]["marker"], "session_down")

    def test_a_clock_that_steps_back_does_not_mix_up_the_segments(self) -> None:
        """Sorted by name, segments are in the order they were written, whatever times their records have."""
        rig = Rig(self, segment_bytes=1)
        rig.router.deliver(messages(20, start=1000))
        rig.router.deliver(messages(20, start=0))
        rig.close()
        self.assertEqual(rig.numbers(), [*range(1000, 1020), *range(20)])
