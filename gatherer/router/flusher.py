"""When the backlog is written: the reactor's half of the writer thread."""

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.capture_format.segment_file import SegmentFile
from gatherer.log.throttle import Throttle
from gatherer.router.backlog import Backlog
from gatherer.router.threads import Threads
from gatherer.router.writer import Drained, SegmentWriter


class Finisher:
    """Finishes segments beside the writing; what the disk refuses is tried again with the next segment."""

    _log = Logger()

    def __init__(self, threads: Threads) -> None:
        self.finished = 0
        """Segments under their final name."""
        self.errors = 0
        """Times the disk refused."""
        self._threads = threads
        self._busy = 0
        self._refused: list[SegmentFile] = []
        self._waiting: list[Deferred[None]] = []

    def finish(self, segment: SegmentFile | None) -> None:
        """Finish a segment, if there is one, and those that were refused before."""
        again, self._refused = self._refused, []
        for each in again if segment is None else [*again, segment]:
            self._busy += 1
            job = self._threads.finish(each.finish)
            job.addCallbacks(self._done, self._failed, errbackArgs=(each,)).addBoth(self._wake)

    async def idle(self) -> None:
        """Until no segment is being finished."""
        while self._busy:
            changed: Deferred[None] = Deferred()
            self._waiting.append(changed)
            await changed

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

    def _wake(self, _: object) -> None:
        self._busy -= 1
        waiting, self._waiting = self._waiting, []
        for changed in waiting:
            changed.callback(None)


BLOCK_BYTES = 1 << 20
RETRY_SECONDS = 1.0


class Flusher:
    """Sends the writer to the backlog: at once when a block is worth a frame, else after `flush_delay`.

    At most one visit of the writer at a time, which the writer's single thread sees to. A visit that has ended does not
    have to be known here before the next is sent: one busy reactor turn can bring more than the buffer holds, and
    no callback runs before its end. While the disk refuses, it is tried once a second.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        backlog: Backlog,
        writer: SegmentWriter,
        threads: Threads,
        *,
        flush_delay: float,
        block_messages: int,
        segment_seconds: float,
        after_drain: Callable[[], None],
    ) -> None:
        """`clock` provides IReactorTime; `after_drain` is called in the reactor thread when room may have come."""
        self.errors = 0
        """Times the disk refused."""
        self.trouble: Exception | None = None
        """Why the last try failed; None when it did not."""
        self.finisher = Finisher(threads)
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
        self._timer: IDelayedCall | None = None
        self._age_timer: IDelayedCall | None = None
        self._aging: str | None = None
        self._waiting: list[Deferred[None]] = []

    def start(self) -> None:
        """Begin; what was put before is seen to."""
        self._threads.start()
        self._running = True
        self.hurry()

    def hurry(self) -> None:
        """Something was put: write it now or soon."""
        if not self._running or self.trouble is not None or (self._visits and self._writer.busy):
            return
        backlog = self._backlog
        if self._rotate or backlog.waiting >= self._block_messages or backlog.waiting_bytes >= BLOCK_BYTES:
            self._drain()
        elif self._timer is None and backlog.waiting_bytes and not self._visits:
            self._timer = self._clock.callLater(self._flush_delay, self._drain)

    async def stop(self, patience: float) -> None:
        """Write what is left, trying for `patience` seconds when the disk refuses, and finish the segment."""
        if not self._running:
            return
        self._running = False
        _cancel(self._timer)
        _cancel(self._age_timer)
        deadline = self._clock.seconds() + patience
        await self._idle()
        while self._writer.holds_block or self._backlog.waiting_bytes:
            self._drain()
            await self._idle()
            if self.trouble is not None:
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
        _cancel(self._timer)
        self._timer = None
        self._visits += 1
        self._writer.busy = True
        rotate, self._rotate = self._rotate, False
        job = self._threads.write(partial(self._writer.drain, self._block_messages, rotate))
        job.addCallbacks(self._drained, self._broke, callbackArgs=(rotate,)).addBoth(self._next)

    def _drained(self, result: Drained, rotate: bool) -> None:
        if result.finished is not None:
            self.finisher.finish(result.finished)
        if result.error is not None:
            self._rotate = self._rotate or rotate
            self._refused(result.error)
        elif self.trouble is not None:
            self.trouble = None
            self._throttle.forget("write")
            self._log.info("writing again; {backlog} messages wait", backlog=self._backlog.messages)

    def _broke(self, failure: Failure) -> None:
        self._log.failure("the writer failed in a way nobody foresaw; it tries again", failure)
        self._refused(failure.value if isinstance(failure.value, Exception) else OSError(str(failure.value)))

    def _refused(self, error: Exception) -> None:
        self.errors += 1
        self.trouble = error
        if count := self._throttle.note("write"):
            self._log.error(
                "the capture cannot be written: {error} (tried {count} times since this was last said); "
                "{backlog} messages wait",
                error=str(error),
                count=count,
                backlog=self._backlog.messages,
            )

    def _next(self, result: object) -> None:
        """Whatever came of the visit: room may have come, the segment may be another, more may wait."""
        if isinstance(result, Failure):
            self._log.failure("a bug in the pump", result)
        self._visits -= 1
        self._after_drain()
        if self._running:
            self._watch_age()
            if self.trouble is not None and self._timer is None:
                self._timer = self._clock.callLater(RETRY_SECONDS, self._drain)
            self.hurry()
        waiting, self._waiting = self._waiting, []
        for changed in waiting:
            changed.callback(None)

    def _watch_age(self) -> None:
        if self._writer.current == self._aging:
            return
        self._aging = self._writer.current
        _cancel(self._age_timer)
        if self._aging is not None:
            self._age_timer = self._clock.callLater(self._segment_seconds, self._aged)

    def _aged(self) -> None:
        self._rotate = True
        self.hurry()

    async def _idle(self) -> None:
        while self._visits:
            changed: Deferred[None] = Deferred()
            self._waiting.append(changed)
            await changed


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
