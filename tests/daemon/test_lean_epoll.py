"""Tests for `gatherer.daemon.lean_epoll` and for its installation."""

import select
import subprocess
import sys
from collections.abc import Callable
from socket import socketpair
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase

if not hasattr(select, "epoll"):
    raise SkipTest("there is no epoll here")

from twisted.internet.epollreactor import EPollReactor

from gatherer.daemon.lean_epoll import LeanEpollReactor


class Descriptor:
    """A selectable on one end of a socket pair, which acts as a test says."""

    def __init__(self, reactor: Any, events: list[Any], name: str, act: Callable[[], Any]) -> None:
        self.ours, self.theirs = socketpair()
        self._name = name
        self._events = events
        self._act = act
        self._reactor = reactor
        reactor.addReader(self)

    def fileno(self) -> int:
        return self.ours.fileno()

    def logPrefix(self) -> str:
        return self._name

    def doRead(self) -> Any:
        self._events.append((self._name, "read", self.ours.recv(100)))
        return self._act()

    def doWrite(self) -> Any:
        self._events.append((self._name, "write"))
        self._reactor.removeWriter(self)

    def connectionLost(self, reason: Failure) -> None:
        self._events.append((self._name, "lost", reason.type))
        self.close()

    def close(self) -> None:
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self.ours.close()
        self.theirs.close()


def events_of(make_reactor: Callable[[], Any]) -> list[Any]:
    """The events of descriptors that read, write, fail, lose their peer, close each other or see an end."""
    reactor = make_reactor()
    events: list[Any] = []
    made: dict[str, Descriptor] = {}

    def fail() -> None:
        raise ValueError("bug")

    acts: dict[str, Callable[[], Any]] = {
        "fine": lambda: None, "fails": fail, "done": ConnectionDone, "lost": ConnectionLost,
        "killer": lambda: made["victim"].close(), "victim": lambda: made["killer"].close(),
        "ended": lambda: None, "writes": lambda: None,
    }  # fmt: skip
    for name, act in acts.items():
        made[name] = Descriptor(reactor, events, name, act)
    for name in ("fine", "fails", "done", "lost", "killer", "victim", "writes"):
        made[name].theirs.send(name.encode())
    reactor.addWriter(made["writes"])
    made["ended"].theirs.close()
    reactor.doPoll(0)
    reactor.doPoll(0)
    for each in made.values():
        each.close()
    waker = reactor.removeAll()
    for each in waker:
        each.connectionLost(Failure(ConnectionDone()))
    return events


class LeanEpollReactorTests(SynchronousTestCase):
    """It behaves as its base class."""

    def test_the_same_happens_as_on_its_base(self) -> None:
        """Reads, writes, errors, losses, and a descriptor closed by an event before its own."""
        lean = events_of(LeanEpollReactor)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(lean, events_of(EPollReactor))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertIn(("fails", "lost", ValueError), lean)
        self.assertEqual(len([event for event in lean if event[0] in ("killer", "victim")]), 1)


class ChoosingTests(SynchronousTestCase):
    """`twistd gatherer` runs on it."""

    def reactor_of(self, *options: str) -> str:
        """The reactor of twistd with these options."""
        script = (
            "import sys; from twisted.scripts._twistd_unix import ServerOptions; o = ServerOptions();"
            "o.parseOptions([*sys.argv[1:], 'gatherer', '--demo']); from twisted.internet import reactor;"
            "print(type(reactor).__name__)"
        )
        done = subprocess.run([sys.executable, "-c", script, *options], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_importing_installs_no_reactor(self) -> None:
        """The package can be imported without a reactor being chosen."""
        script = "import sys, gatherer.daemon; print('twisted.internet.reactor' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, "False\n"), done.stderr)

    def test_it_is_there_before_anything_takes_the_default(self) -> None:
        """It is installed before autobahn is imported, which installs the default reactor."""
        self.assertEqual(self.reactor_of(), "LeanEpollReactor")

    def test_the_command_line_is_obeyed(self) -> None:
        """`--reactor` selects another reactor, or this one by name."""
        self.assertEqual(self.reactor_of("--reactor", "poll"), "PollReactor")
        self.assertEqual(self.reactor_of("--reactor", "lean-epoll"), "LeanEpollReactor")
