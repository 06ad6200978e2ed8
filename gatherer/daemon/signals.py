"""How the program ends: status 0 when it was asked to, 1 with one line when it cannot go on. And what else it is asked
by signals while it runs."""

import atexit
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger
from twisted.python.failure import Failure


class SignalActions:
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


LAST_SECONDS = 0.4
"""Seconds that threads may go on once everything of ours has stopped."""


def wait_patiently() -> None:
    """What a second signal changes about a stop that takes no time anyhow."""


def stop_on_signals(reactor: Any, hurry: Callable[[], None] = wait_patiently) -> None:
    """Stop the reactor on SIGTERM and SIGINT, as soon as it runs; on each further one call `hurry`.

    `twistd` kills itself with the signal that stopped its reactor, so that its exit status says
    143 instead of 0. The reactor does not know of a signal that is caught here.
    """

    def stop() -> None:
        try:
            reactor.stop()
        except ReactorNotRunning:  # the second signal of an impatient user
            hurry()

    def install() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            call_on_signal(reactor, number, stop)

    install()
    reactor.callWhenRunning(install)  # the reactor has installed its own by then


def call_on_signal(reactor: Any, number: int, call: Callable[[], None]) -> None:
    """Call in a turn of the reactor, not wherever the signal happens to interrupt it.

    twistd takes SIGUSR1 for its own log file (`--logfile`) unless somebody has it already, so this must come before.
    """

    def caught(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(call)

    signal.signal(number, caught)


def explain_crashes() -> None:
    """SIGABRT (systemd's, when a sign of life is missing) and SIGSEGV print where each thread is before the end.

    That works while the reactor hangs in C code, and it is the only trace a hang leaves. A process without a standard
    error stream, such as a test's, goes without.
    """
    try:
        faulthandler.enable(sys.__stderr__ or sys.stderr)
    except (OSError, ValueError, AttributeError):
        return


def leave_in_time(reactor: Any, status: Callable[[], int]) -> None:
    """Once all services have stopped the process ends with `status()`, whatever its threads still do.

    The reactor waits for its threads, and one that looks up a name while the network is away takes half a minute.
    """

    def arm() -> None:
        timer = threading.Timer(LAST_SECONDS, end)
        timer.daemon = True
        timer.start()

    def end() -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status())

    # Services stop "before" the shutdown. The reactor adds its own wait, "during", when it makes its first thread.
    reactor.addSystemEventTrigger("during", "shutdown", arm)


def give_up(program: str, reason: object) -> NoReturn:
    """End before the reactor runs: one line, exit status 1. Not `sys.stderr`: twistd makes a log of that."""
    line = " ".join(f"{program}: {reason}".split())
    (sys.__stderr__ or sys.stderr).write(line + "\n")
    raise SystemExit(1)


def fail(reactor: Any) -> None:
    """End a running program in good order, with exit status 1: twistd itself knows no such end."""

    def end() -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(1)

    atexit.register(end)
    if reactor.running:
        reactor.stop()
