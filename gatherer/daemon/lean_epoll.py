"""Twisted's epoll reactor with less work between a readable socket and its protocol.

With few messages a second on many connections, nearly every read returns one message, and the cost per event matters.
For each event Twisted sets up a logging context, which only legacy logging uses, and makes checks that only a faulty
file descriptor needs. `docs/performance.md` has what this saves, and a comparison with uvloop.

This reactor handles only plain "there is something to read" itself. Linux only.
"""

import time
from errno import EINTR
from select import EPOLLIN

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.python import log


class LeanEpollReactor(EPollReactor):  # type: ignore[misc, unused-ignore]
    """Behaves as its base does, with two exceptions. Legacy log events of `doRead` carry no prefix of the connection.
    And its timers follow CLOCK_MONOTONIC: Twisted's own follow the wall clock, so that a step of it would fire all
    timers at once or none for as long as it went back. `seconds` is therefore not Unix time."""

    seconds = staticmethod(time.monotonic)

    def doPoll(self, timeout: float | None) -> None:
        """See `EPollReactor`. Waits for at most `timeout` seconds; None means for ever."""
        try:
            ready = self._poller.poll(-1 if timeout is None else timeout, len(self._selectables))
        except OSError as error:
            if error.errno == EINTR:
                return
            raise
        selectables = self._selectables
        for fd, event in ready:
            selectable = selectables.get(fd)  # None: an earlier event of this list has closed it
            if selectable is None:
                continue
            if event != EPOLLIN:
                log.callWithLogger(selectable, self._doReadOrWrite, selectable, fd, event)
                continue
            try:
                why = selectable.doRead()
            except BaseException as error:  # as Twisted: an error costs its connection, and the reactor goes on
                log.err()
                why = error
            if why:
                self._disconnectSelectable(selectable, why, True)

    doIteration = doPoll


def install() -> None:
    """Make it the global reactor; for `twistd --reactor lean-epoll`."""
    installReactor(LeanEpollReactor())
