"""A task that repeats and never overlaps itself."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

RETRY_SECONDS = 30.0
"""Seconds until the next try after an unexpected error."""


class PeriodicTask:
    """Runs an action when asked to, and then whenever the action itself says.

    The action is a coroutine function that returns the seconds until its next run, or None
    for "when asked". An exception from it is a bug: it is logged, and the task goes on.
    """

    # `Any` is what a coroutine of Twisted awaits and gets back: Deferreds of whatever type.
    _log = Logger()

    def __init__(
        self, clock: IReactorTime, name: str, action: Callable[[], Coroutine[Deferred[Any], Any, float | None]]
    ) -> None:
        self._clock = clock
        self._name = name
        self._action = action
        self._call: IDelayedCall | None = None
        self._wish: float | None = None
        self._running: Deferred[None] | None = None
        self._stopped = False

    @property
    def busy(self) -> bool:
        """Whether the action is under way."""
        return self._running is not None

    def run_within(self, delay: float = 0.0) -> None:
        """Run in at most `delay` seconds; if it runs now, that long after now or as soon as it ends."""
        if self._stopped:
            return
        at = self._clock.seconds() + delay
        if self.busy:
            self._wish = at if self._wish is None else min(self._wish, at)
        elif self._call is None:
            self._call = self._clock.callLater(delay, self._run)
        elif at < self._call.getTime():
            self._call.reset(delay)

    def stop(self) -> Deferred[None]:
        """Cancel what runs and what is scheduled. Fires with None when nothing is left. Idempotent."""
        first, self._stopped = not self._stopped, True
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        if self._running is None:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._running.addBoth(lambda _: ended.callback(None))
        if first:
            self._running.cancel()
        return ended

    def _run(self) -> None:
        self._call = None
        # Set before the coroutine begins: it may call `run_within` before its first await.
        begin: Deferred[None] = Deferred()
        self._running = begin
        begin.addCallback(self._begin).addErrback(self._failed).addCallback(self._ended)
        begin.callback(None)

    def _begin(self, _: object) -> Deferred[float | None]:
        return Deferred.fromCoroutine(self._action())

    def _failed(self, failure: Failure) -> float | None:
        if self._stopped:
            return None
        self._log.failure("{name} failed, again in {seconds} s", failure, name=self._name, seconds=RETRY_SECONDS)
        return RETRY_SECONDS

    def _ended(self, delay: float | None) -> None:
        self._running, wish, self._wish = None, self._wish, None
        if wish is not None:
            wished = max(0.0, wish - self._clock.seconds())
            delay = wished if delay is None else min(delay, wished)
        if delay is not None:
            self.run_within(delay)
