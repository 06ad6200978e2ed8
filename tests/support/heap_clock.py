"""Virtual time in a heap: `task.Clock` sorts all its calls at each `callLater`, and 150 connections make many."""

import heapq
from collections.abc import Callable
from typing import Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

MAX_AT_ONCE = 100_000
"""Calls at one moment. More than that is an endless loop."""


@implementer(IDelayedCall)
class HeapCall:
    """A delayed call. After a move to a later time it keeps its place in the heap until it comes up there."""

    __slots__ = ("_clock", "args", "called", "cancelled", "func", "kw", "time")

    def __init__(self, clock: "HeapClock", time: float, func: Callable[..., Any], args: Any, kw: Any) -> None:
        self._clock = clock
        self.time = time
        self.func = func
        self.args = args
        self.kw = kw
        self.called = self.cancelled = False

    def active(self) -> bool:
        return not (self.called or self.cancelled)

    def getTime(self) -> float:
        return self.time

    def cancel(self) -> None:
        self._check()
        self.cancelled = True
        self._clock.forget(self)

    def reset(self, secondsFromNow: float) -> None:
        self._check()
        self._move(self._clock.seconds() + secondsFromNow)

    def delay(self, secondsLater: float) -> None:
        self._check()
        self._move(self.time + secondsLater)

    def __repr__(self) -> str:
        return f"<{getattr(self.func, '__qualname__', self.func)} at {self.time:.3f}>"

    def _move(self, time: float) -> None:
        sooner, self.time = time < self.time, time
        if sooner:
            self._clock.push(self)

    def _check(self) -> None:
        if self.called:
            raise AlreadyCalled
        if self.cancelled:
            raise AlreadyCancelled


@implementer(IReactorTime)
class HeapClock:
    """Calls at the same time happen in the order of their `callLater`."""

    def __init__(self, start: float) -> None:
        self._now = start
        self._heap: list[tuple[float, int, HeapCall]] = []
        self._active: dict[HeapCall, None] = {}
        self._pushed = 0

    def seconds(self) -> float:
        return self._now

    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any, **kw: Any) -> HeapCall:
        assert delay >= 0, delay
        call = HeapCall(self, self._now + delay, callable, args, kw)
        self._active[call] = None
        self.push(call)
        return call

    def getDelayedCalls(self) -> list[HeapCall]:
        return list(self._active)

    def push(self, call: HeapCall) -> None:
        """A call has a new time."""
        self._pushed += 1
        heapq.heappush(self._heap, (call.time, self._pushed, call))

    def forget(self, call: HeapCall) -> None:
        """A call is over. Its entry in the heap is skipped later."""
        del self._active[call]

    def run_until(self, end: float) -> None:
        """Make all calls that are due up to `end`, also new ones that these calls schedule. Then it is `end`."""
        heap, same = self._heap, 0
        while heap and heap[0][0] <= end:
            time, _, call = heapq.heappop(heap)
            if not call.active():
                continue
            if time < call.time:  # it was moved
                self.push(call)
                continue
            same = same + 1 if time <= self._now else 0
            assert same < MAX_AT_ONCE, f"time stands still: {call} again and again"
            self._now = max(self._now, time)
            call.called = True
            self.forget(call)
            call.func(*call.args, **call.kw)
        self._now = max(self._now, end)
