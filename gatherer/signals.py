"""How the program ends: status 0 when it was asked to, 1 with one line when it cannot go on."""

import atexit
import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

from twisted.internet.error import ReactorNotRunning


def stop_on_signals(reactor: Any) -> None:
    """Stop the reactor on SIGTERM and SIGINT, as soon as it runs.

    `twistd` kills itself with the signal that stopped its reactor, so that its exit status says
    143 instead of 0. The reactor does not know of a signal that is caught here.
    """

    def stop() -> None:
        try:
            reactor.stop()
        except ReactorNotRunning:  # the second signal of an impatient user
            return

    def caught(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(stop)

    def install() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, caught)

    install()
    reactor.callWhenRunning(install)  # the reactor has installed its own by then


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
