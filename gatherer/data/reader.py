"""Segments are staged ahead by threads of their own, mostly two: DuckDB works while Python works through books."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from gatherer.data.engine import connect
from gatherer.data.output import Output
from gatherer.data.sources import file_stem
from gatherer.data.stage import Job, Scan, Sessions, Stage

THREADS = 2
MIN_THREAD_MB = 300
"""Memory that a second thread must have: with much less DuckDB cannot sort a segment."""
AHEAD = 8
"""Segments that may be staged and not yet published: they take as much space on disk as their tables."""


class Staged(NamedTuple):
    """A segment on its way."""

    gatherer: str
    path: Path
    work: Path
    scan: "Future[Scan]"


class Reader:
    """Between `__enter__` and `__exit__` it has threads."""

    def __init__(self, output: Output, memory_mb: int, before: Callable[[str, str], tuple[str, Sessions]]) -> None:
        """`before` knows the published segment before one of a gatherer, and the sessions after it."""
        self._output = output
        self._before = before
        self._stages: SimpleQueue[Stage] = SimpleQueue()
        self._latest: dict[str, tuple[str, Future[Sessions]]] = {}
        self._threads = THREADS if memory_mb >= THREADS * MIN_THREAD_MB else 1
        for _ in range(self._threads):
            connection = connect(output.work, memory_mb // self._threads, threads=1)
            self._stages.put(Stage(connection, output.manifest.start, output.manifest.end))

    def __enter__(self) -> "Reader":
        self._pool = ThreadPoolExecutor(self._threads)
        return self

    def __exit__(self, *why: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def staged(self, segments: Iterable[tuple[str, Path]]) -> Iterator[Staged]:
        """Gatherers and segments, in the order of time, as they are staged; some ahead of what is asked for."""
        waiting: deque[Staged] = deque()
        for gatherer, path in segments:
            waiting.append(self._submit(gatherer, path))
            if len(waiting) > AHEAD:
                yield waiting.popleft()
        yield from waiting

    def again(self, gatherer: str, path: Path) -> Path:
        """Stage the books of a published segment once more; the work directory."""
        staged = self._submit(gatherer, path, joined=False)
        staged.scan.result()
        return staged.work

    def _submit(self, gatherer: str, path: Path, joined: bool = True) -> Staged:
        work = self._output.work / file_stem(gatherer, path.name)
        work.mkdir(exist_ok=True)
        after: Future[Sessions] = Future()
        job = Job(path, gatherer, self._sessions_before(gatherer, path.name), after, work, joined)
        if joined:
            self._latest[gatherer] = path.name, after
        return Staged(gatherer, path, work, self._pool.submit(self._read, job))

    def _sessions_before(self, gatherer: str, segment: str) -> "Future[Sessions]":
        """Of the segment before it: one that is being staged, or one that is published."""
        published, sessions = self._before(gatherer, segment)
        name, latest = self._latest.get(gatherer, ("", None))
        if latest is not None and published < name < segment:
            return latest
        found: Future[Sessions] = Future()
        found.set_result(sessions)
        return found

    def _read(self, job: Job) -> Scan:
        stage = self._stages.get()
        try:
            return stage.read(job)
        finally:
            self._stages.put(stage)
