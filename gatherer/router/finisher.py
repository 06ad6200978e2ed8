"""How full segments get their final names: in a thread beside the writer, again and again if the disk refuses."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.capture_format import SegmentFile, SyncFailure
from gatherer.router.threads import Threads

DOES_NOT_ANSWER = "the disk does not answer"


class ChangeNotifier:
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


class SegmentFinisher:
    """Finishes segments in a thread beside the writer. What the disk refuses is tried again with the next segment."""

    _log = Logger()

    def __init__(self, threads: Threads, sync_failed: Callable[[SyncFailure], None]) -> None:
        """`sync_failed` is called once for a segment that may have lost records."""
        self.finished = 0
        """Segments under their final name."""
        self.errors = 0
        """How many times the disk refused."""
        self._threads = threads
        self._sync_failed = sync_failed
        self._busy: list[SegmentFile] = []
        self._refused: list[tuple[SegmentFile, str]] = []
        self._reported: set[str] = set()  # names of segments
        self._changes = ChangeNotifier()

    def finish(self, segment: SegmentFile | None) -> None:
        """Finish a segment, if there is one, and those that were refused before."""
        again, self._refused = [segment for segment, _ in self._refused], []
        for each in again if segment is None else [*again, segment]:
            self._busy.append(each)
            job = self._threads.finish(each.finish)
            job.addCallbacks(self._done, self._failed, errbackArgs=(each,)).addBoth(self._job_ended, each)

    @property
    def jobs(self) -> int:
        """How many segments are being finished."""
        return len(self._busy)

    async def idle(self) -> None:
        """Return when no segment is being finished."""
        while self._busy:
            await self._changes.next_change()

    @property
    def sync_failures(self) -> int:
        """Segments that may have lost records because an fsync failed."""
        return len(self._reported)

    def unfinished(self) -> list[str]:
        """The segments that are not known to be safe on disk, and why."""
        stuck = [f"segment {segment.name} may not be on disk: {DOES_NOT_ANSWER}" for segment in self._busy]
        return stuck + [f"segment {segment.name} may not be on disk: {error}" for segment, error in self._refused]

    def _done(self, _: None) -> None:
        self.finished += 1

    def _failed(self, failure: Failure, segment: SegmentFile) -> None:
        self.errors += 1
        error = failure.getErrorMessage()
        self._refused.append((segment, error))
        self._log.error(
            "segment {name} cannot be finished: {error}; it keeps its open name for now", name=segment.name, error=error
        )
        if segment.sync_failure is not None and segment.name not in self._reported:
            self._reported.add(segment.name)
            self._sync_failed(segment.sync_failure)

    def _job_ended(self, _: object, segment: SegmentFile) -> None:
        self._busy.remove(segment)
        self._changes.notify()
