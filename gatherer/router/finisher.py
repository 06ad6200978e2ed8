"""Complete segments on their way to their final name."""

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.router.segment_file import SegmentFile
from gatherer.router.threads import Threads


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
