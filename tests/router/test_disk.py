"""A disk that refuses while the router runs."""

import errno
import os
from typing import Any

from twisted.internet.defer import fail
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import provider

from gatherer.capture_format.reading import segments_of
from gatherer.errors import CaptureIncomplete
from tests.router.support import Rig, messages


class DiskTests(SynchronousTestCase):
    """A disk that refuses while running."""

    def test_nothing_accepted_is_lost_or_doubled(self) -> None:
        """Through ENOSPC in the middle of a frame, and on, all accepted messages are there once when space returns."""
        rig = Rig(self)
        rig.router.deliver(messages(20))
        rig.disk.room = 30
        rig.router.deliver(messages(20, start=20))
        self.assertEqual(rig.numbers(), list(range(20)))
        self.assertIn("No space left", rig.router.status().trouble)
        rig.router.deliver(messages(20, start=40))
        rig.clock.advance(1)
        rig.clock.advance(1)
        self.assertEqual(rig.router.write_errors, 3)
        rig.disk.room = None
        rig.clock.advance(1)
        self.assertEqual(rig.numbers(), list(range(60)))
        self.assertIsNone(rig.router.status().trouble)
        rig.close()
        self.assertEqual(rig.numbers(), list(range(60)))

    def test_a_torn_frame_is_cut_off_at_once(self) -> None:
        """After a partial write the file ends with a complete frame, so that a kill now loses nothing more."""
        rig = Rig(self)
        rig.router.deliver(messages(20))
        (path,) = segments_of(rig.directory)
        size = path.stat().st_size
        rig.disk.room = 30
        rig.router.deliver(messages(20, start=20))
        self.assertEqual(path.stat().st_size, size)
        rig.disk.room = None
        rig.close()

    def test_is_logged_once_a_minute(self) -> None:
        """A disk that stays full for two minutes is three lines in the log, not a hundred and twenty."""
        seen: list[str] = []
        rig = Rig(self)
        rig.router._flusher._log = _RecordingLog(seen)  # type: ignore[assignment]
        rig.disk.room = 0
        rig.router.deliver(messages(20))
        for _ in range(120):
            rig.clock.advance(1)
        self.assertEqual(seen, ["error"] * 3)
        rig.disk.room = None
        rig.clock.advance(1)
        self.assertEqual(seen[3:], ["info"])
        rig.close()

    def test_the_buffer_fills_and_drops_are_marked(self) -> None:
        """What does not fit meanwhile is counted, and marked once the disk takes data again."""
        rig = Rig(self)
        rig.disk.room = 0
        rig.router.deliver(messages(150))
        self.assertEqual((rig.router.backlog(), rig.router.dropped), (100, 50))
        rig.disk.room = None
        rig.clock.advance(1)
        rig.close()
        self.assertEqual([r["facts"]["count"] for r in rig.records() if "marker" in r], [50])

    def test_a_disk_that_stays_full_does_not_fill_the_memory_with_markers(self) -> None:
        """Losses over many tries become one marker, not one for every try."""
        rig = Rig(self)
        rig.disk.room = 0
        rig.router.deliver(messages(100))
        for start in range(100, 150):
            rig.router.deliver(messages(1, start=start))
            rig.clock.advance(1)
        rig.disk.room = None
        rig.clock.advance(1)
        rig.close()
        self.assertEqual([r["facts"]["count"] for r in rig.records() if "marker" in r], [50])

    def test_a_torn_frame_that_cannot_be_cut_off_is_cut_off_later(self) -> None:
        """When the disk refuses even to shorten the file, nothing is written behind the torn bytes."""
        rig = Rig(self)
        rig.router.deliver(messages(20))
        refusing = self.patch(os, "ftruncate", _refuse)
        rig.disk.room = 30
        rig.router.deliver(messages(20, start=20))
        rig.disk.room = None
        rig.clock.advance(1)
        self.assertEqual(rig.router.backlog(), 20)
        refusing.restore()
        rig.clock.advance(1)
        rig.close()
        self.assertEqual(rig.numbers(), list(range(40)))

    def test_close_gives_up_on_a_dead_disk(self) -> None:
        """Close ends within `close_timeout` though the disk still refuses, says so, and what was whole is kept."""
        rig = Rig(self, close_timeout=3.0)
        rig.router.deliver(messages(20))
        rig.disk.room, rig.disk.error = 0, errno.EIO
        rig.router.deliver(messages(20, start=20))
        closed = rig.router.close()
        rig.clock.pump([1] * 2)
        self.assertNoResult(closed)
        rig.clock.pump([1] * 1)
        text = self.failureResultOf(closed, CaptureIncomplete).getErrorMessage()
        self.assertIn("20 messages", text)
        self.assertIn(f"could not be written to {rig.directory}: [Errno 5] Input/output error", text)
        self.assertEqual(rig.numbers(), list(range(20)))
        self.assertEqual(rig.clock.getDelayedCalls(), [])

    def test_the_log_names_the_directory(self) -> None:
        """The line about a full disk has the directory that is full."""
        rig = Rig(self)
        lines: list[str] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            lines.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        rig.disk.room = 0
        rig.router.deliver(messages(20))
        (line,) = (line for line in lines if "cannot be written" in line)
        self.assertIn(f"the capture in {rig.directory} cannot be written: [Errno 28] No space left on device", line)
        rig.disk.room = None
        rig.clock.advance(1)
        rig.close()

    def test_a_segment_that_cannot_be_finished_is_tried_again(self) -> None:
        """A refused rename is repeated with the next segment."""
        rig = Rig(self, segment_bytes=1)
        refusals = [OSError(errno.EIO, "no")]
        finish = rig.threads.finish

        def refuse_once(work: Any) -> Any:
            if refusals:
                return _failed(refusals.pop())
            return finish(work)

        rig.threads.finish = refuse_once  # type: ignore[method-assign]
        rig.router.deliver(messages(20))
        self.assertEqual((rig.finished(), rig.router.write_errors), ([], 1))
        rig.router.deliver(messages(20, start=20))
        self.assertEqual(len(rig.finished()), 2)
        rig.close()

    def test_a_writer_that_fails_otherwise_is_tried_again(self) -> None:
        """An error that is not the disk's is logged with its traceback, and the block is not lost."""
        rig = Rig(self)
        write, rig.threads.write = rig.threads.write, lambda work: _failed(ValueError("odd"))  # type: ignore
        rig.router.deliver(messages(20))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        rig.threads.write = write  # type: ignore[method-assign]
        rig.clock.advance(1)
        self.assertEqual(rig.numbers(), list(range(20)))
        rig.close()


class _RecordingLog:
    def __init__(self, seen: list[str]) -> None:
        self._seen = seen

    def __getattr__(self, level: str) -> Any:
        return lambda *args, **fields: self._seen.append(level)


def _failed(error: Exception) -> Any:
    return fail(Failure(error))


def _refuse(fd: int, length: int) -> None:
    raise OSError(errno.EIO, "not even that")
