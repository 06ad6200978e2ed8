"""The reactor's side of the writing: when the writer thread runs, and when a full segment gets its final name."""

from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.capture_format import SegmentFile
from gatherer.log.throttle import Throttle
from gatherer.router.backlog import Backlog
from gatherer.router.threads import Threads
from gatherer.router.writer import Drained, SegmentWriter

BLOCK_BYTES = 1 << 20
RETRY_SECONDS = 1.0


class _Waiters:
    """Deferreds that all fire at the next change."""

    def __init__(self) -> None:
        self._waiting: list[Deferred[None]] = []

    def next_change(self) -> Deferred[None]:
        """Fires with None at the next `notify`."""
        changed: Deferred[None] = Deferred()
        self._waiting.append(changed)
        return changed

    def notify(self) -> None:
        """Fire all that wait."""
        waiting, self._waiting = self._waiting, []
        for changed in waiting:
            changed.callback(None)


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
        *,
        flush_delay: float,
        block_messages: int,
        segment_seconds: float,
        after_drain: Callable[[], None],
    ) -> None:
        """`after_drain` is called in the reactor thread after each visit: there may be room again."""
        self.errors = 0
        """How many writes the disk refused."""
        self.last_error: Exception | None = None
        """Why the last visit failed; None when it did not."""
        self.finisher = SegmentFinisher(threads)
        self._clock = clock
        self._backlog = backlog
        self._writer = writer
        self._threads = threads
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
        self._waiters = _Waiters()

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
        if self._rotate or backlog.waiting >= self._block_messages or backlog.waiting_bytes >= BLOCK_BYTES:
            self._drain()
        elif self._flush_timer is None and backlog.waiting_bytes and not self._visits:
            self._flush_timer = self._clock.callLater(self._flush_delay, self._drain)

    async def stop(self, timeout: float) -> None:
        """Write what is left and finish the segment. While the disk refuses, try for `timeout` seconds."""
        if not self._running:
            return
        self._running = False
        _cancel(self._flush_timer)
        _cancel(self._age_timer)
        deadline = self._clock.seconds() + timeout
        await self._idle()
        while self._writer.holds_block or self._backlog.waiting_bytes:
            self._drain()
            await self._idle()
            if self.last_error is not None:
                if self._clock.seconds() >= deadline:
                    self._log.error(
                        "closed with {backlog} messages that could not be written", backlog=self._backlog.messages
                    )
                    break
                await deferLater(self._clock, RETRY_SECONDS)
        self.finisher.finish(self._writer.abandon())
        await self.finisher.idle()
        self._threads.stop()

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
            self.finisher.finish(result.finished)
        if result.error is not None:
            self._rotate = self._rotate or rotate
            self._write_refused(result.error)
        elif self.last_error is not None:
            self.last_error = None
            self._throttle.forget("write")
            self._log.info("writing again; {backlog} messages wait", backlog=self._backlog.messages)

    def _writer_failed(self, failure: Failure) -> None:
        self._log.failure("unexpected error in the writer; it tries again", failure)
        self._write_refused(failure.value if isinstance(failure.value, Exception) else OSError(str(failure.value)))

    def _write_refused(self, error: Exception) -> None:
        self.errors += 1
        self.last_error = error
        if count := self._throttle.note("write"):
            self._log.error(
                "the capture cannot be written: {error} (tried {count} times since the last such line); "
                "{backlog} messages wait",
                error=str(error),
                count=count,
                backlog=self._backlog.messages,
            )

    def _visit_ended(self, result: object) -> None:
        """Ended well or badly, there may be room, another segment, or more to write."""
        if isinstance(result, Failure):
            self._log.failure("a bug in the flusher", result)
        self._visits -= 1
        self._after_drain()
        if self._running:
            self._time_segment()
            if self.last_error is not None and self._flush_timer is None:
                self._flush_timer = self._clock.callLater(RETRY_SECONDS, self._drain)
            self.schedule()
        self._waiters.notify()

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
            await self._waiters.next_change()


class SegmentFinisher:
    """Finishes segments in a thread beside the writer. What the disk refuses is tried again with the next segment."""

    _log = Logger()

    def __init__(self, threads: Threads) -> None:
        self.finished = 0
        """Segments under their final name."""
        self.errors = 0
        """How many times the disk refused."""
        self._threads = threads
        self._jobs = 0
        self._refused: list[SegmentFile] = []
        self._waiters = _Waiters()

    def finish(self, segment: SegmentFile | None) -> None:
        """Finish a segment, if there is one, and those that were refused before."""
        again, self._refused = self._refused, []
        for each in again if segment is None else [*again, segment]:
            self._jobs += 1
            job = self._threads.finish(each.finish)
            job.addCallbacks(self._done, self._failed, errbackArgs=(each,)).addBoth(self._job_ended)

    async def idle(self) -> None:
        """Return when no segment is being finished."""
        while self._jobs:
            await self._waiters.next_change()

    def _done(self, _: None) -> None:
        self.finished += 1

    def _failed(self, failure: Failure, segment: SegmentFile) -> None:
        self.errors += 1
        self._refused.append(segment)
        self._log.error(
            "segment {name} cannot be finished: {error}; it keeps its open name for now",
            name=segment.name,
            error=failure.getErrorMessage(),
        )

    def _job_ended(self, _: object) -> None:
        self._jobs -= 1
        self._waiters.notify()


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
