"""What the router's tests share: threads under control, a disk that refuses, numbered messages."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format import Disk, read_capture, segments_of
from gatherer.errors import CaptureIncomplete
from gatherer.router.segment_router import SegmentRouter
from gatherer.values import RawMessage

T = TypeVar("T")
AT = 1795380241000123456
"""Unix time in ns of the first message of every test."""


def messages(count: int, conn_id: int = 7, start: int = 0) -> list[RawMessage]:
    """`count` messages with the numbers `n` from `start` on, one microsecond after another."""
    return [RawMessage(b'{"n":%d}' % n, conn_id, AT + n * 1000) for n in range(start, start + count)]


class ManualThreads:
    """Runs work at once, or, while `held`, when the test says so."""

    def __init__(self) -> None:
        self.running = False
        self.held = False
        self._waiting: list[Callable[[], None]] = []

    def start(self) -> None:
        """Note that it was called."""
        self.running = True

    def stop(self) -> None:
        """Note that it was called."""
        self.running = False

    def write(self, work: Callable[[], T]) -> Deferred[T]:
        """Run, or put aside."""
        return self._do(work)

    def finish(self, work: Callable[[], T]) -> Deferred[T]:
        """Run, or put aside."""
        return self._do(work)

    def release(self) -> None:
        """Run what was put aside, and hold no more."""
        self.held = False
        waiting, self._waiting = self._waiting, []
        for run in waiting:
            run()

    def _do(self, work: Callable[[], T]) -> Deferred[T]:
        if not self.running:
            raise ValueError("work for threads that are not running")
        return self.hold(work) if self.held else execute(work)

    def hold(self, work: Callable[[], T]) -> Deferred[T]:
        """Put aside, until `release`."""
        later: Deferred[T] = Deferred()

        def run() -> None:
            execute(work).chainDeferred(later)

        self._waiting.append(run)
        return later


class FaultyDisk(Disk):
    """Has room for `room` more bytes, then says ENOSPC; None is room for all. The next `bad_syncs` fsyncs fail."""

    def __init__(self) -> None:
        self.room: int | None = None
        self.error = errno.ENOSPC
        self.bad_syncs = 0

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Like os.write: perhaps only a part."""
        if self.room is None:
            return os.write(fd, data)
        if not self.room:
            raise OSError(self.error, os.strerror(self.error))
        written = os.write(fd, data[: self.room])
        self.room -= written
        return written

    def sync(self, fd: int) -> None:
        """Like os.fsync, or EIO."""
        if self.bad_syncs:
            self.bad_syncs -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(fd)


class Rig:
    """A router, its clock, its threads and its disk."""

    def __init__(self, case: SynchronousTestCase, **options: Any) -> None:
        self.directory = Path(case.mktemp())
        self.clock = Clock()
        self.threads = ManualThreads()
        self.disk = FaultyDisk()
        options = {"flush_interval": 1.0, "buffer_messages": 100, "wall": lambda: AT, **options}
        self.router = SegmentRouter(self.directory, self.clock, threads=self.threads, disk=self.disk, **options)
        self.router.start()
        self._case = case

    def close(self) -> None:
        """Close with everything on disk, and leave no timer behind."""
        closed = self.router.close()
        while not closed.called:
            self.clock.advance(1)
        self._case.assertIsNone(self._case.successResultOf(closed))
        self._case.assertEqual(self.clock.getDelayedCalls(), [])

    def close_fails(self) -> str:
        """Close without everything on disk: why."""
        closed = self.router.close()
        while not closed.called:
            self.clock.advance(1)
        self._case.assertEqual(self.clock.getDelayedCalls(), [])
        return self._case.failureResultOf(closed, CaptureIncomplete).getErrorMessage()

    def records(self) -> list[dict[str, Any]]:
        """What a reader finds, without the first lines of the segments and the last line of the run."""
        return [r for r in read_capture(self.directory) if r.get("marker") not in ("segment_start", "run_end")]

    def numbers(self) -> list[int]:
        """The numbers of the messages in the capture."""
        return [r["data"]["n"] for r in self.records() if "data" in r]

    def finished(self) -> list[Path]:
        """Segments under their final name."""
        return [path for path in segments_of(self.directory) if path.suffix == ".zst"]
