"""What signals do, and how the program ends: with status 0 on request, with 1 and one line if it cannot go on."""

import atexit
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger
from twisted.python.failure import Failure

MAX_THREAD_SECONDS = 0.4
"""Seconds that threads may go on after all services have stopped."""
Work = Callable[[], Coroutine[Deferred[Any], Any, Any]]
"""Makes the coroutine that a signal starts. Any: its result is not used."""


@dataclass(frozen=True, slots=True)
class _Actions:
    """What a running service does on signals."""

    stop_sooner: Callable[[], None]
    reload: Work
    dump: Work


class SignalActions:
    """What signals do: nothing until `start`, then what the service gave. An error is logged and does not end the
    reactor, which makes the calls."""

    _log = Logger()

    def __init__(self) -> None:
        self.status = 0
        """The exit status at the end."""
        self._actions: _Actions | None = None

    def start(self, stop_sooner: Callable[[], None], reload: Work, dump: Work) -> None:
        """A service exists now. `stop_sooner` shortens a stop that is under way."""
        self._actions = _Actions(stop_sooner, reload, dump)

    def stop_sooner(self) -> None:
        """A second SIGTERM or SIGINT."""
        self._log.warn("asked to stop again: waiting for the capture only")
        if self._actions is not None:
            self._actions.stop_sooner()

    def reload(self) -> None:
        """SIGHUP."""
        self._start("reload", None if self._actions is None else self._actions.reload)

    def dump(self) -> None:
        """SIGUSR1."""
        self._start("state dump", None if self._actions is None else self._actions.dump)

    def _start(self, what: str, work: Work | None) -> None:
        if work is None:
            self._log.warn("{what}: not started yet", what=what)
            return
        Deferred.fromCoroutine(work()).addErrback(self._bug, what)

    def _bug(self, failure: Failure, what: str) -> None:
        self._log.failure("{what}: a bug", failure, what=what)


def do_nothing() -> None:
    """The action of a second signal if a stop takes no time anyway."""


def stop_on_signals(reactor: Any, stop_sooner: Callable[[], None] = do_nothing) -> None:
    """Stop the reactor on SIGTERM and SIGINT, once it runs. Each further signal calls `stop_sooner`.

    `twistd` kills itself with the signal that stopped its reactor, and then its exit status is 143 instead of 0. The
    reactor does not see a signal that is caught here.
    """

    def stop() -> None:
        try:
            reactor.stop()
        except ReactorNotRunning:  # this is the second signal
            stop_sooner()

    def install() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            call_on_signal(reactor, number, stop)

    install()
    reactor.callWhenRunning(install)  # by then the reactor has installed its own handlers


def call_on_signal(reactor: Any, number: int, call: Callable[[], None]) -> None:
    """On a signal, call in a turn of the reactor instead of in the middle of other code.

    twistd uses SIGUSR1 for its own log file (`--logfile`) unless it already has a handler, so call this first.
    """

    def caught(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(call)

    signal.signal(number, caught)


def explain_crashes() -> None:
    """SIGABRT and SIGSEGV print the stack of each thread before the process ends.

    systemd sends SIGABRT if the watchdog gets no sign of life. The stacks are printed even if the reactor hangs in C
    code, and they are the only trace of a hang. A process without a standard error stream prints nothing.
    """
    try:
        faulthandler.enable(sys.__stderr__ or sys.stderr)
    except (OSError, ValueError, AttributeError):
        return


def leave_in_time(reactor: Any, status: Callable[[], int]) -> None:
    """End the process with `status()` soon after all services have stopped, even if threads still run.

    The reactor waits for its threads. A thread that looks up a name without a network takes half a minute.
    """

    def arm() -> None:
        timer = threading.Timer(MAX_THREAD_SECONDS, end)
        timer.daemon = True
        timer.start()

    def end() -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status())

    # Services stop in phase "before". The reactor adds its own wait to "during" when it makes its first thread.
    reactor.addSystemEventTrigger("during", "shutdown", arm)


def give_up(program: str, reason: object) -> NoReturn:
    """End before the reactor runs, with one line and exit status 1. twistd turns `sys.stderr` into a log: not used."""
    line = " ".join(f"{program}: {reason}".split())
    (sys.__stderr__ or sys.stderr).write(line + "\n")
    raise SystemExit(1)


def fail(reactor: Any) -> None:
    """Stop a running program cleanly, with exit status 1. twistd has no such end."""

    def end() -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(1)

    atexit.register(end)
    with suppress(ReactorNotRunning):  # it is stopping already
        reactor.stop()
