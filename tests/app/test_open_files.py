"""Tests for `gatherer.app.open_files`: open files, before anything is opened."""

import resource
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase, TestCase

from gatherer.app.open_files import allow_files, files_needed
from gatherer.config.settings import ManholeSettings, Settings, WebSettings
from gatherer.errors import ConfigError
from gatherer.ops.manhole import service as manhole
from gatherer.ops.web import service as web
from tests.support.processes import python

INFINITY = resource.RLIM_INFINITY
SHORT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (100, int(sys.argv.pop(1))))
from twisted.scripts.twistd import run; run()
"""


class FakeSystem:
    """Has limits, and perhaps forbids to change them."""

    def __init__(self, soft: int, hard: int, refuses: bool = False) -> None:
        self.limits = (soft, hard)
        self._refuses = refuses

    def get(self, which: int) -> tuple[int, int]:
        assert which == resource.RLIMIT_NOFILE
        return self.limits

    def set(self, which: int, limits: tuple[int, int]) -> None:
        assert which == resource.RLIMIT_NOFILE
        if self._refuses:
            raise OSError(1, "Operation not permitted")
        self.limits = limits


class AllowFilesTests(SynchronousTestCase):
    """What is done about a limit."""

    def allow(self, system: FakeSystem, needed: int = 400) -> tuple[int, int]:
        """The limits afterwards."""
        allow_files(needed, system.get, system.set)
        return system.limits

    def test_what_is_enough_stays(self) -> None:
        """No limit is ever lowered, and none at all is enough."""
        for soft in (400, 100_000, INFINITY):
            self.assertEqual(self.allow(FakeSystem(soft, INFINITY)), (soft, INFINITY))

    def test_the_soft_limit_is_raised(self) -> None:
        """To what is needed, not to all that is allowed."""
        for hard in (400, 4096, INFINITY):
            self.assertEqual(self.allow(FakeSystem(256, hard)), (400, hard))

    def test_too_low_a_hard_limit_is_told(self) -> None:
        """One line with what there is, what is needed, and three ways to get it."""
        error = str(self.assertRaises(ConfigError, self.allow, FakeSystem(100, 256)))
        for words in ("256 files", "needs 400", "LimitNOFILE=400", "ulimit -n 400"):
            self.assertIn(words, error)

    def test_a_sandbox_that_forbids_it_is_told(self) -> None:
        """By the limit that is in force there."""
        self.assertIn("100 files", str(self.assertRaises(ConfigError, self.allow, FakeSystem(100, 4096, True))))


class FilesNeededTests(SynchronousTestCase):
    """How many."""

    def test_what_counts(self) -> None:
        """Every connection, the pages and the prompt if they are on, and twice the sockets in a demo."""
        off = replace(Settings(), web=WebSettings(listen=""))
        least = files_needed(off, False)
        self.assertGreater(least, 150 + 64)
        self.assertGreater(files_needed(off, True), least + 150)
        self.assertGreater(files_needed(Settings(), False), least + web.MAX_CONNECTIONS)
        prompt = replace(off, manhole=ManholeSettings(listen="tcp:1"))
        self.assertGreater(files_needed(prompt, False), least + manhole.MAX_CONNECTIONS)


class ProcessTests(TestCase):
    """The real limit of a real process."""

    timeout = 60

    async def test_a_start_without_enough_files(self) -> None:
        """One line and status 1, before anything is opened."""
        folder = Path(self.mktemp())
        folder.mkdir()
        run = python(str(folder.resolve()), SHORT, "150", "--nodaemon", "gatherer", "--demo", GATHERER_WEB_LISTEN="")
        self.assertEqual(await run.ended, 1, run.output)
        self.assertIn("gatherer: this process may have 150 files open", run.output)
        self.assertEqual(list(folder.iterdir()), [])
