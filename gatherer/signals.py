"""An end that was asked for is no failure: exit status 0."""

import signal
from types import FrameType
from typing import Any

from twisted.internet.error import ReactorNotRunning


def stop_on_signals(reactor: Any) -> None:
    """Stop the reactor on SIGTERM and SIGINT, once it runs.

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

    reactor.callWhenRunning(install)
