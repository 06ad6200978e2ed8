"""How long the turns of a running reactor take: all between two polls of the sockets. A pong waits that long."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

BEAT = 0.005
"""Seconds between two looks at the clock on a loop that does not let us in."""


class TimedPoller:
    """Replaces the poller of the reactor, and measures the time between two polls."""

    def __init__(self, poller: Any) -> None:
        self._poller = poller
        self._since = perf_counter()
        self.longest = 0.0
        """Seconds; whoever reads it may set it back to 0."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)

    def poll(self, *arguments: Any) -> Any:
        """See `select.epoll.poll`."""
        return self._timed(self._poller.poll, arguments)

    def select(self, *arguments: Any) -> Any:
        """See `selectors.BaseSelector.select`."""
        return self._timed(self._poller.select, arguments)

    def _timed(self, wait: Any, arguments: tuple[Any, ...]) -> Any:
        self.longest = max(self.longest, perf_counter() - self._since)
        try:
            return wait(*arguments)
        finally:
            self._since = perf_counter()


class LateBeats:
    """For reactors that do not poll in Python: a timer is as late as the previous turn was long."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.longest = 0.0
        """As of `TimedPoller`; turns shorter than `BEAT` may hide from it."""
        self._start()

    def stop(self) -> None:
        """Stop, and leave no timer."""
        self._call.cancel()

    def _start(self) -> None:
        self._due = self._reactor.seconds() + BEAT
        self._call = self._reactor.callLater(BEAT, self._beat)

    def _beat(self) -> None:
        self.longest = max(self.longest, self._reactor.seconds() - self._due)
        self._start()


@contextmanager
def timed_turns(reactor: Any) -> Iterator[TimedPoller | LateBeats]:
    """Measure any reactor."""
    loop: Any = getattr(reactor, "_asyncioEventloop", None)
    for owner, name in ((reactor, "_poller"), (loop, "_selector")):
        if owner is not None and hasattr(owner, name):
            poller = getattr(owner, name)
            setattr(owner, name, turns := TimedPoller(poller))
            try:
                yield turns
            finally:
                setattr(owner, name, poller)
            return
    beats = LateBeats(reactor)
    try:
        yield beats
    finally:
        beats.stop()
