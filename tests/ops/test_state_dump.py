"""Tests for `gatherer.ops.state_dump`: the file that SIGUSR1 writes."""

import errno
import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import provider

from gatherer.config.settings import Settings
from gatherer.ops.state_dump import KEPT, StateDump, process_facts, write_dump
from tests.ops.support import StubManager, StubRegistry, StubRouter, make_events, make_health
from tests.support.wall import wall_of


class StateDumpTests(SynchronousTestCase):
    """Stub parts, a real folder, no thread."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        default = Settings()
        self.settings = replace(
            default,
            router=replace(default.router, directory=str(self.directory)),
            exchange=replace(default.exchange, key_id="a-key-id", private_key_file="/etc/key.pem"),
        )
        self.reactor = MemoryReactorClock()
        self.router = StubRouter()
        manager = StubManager()
        manager.admin = SimpleNamespace(
            pending=lambda: [{"id": 7}], gaps=lambda since: [{"since": since - self.reactor.seconds()}]
        )
        self.running: Any = maybeDeferred
        status = make_health(manager, StubRegistry(), self.router).status
        self.dump = StateDump(
            lambda: self.settings,
            manager,
            status,
            make_events(),
            self.reactor,
            wall_of(self.reactor),
            lambda work: self.running(work),
        )

    def write(self) -> Path | None:
        """One signal."""
        return self.successResultOf(Deferred.fromCoroutine(self.dump.write()))

    def test_everything_is_in_it(self) -> None:
        """Each part's figures, settings, versions, threads and timers, as JSON."""
        self.reactor.callLater(5.0, self.write)
        path = self.write()
        assert path is not None
        state = json.loads(path.read_bytes())
        for part in (
            "at", "uptime_seconds", "settings", "manager", "pending", "gaps", "last_errors", "registry", "router",
            "reactor", "health", "versions", "process", "threads",
        ):  # fmt: skip
            self.assertIn(part, state)
        self.assertEqual(state["router"]["received"], 100)
        self.assertEqual((state["pending"], state["gaps"]), ([{"id": 7}], [{"since": -600.0}]))
        self.assertEqual(state["reactor"]["timers"], {"StateDumpTests.write": 1})
        self.assertIn("test_everything_is_in_it", str(state["threads"]))
        self.assertNotIn("a-key-id", path.read_text())

    def test_only_its_owner_reads_it(self) -> None:
        """The folder too, whatever the umask."""
        path = self.write()
        assert path is not None
        self.assertEqual((path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777), (0o600, 0o700))

    def test_a_bounded_number_stays(self) -> None:
        """The oldest go; no half of one is left."""
        paths = []
        for _ in range(KEPT + 3):
            paths.append(self.write())
            self.reactor.advance(1)
        self.assertEqual(sorted(self.directory.joinpath("dumps").iterdir()), paths[3:])

    def test_a_disk_that_refuses_costs_the_dump_only(self) -> None:
        """One line says where and why; the next one may succeed."""
        lines: list[str] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            lines.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        self.directory.write_text("a file where the folder should be")
        self.assertIsNone(self.write())
        self.assertEqual(lines, [f"no state dump in {self.directory}/dumps: Not a directory"])
        self.directory.unlink()
        self.assertIsNotNone(self.write())

    def test_a_broken_part_costs_the_dump_only(self) -> None:
        """What is wrong with it is in the log."""
        self.patch(self.router, "status", lambda: 1 / 0)
        self.assertIsNone(self.write())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_one_at_a_time(self) -> None:
        """Signals while one is being written are answered with a line."""
        done: Deferred[Path] = Deferred()
        self.running = lambda work: done
        first = Deferred.fromCoroutine(self.dump.write())
        self.assertIsNone(self.write())
        self.assertNoResult(first)
        done.callback(Path("x"))
        self.assertEqual(self.successResultOf(first), Path("x"))


class WriteDumpTests(SynchronousTestCase):
    """The file by itself."""

    def test_values_that_json_does_not_know(self) -> None:
        """Are written as their text rather than not at all."""
        path = write_dump(Path(self.mktemp()), 0.0, {"a": object, "b": [1]})
        self.assertEqual(json.loads(path.read_text())["b"], [1])
        self.assertEqual(path.name, "state-19700101T000000.000000Z.json")

    def test_a_full_disk_leaves_nothing_behind(self) -> None:
        """A dump that cannot be written whole is removed."""
        folder = Path(self.mktemp())

        def refuse(old: Path, new: Path) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.patch(os, "rename", refuse)
        self.assertRaises(OSError, write_dump, folder, 0.0, {"a": 1})
        self.assertEqual(list(folder.iterdir()), [])

    def test_threads_are_named(self) -> None:
        """With the lines they are at."""
        go = threading.Event()
        thread = threading.Thread(target=go.wait, name="capture-writer")
        thread.start()
        try:
            threads = process_facts()["threads"]
        finally:
            go.set()
            thread.join()
        (stack,) = (stack for name, stack in threads.items() if name.startswith("capture-writer"))
        self.assertIn("wait", str(stack))
