"""Waiting at the stop, but not for ever: for what does not end in time the rest of the stop goes on."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure


class Patience:
    """For one stop. Once lost it stays lost."""

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._lost = False
        self._waits: list[Deferred[None]] = []

    def lose(self) -> None:
        """End every wait, now and from now on."""
        self._lost = True
        waits, self._waits = self._waits, []
        for wait in waits:
            wait.cancel()

    def wait(self, what: str, ending: Deferred[Any], seconds: float) -> Deferred[None]:
        """Fires with None when `ending` fired, at the latest after `seconds`; never fails. `what` names it in the log.

        `ending` itself is not cancelled: it goes on as long as the process does.
        """
        wait: Deferred[None] = Deferred()

        def ended(_: object) -> None:
            if not wait.called:
                wait.callback(None)

        ending.addErrback(self._failed, what).addBoth(ended)
        if not wait.called:
            wait.addTimeout(seconds, self._clock, lambda result, _: result).addErrback(self._over, what)
            self._waits.append(wait)
            if self._lost:
                self.lose()
        return wait

    def _failed(self, failure: Failure, what: str) -> None:
        self._log.failure("{what} did not end properly", failure, what=what)

    def _over(self, failure: Failure, what: str) -> None:
        failure.trap(CancelledError)
        self._log.warn("{what} do not end in time: going on without them", what=what)
