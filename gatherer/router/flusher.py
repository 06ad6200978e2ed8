"""The reactor's side of the writing: when the writer thread runs, and how the writing ends."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.log.throttle import Throttle
from gatherer.router.backlog import Backlog
from gatherer.router.finisher import DOES_NOT_ANSWER, ChangeNotifier, SegmentFinisher
from gatherer.router.threads import Threads
from gatherer.router.writer import Drained, SegmentWriter

FLUSH_BYTES = 1 << 20
"""So much is worth a frame."""
RETRY_SECONDS = 1.0
WRITING_SHARE = 0.8
"""Of the time for the stop: the rest is for finishing the segment when the disk goes on refusing."""


class Flusher:
    """Sends the writer to the backlog: at once when a block is worth a frame, else after `flush_delay`.

    The writer's single thread runs one visit after another. The next visit may be sent before the end of the last one
    is known here: one busy reactor turn can bring more than the buffer holds, and no callback runs before its end.
    While the disk refuses, the writer tries once a second.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        backlog: Backlog,
        writer: SegmentWriter,
        threads: Threads,
        finisher: SegmentFinisher,
        *,
        directory: Path,
        flush_delay: float,
        block_messages: int,
        segment_seconds: float,
        after_drain: Callable[[], object],
    ) -> None:
        """`after_drain` is called in the reactor thread after each visit that ended well: there may be room again."""
        self.errors = 0
        """How many writes the disk refused."""
        self.last_error: Exception | None = None
        """Why the last visit failed; None when it did not."""
        self._directory = directory
        self._clock = clock
        self._backlog = backlog
        self._writer = writer
        self._threads = threads
        self._finisher = finisher
        self._flush_delay = flush_delay
        self._block_messages = block_messages
        self._segment_seconds = segment_seconds
        self._after_drain = after_drain
        self._throttle = Throttle(clock)
        self._running = False
        self._visits = 0  # sent, and not known to have ended
        self._rotate = False
        self._flush_timer: IDelayedCall | None = None
        self._age_timer: IDelayedCall | None = None
        self._timed_segment: str | None = None  # the segment that `_age_timer` is about
        self._changes = ChangeNotifier()

    def start(self) -> None:
        """Start the threads, and write what was put before."""
        self._threads.start()
        self._running = True
        self.schedule()

    def schedule(self) -> None:
        """The backlog has grown: send the writer now or soon."""
        if not self._running or self.last_error is not None or (self._visits and self._writer.busy):
            return
        backlog = self._backlog
        if self._rotate or backlog.waiting >= self._block_messages or backlog.waiting_bytes >= FLUSH_BYTES:
            self._drain()
        elif self._flush_timer is None and backlog.waiting_bytes and not self._visits:
            self._flush_timer = self._clock.callLater(self._flush_delay, self._drain)

    @property
    def is_stuck(self) -> bool:
        """Whether a thread is at work: after `stop`, one that is blocked on the disk."""
        return bool(self._visits or self._finisher.jobs)

    async def stop(self, timeout: float, put_last: Callable[[], None]) -> list[str]:
        """Write what is left, call `put_last` and write that too, finish the segment; within `timeout` seconds.

        Returns what is not safe on disk, and why. A thread that is blocked on the disk stays as it is: it is a
        daemon, and the end of the process ends it.
        """
        if not self._running:
            return []
        self._running = False
        _cancel(self._flush_timer)
        _cancel(self._age_timer)
        give_up_at = self._clock.seconds() + timeout * WRITING_SHARE
        with suppress(TimeoutError):  # what is missing is found below
            await Deferred.fromCoroutine(self._write_all(give_up_at, put_last)).addTimeout(timeout, self._clock)
        if not self.is_stuck:
            self._threads.stop()
        return [*self._unwritten(), *self._finisher.unfinished()]

    async def _write_all(self, give_up_at: float, put_last: Callable[[], None]) -> None:
        await self._idle()
        for _ in range(2):  # a segment that cannot be finished leaves a marker for the next one
            if not await self._finish_earlier(give_up_at):
                break
            put_last()
            if not await self._empty_backlog(give_up_at):
                break
            self._finisher.finish(self._writer.abandon())
            await self._finisher.idle()
            if not self._backlog.waiting_bytes:
                return
        self._finisher.finish(self._writer.abandon())
        await self._finisher.idle()

    async def _finish_earlier(self, give_up_at: float) -> bool:
        """Write all that waits and finish all full segments, so that nothing can come behind the last record. False
        when the disk still refuses at `give_up_at`."""
        while await self._empty_backlog(give_up_at):
            await self._finisher.idle()
            if not self._backlog.waiting_bytes:
                return True
        return False

    async def _empty_backlog(self, give_up_at: float) -> bool:
        """Write all that waits; False when the disk still refuses at `give_up_at`."""
        while self._writer.holds_block or self._backlog.waiting_bytes:
            self._drain()
            await self._idle()
            if self.last_error is not None:
                if self._clock.seconds() >= give_up_at:
                    return False
                await deferLater(self._clock, RETRY_SECONDS)
        return True

    def _unwritten(self) -> Iterator[str]:
        if size := self._backlog.memory_bytes:
            what = f"{self._backlog.messages} messages, {size} bytes with their markers, could not be written"
            yield f"{what} to {self._directory}: {self.last_error or DOES_NOT_ANSWER}"

    def _drain(self) -> None:
        _cancel(self._flush_timer)
        self._flush_timer = None
        self._visits += 1
        self._writer.busy = True
        rotate, self._rotate = self._rotate, False
        job = self._threads.write(partial(self._writer.drain, self._block_messages, rotate))
        job.addCallbacks(self._drained, self._writer_failed, callbackArgs=(rotate,)).addBoth(self._visit_ended)

    def _drained(self, result: Drained, rotate: bool) -> None:
        if result.finished is not None:
            self._finisher.finish(result.finished)
        if result.error is not None:
            self._rotate = self._rotate or rotate
            self._write_refused(result.error)
        elif self.last_error is not None:
            self.last_error = None
            self._throttle.forget("write")
            self._log.info(
                "writing again; {backlog} messages wait, {dropped} were dropped since the start",
                backlog=self._backlog.messages,
                dropped=self._backlog.drops.messages,
            )

    def _writer_failed(self, failure: Failure) -> None:
        self._log.failure("unexpected error in the writer; it tries again", failure)
        self._write_refused(failure.value if isinstance(failure.value, Exception) else OSError(str(failure.value)))

    def _write_refused(self, error: Exception) -> None:
        self.errors += 1
        self.last_error = error
        if count := self._throttle.note("write"):
            self._log.error(
                "the capture in {directory} cannot be written: {error} (tried {count} times since the last such "
                "line); {backlog} messages wait",
                directory=str(self._directory),
                error=str(error),
                count=count,
                backlog=self._backlog.messages,
            )

    def _visit_ended(self, result: object) -> None:
        """Ended well or badly, there may be room, another segment, or more to write."""
        if isinstance(result, Failure):
            self._log.failure("a bug in the flusher", result)
        self._visits -= 1
        if self.last_error is None:
            self._after_drain()
        if self._running:
            self._time_segment()
            if self.last_error is not None and self._flush_timer is None:
                self._flush_timer = self._clock.callLater(RETRY_SECONDS, self._drain)
            self.schedule()
        self._changes.notify()

    def _time_segment(self) -> None:
        """Rotate the current segment `segment_seconds` after its first visit."""
        if self._writer.current == self._timed_segment:
            return
        self._timed_segment = self._writer.current
        _cancel(self._age_timer)
        if self._timed_segment is not None:
            self._age_timer = self._clock.callLater(self._segment_seconds, self._segment_aged)

    def _segment_aged(self) -> None:
        self._rotate = True
        self.schedule()

    async def _idle(self) -> None:
        while self._visits:
            await self._changes.next_change()


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
