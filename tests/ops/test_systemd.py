"""Tests for `gatherer.ops.systemd`: what is sent to systemd, when, and when nothing is sent."""

import os
import socket
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from gatherer.errors import StartupFailed
from gatherer.ops.systemd import (
    MAX_STANDSTILL,
    NotifySocket,
    SystemdService,
    WriterWatch,
    notify_address,
    status_line,
    watchdog_seconds,
)
from tests.ops.support import StubManager, StubRegistry, StubRouter, make_health, router_status


class PendingManager(StubManager):
    """Ready when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: Deferred[None] = Deferred()
        self.figures.update(held=199, owed=9)

    def when_ready(self) -> Deferred[None]:
        return self.ready


class Rig(SynchronousTestCase):
    """A fake clock, stub parts, and the datagrams in a list. No tests of its own."""

    watchdog: float | None = 30.0

    def setUp(self) -> None:
        self.clock, self.sent = Clock(), list[str]()
        self.manager, self.registry, self.router = PendingManager(), StubRegistry(), StubRouter()
        self.router.figures["backlog"] = 0
        self.service = SystemdService(
            self.sent.append,
            self.watchdog,
            self.manager,
            self.router,
            make_health(self.manager, self.registry, self.router).status,
            self.clock,
            lambda: 5_000_000,
        )
        self.service.startService()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.service.stopService)

    def pass_time(self, seconds: float, step: float = 1.0) -> str:
        """What was sent meanwhile."""
        self.sent.clear()
        self.clock.pump([step] * int(seconds / step))
        return "\n".join(self.sent)


class SystemdServiceTests(Rig):
    """What is said, and when."""

    def test_a_long_start_asks_for_patience(self) -> None:
        """Until enough connections are live systemd is asked, again and again, to wait longer than the interval."""
        self.assertIn("EXTEND_TIMEOUT_USEC=30000000", self.sent[0])
        for _ in range(20):
            self.assertIn("EXTEND_TIMEOUT_USEC=30000000", self.pass_time(5.0))
        self.assertNotIn("READY=1", "\n".join(self.sent))

    def test_ready_is_said_once(self) -> None:
        """When enough connections are live, with what is there so far; from then on no more time is asked for."""
        self.sent.clear()
        self.manager.ready.callback(None)
        self.assertEqual(self.sent, ["READY=1\nSTATUS=2 of 2 connections live, 190 of 200 markets with a book"])
        later = self.pass_time(60.0)
        self.assertNotIn("READY", later)
        self.assertNotIn("EXTEND", later)

    def test_a_start_that_fails_is_never_ready(self) -> None:
        """The service gives up by itself; systemd sees its exit status."""
        self.manager.ready.errback(Failure(StartupFailed("3 of 150")))
        self.assertNotIn("READY=1", self.pass_time(30.0))

    def test_signs_of_life_come_three_times_an_interval(self) -> None:
        """Whatever the interval, one that is missing twice in a row is still in time."""
        self.manager.ready.callback(None)
        self.pass_time(30.0)
        self.assertGreaterEqual(sum("WATCHDOG=1" in text for text in self.sent), 3)

    def test_the_status_follows_the_figures(self) -> None:
        """Every ten seconds, not with every sign of life."""
        self.manager.ready.callback(None)
        self.manager.figures["healthy"] = 1
        self.pass_time(60.0)
        statuses = [text for text in self.sent if "STATUS=" in text]
        self.assertTrue(all("STATUS=1 of 2 connections" in text for text in statuses))
        self.assertEqual(len(statuses), 6)

    def test_an_exchange_that_is_away_is_no_hang(self) -> None:
        """No connection, nothing written, nothing waiting: a restart would change nothing, so life is shown."""
        self.manager.ready.callback(None)
        self.manager.figures["healthy"] = 0
        self.assertIn("WATCHDOG=1", self.pass_time(600.0))
        self.assertIn("WATCHDOG=1", self.pass_time(10.0))

    def test_a_writer_that_stands_still_ends_the_signs_of_life(self) -> None:
        """Messages wait and none is written, without an error of the disk: one line tells, and no ping goes out."""
        self.manager.ready.callback(None)
        self.router.figures["backlog"] = 9
        self.pass_time(MAX_STANDSTILL + 10)
        self.assertNotIn("WATCHDOG", self.pass_time(60.0))
        self.router.figures["written"] += 1
        self.assertIn("WATCHDOG=1", self.pass_time(10.0))

    def test_the_end_is_announced_and_is_the_end(self) -> None:
        """STOPPING, and not a word after it."""
        self.sent.clear()
        self.service.stopService()
        self.assertEqual([text.split("\n")[0] for text in self.sent], ["STOPPING=1"])
        self.assertEqual(self.pass_time(60.0), "")

    def test_a_reload_is_framed(self) -> None:
        """systemd learns when it began, by its own clock, and how it ended."""
        self.manager.ready.callback(None)
        self.sent.clear()
        outcome: Deferred[str] = Deferred()

        async def reload() -> str:
            return await outcome

        Deferred.fromCoroutine(self.service.around(reload))
        self.assertEqual(self.sent, ["RELOADING=1\nMONOTONIC_USEC=5000"])
        outcome.callback("a line\nof\x00 two")
        self.assertEqual(self.sent[1], "READY=1\nSTATUS=a line of\x00 two")

    def test_a_reload_during_the_start_is_not_taken_for_its_end(self) -> None:
        """READY=1 would say that there is a feed."""
        self.sent.clear()

        async def reload() -> str:
            return "done"

        self.successResultOf(Deferred.fromCoroutine(self.service.around(reload)))
        self.assertEqual(self.sent, [])

    def test_a_status_that_fails_is_no_reason_to_be_restarted(self) -> None:
        """The bug is logged, the sign of life is given."""
        self.manager.ready.callback(None)
        del self.manager.figures["held"]
        self.assertIn("WATCHDOG=1", self.pass_time(10.0))
        self.assertTrue(self.flushLoggedErrors(msgspec.ValidationError))


class NoWatchdogTests(Rig):
    """A unit without WatchdogSec."""

    watchdog = None

    def test_the_same_without_signs_of_life(self) -> None:
        """Readiness and status are sent, and no signs of life."""
        self.assertIn("EXTEND_TIMEOUT_USEC", self.sent[0])
        self.manager.ready.callback(None)
        later = self.pass_time(60.0)
        self.assertIn("STATUS=", later)
        self.assertNotIn("WATCHDOG", later)


class WriterWatchTests(SynchronousTestCase):
    """When the writer counts as standing still."""

    def standstill(self, **later: Any) -> float:
        """After a minute in which nothing was written although messages wait, except as `later` says."""
        watch, figures = WriterWatch(), {**StubRouter().figures, "written": 5, "backlog": 3, "trouble": None}
        watch.standstill(0.0, router_status(figures))
        return watch.standstill(60.0, router_status({**figures, **later}))

    def test_messages_wait_and_nothing_is_written(self) -> None:
        """A minute is a minute."""
        self.assertEqual(self.standstill(), 60.0)

    def test_what_is_no_standstill(self) -> None:
        """Something written, nothing to write, or a disk that refuses and says so."""
        for later in ({"written": 6}, {"backlog": 0}, {"trouble": "No space left on device"}):
            self.assertEqual(self.standstill(**later), 0.0)


class StatusLineTests(SynchronousTestCase):
    """The line of `systemctl status`."""

    def test_it_is_one_line_with_the_trouble_in_it(self) -> None:
        """A pause of the exchange and a disk that refuses are said; a line break in a text does not end the line."""
        manager, registry, router = StubManager(), StubRegistry(), StubRouter()
        manager.figures.update(healthy=1, held=12_000, owed=1, markets=20_000)
        registry.figures["exchange_active"] = False
        router.figures["trouble"] = "no\nspace"
        line = status_line(make_health(manager, registry, router).status())
        self.assertEqual(
            line,
            "1 of 2 connections live, 11,999 of 20,000 markets with a book, the exchange pauses, "
            "the capture cannot be written: no space",
        )


class EnvironmentTests(SynchronousTestCase):
    """What systemd puts into the environment."""

    def test_addresses(self) -> None:
        """A path and an abstract name are used; nothing, a machine's vsock and nonsense are not."""
        for address, found in (("/run/x", "/run/x"), ("@x", "@x"), ("vsock:2:9", ""), ("@", ""), ("", "")):
            self.assertEqual(notify_address({"NOTIFY_SOCKET": address}), found)
        self.assertEqual(notify_address({}), "")

    def test_the_watchdog_is_for_one_process(self) -> None:
        """Microseconds, ours only if the process id is ours or not given; nonsense means no watchdog."""
        for environ, seconds in (
            ({"WATCHDOG_USEC": "30000000"}, 30.0),
            ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "7"}, 0.5),
            ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "8"}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({"WATCHDOG_USEC": "soon"}, None),
            ({"WATCHDOG_USEC": "²"}, None),
            ({}, None),
        ):
            self.assertEqual(watchdog_seconds(environ, 7), seconds, environ)


class NotifySocketTests(SynchronousTestCase):
    """Real datagram sockets."""

    def listener(self, address: str) -> socket.socket:
        """Somebody who listens there."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(address)
        listener.setblocking(False)
        return listener

    def test_both_kinds_of_address(self) -> None:
        """A datagram arrives whole at a path, and at a name that is in no directory."""
        path = os.path.relpath(Path(self.mktemp()).absolute())  # a socket's path may have 107 bytes only
        name = f"gatherer-test-{os.getpid()}-{id(self)}"
        for listener, address in ((self.listener(path), path), (self.listener("\0" + name), "@" + name)):
            NotifySocket(address, Clock())("READY=1\nSTATUS=völlig da")
            self.assertEqual(listener.recv(1000).decode(), "READY=1\nSTATUS=völlig da")

    def test_nobody_listens(self) -> None:
        """The service goes on; a minute's losses are one line."""
        send = NotifySocket(os.path.relpath(Path(self.mktemp()).absolute()), Clock())
        for _ in range(3):
            send("WATCHDOG=1")

    def test_a_listener_that_does_not_read_holds_nobody_up(self) -> None:
        """A full queue costs the datagram, not the reactor's time."""
        path = os.path.relpath(Path(self.mktemp()).absolute())
        self.listener(path)
        send = NotifySocket(path, Clock())
        for _ in range(1000):
            send("WATCHDOG=1")
