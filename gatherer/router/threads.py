"""The threads of the segment router: one that writes, one that finishes segments."""

from collections.abc import Callable
from threading import Thread
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")


class Threads(Protocol):
    """Where blocking work runs. Each Deferred fires in the reactor thread with the result of the work."""

    def start(self) -> None:
        """Called once, before any work."""

    def write(self, work: Callable[[], T]) -> Deferred[T]:
        """Run in the writer thread; the caller never has two at once."""

    def finish(self, work: Callable[[], T]) -> Deferred[T]:
        """Run in the other thread, one after the other, beside the writer."""

    def stop(self) -> None:
        """Called once, when no work is left."""


class WriterThreads:
    """Two pools of one thread each. An fsync of a whole segment can take seconds and must not hold up the writing.

    They are daemon threads: the process can end without `close`.
    """

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._writing = _pool("capture-writer")
        self._finishing = _pool("capture-finisher")

    def start(self) -> None:
        """Make the threads."""
        self._writing.start()
        self._finishing.start()

    def write(self, work: Callable[[], T]) -> Deferred[T]:
        """Run in the writer thread."""
        return deferToThreadPool(self._reactor, self._writing, work)

    def finish(self, work: Callable[[], T]) -> Deferred[T]:
        """Run in the finisher thread."""
        return deferToThreadPool(self._reactor, self._finishing, work)

    def stop(self) -> None:
        """Join the threads; at once when no work is left."""
        self._writing.stop()
        self._finishing.stop()


class _DaemonThread(Thread):
    def __init__(self, *args: Any, **options: Any) -> None:  # the pool's arguments are passed on unread
        super().__init__(*args, **options, daemon=True)


def _pool(name: str) -> ThreadPool:
    pool = ThreadPool(1, 1, name)
    pool.threadFactory = _DaemonThread
    return pool
