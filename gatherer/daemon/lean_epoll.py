"""Twisted's epoll reactor with less in the way from a readable socket to its protocol.

With few messages a second over many connections nearly every read brings one message, and the cost per event decides:
Twisted sets up a logging context for each, which legacy logging asks for and ours does not, and checks what only a
faulty file descriptor needs. `docs/performance.md` has what that saves, and how uvloop compares.

Everything but plain "there is something to read" is left to Twisted. Linux only.
"""

from errno import EINTR
from select import EPOLLIN

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.python import log


class LeanEpollReactor(EPollReactor):  # type: ignore[misc, unused-ignore]
    """Behaves as its base does, except that legacy log events of `doRead` carry no prefix of the connection."""

    def doPoll(self, timeout: float | None) -> None:
        """See `EPollReactor`. Waits for `timeout` seconds at most; None is for ever."""
        try:
            ready = self._poller.poll(-1 if timeout is None else timeout, len(self._selectables))
        except OSError as error:
            if error.errno == EINTR:
                return
            raise
        selectables = self._selectables
        for fd, event in ready:
            selectable = selectables.get(fd)  # None: an event before this one in the list has closed it
            if selectable is None:
                continue
            if event != EPOLLIN:
                log.callWithLogger(selectable, self._doReadOrWrite, selectable, fd, event)
                continue
            try:
                why = selectable.doRead()
            except BaseException as error:  # as Twisted does: whoever fails loses its connection, not the reactor
                log.err()
                why = error
            if why:
                self._disconnectSelectable(selectable, why, True)

    doIteration = doPoll


def install() -> None:
    """Make it the global reactor; for `twistd --reactor lean-epoll`."""
    installReactor(LeanEpollReactor())
