"""A reactor without sockets whose turns are timed: the clock runs while our code runs, and jumps over idle waits."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter, thread_time
from typing import Any

from twisted.internet.base import ReactorBase


class TurnReactor(ReactorBase):
    """Twisted's own timed calls, so a turn costs what it costs in the service.

    `seconds()` is Unix time: the time of our code so far, plus the skipped waits. Code inside `outside()` (the
    other end, the building of test data) takes no time. Turns and callbacks are
    measured in processor time, so that other programs of a busy machine are not in their lengths.
    """

    def __init__(self, start: float) -> None:
        self._began = perf_counter()
        self._start = start
        self.jumped = 0.0
        """Seconds waited for nothing but a timer."""
        self._excluded = self._excluded_processor = 0.0
        self._depth = 0
        self.turns = Longest()
        """Everything between two looks at the sockets."""
        self.callbacks = Longest()
        self.spent: defaultdict[str, float] = defaultdict(float)
        """Processor seconds by the name of the callback."""
        super().__init__()

    def installWaker(self) -> None:
        """No threads wake us."""

    @property
    def busy(self) -> float:
        """Seconds that our code has run."""
        return perf_counter() - self._began - self._excluded

    @property
    def processor(self) -> float:
        """Seconds of processor time of our code, without other programs of a busy machine."""
        return thread_time() - self._excluded_processor

    def seconds(self) -> float:
        """See `IReactorTime`."""
        return self._start + self.busy + self.jumped

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> Any:
        """See `IReactorTime`."""
        return super().callLater(delay, self._timed, callable, args, kw)

    @contextmanager
    def outside(self) -> Iterator[None]:
        """The time inside does not count as work of our service."""
        began, processor = perf_counter(), thread_time()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._excluded += perf_counter() - began
                self._excluded_processor += thread_time() - processor

    def turn(self) -> None:
        """One round of the main loop; waits for the next timer if nothing is due."""
        wait = self.timeout()
        assert wait is not None, "nothing is left to happen"
        self.jumped += max(0.0, wait)
        before = self.processor
        self.runUntilCurrent()
        self.turns.note(self.processor - before, "turn")

    def run_until(self, condition: Callable[[], bool], timeout: float = 3600.0) -> None:
        """Turn until the condition holds; Raises TimeoutError after `timeout` seconds of the clock."""
        end = self.seconds() + timeout
        while not condition():
            if self.seconds() > end:
                raise TimeoutError(f"not reached within {timeout} s")
            self.turn()

    def run_dry(self, within: float = 0.0) -> None:
        """Turn while something is due or the next timer is close enough."""
        while (wait := self.timeout()) is not None and wait <= within:
            self.turn()

    def _timed(self, function: Callable[..., object], args: tuple[object, ...], kw: dict[str, object]) -> None:
        before = self.processor
        try:
            function(*args, **kw)
        finally:
            seconds, name = self.processor - before, getattr(function, "__qualname__", repr(function))
            self.callbacks.note(seconds, name)
            self.spent[name] += seconds


class Longest:
    """The longest of many durations, and its name."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.name = ""
        self.at = 0
        self.count = 0

    def note(self, seconds: float, name: str) -> None:
        """Add one duration."""
        self.count += 1
        if seconds > self.seconds:
            self.seconds, self.name, self.at = seconds, name, self.count

    def reset(self) -> None:
        """Start again from nothing."""
        self.seconds, self.name, self.at, self.count = 0.0, "", 0, 0

    def __str__(self) -> str:
        return f"{self.seconds * 1e3:.1f} ms ({self.name}, no. {self.at:,} of {self.count:,})"
