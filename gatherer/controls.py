"""What signals ask of a gatherer while it runs. It may be made later than they are caught: a demo's is."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure


class Controls:
    """Calls come from the reactor, so whatever fails is logged and does not end it."""

    _log = Logger()

    def __init__(self) -> None:
        self.status = 0
        """The exit status at the end."""
        self._hurry: Callable[[], None] | None = None
        self._reload: Callable[[], Any] | None = None
        self._dump: Callable[[], Any] | None = None

    def take(self, hurry: Callable[[], None], reload: Callable[[], Any], dump: Callable[[], Any]) -> None:
        """There is a gatherer now. `reload` and `dump` make coroutines."""
        self._hurry, self._reload, self._dump = hurry, reload, dump

    def hurry(self) -> None:
        """A second SIGTERM or SIGINT."""
        self._log.warn("asked to stop again: waiting for the capture only")
        if self._hurry is not None:
            self._hurry()

    def reload(self) -> None:
        """SIGHUP."""
        self._start("reload", self._reload)

    def dump(self) -> None:
        """SIGUSR1."""
        self._start("state dump", self._dump)

    def _start(self, what: str, make: Callable[[], Any] | None) -> None:
        if make is None:
            self._log.warn("{what}: not started yet", what=what)
            return
        Deferred.fromCoroutine(make()).addErrback(self._bug, what)

    def _bug(self, failure: Failure, what: str) -> None:
        self._log.failure("{what}: a bug", failure, what=what)
