"""A run that dies at any step, and what the next run makes of it."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gatherer.data import write_tables
from tests.data.support import Story, contents


class Killed(BaseException):
    """As sudden as `kill -9`: nothing of ours catches it."""


class Replacing:
    """`os.replace` that dies instead of doing it for the n-th time."""

    def __init__(self, case: SynchronousTestCase, left: int) -> None:
        self.left = left
        self._replace = os.replace
        case.patch(os, "replace", self)

    def __call__(self, source: str | Path, target: str | Path) -> None:
        """Replace, or die."""
        self.left -= 1
        if self.left == 0:
            raise Killed
        self._replace(source, target)


class CrashTests(SynchronousTestCase):
    """Every file appears with a rename, so a kill can only fall between two of them."""

    def test_killed_at_any_step(self) -> None:
        """After the next run the tables are those of a run that was not disturbed, and no half of a file is left."""
        story = Story(self).short()
        clean = Path(self.mktemp())
        write_tables(story.directories, clean)
        expected = contents(clean)
        self.assertTrue(expected)
        steps = Replacing(self, 1 << 30)
        write_tables(story.directories, Path(self.mktemp()))
        total = (1 << 30) - steps.left
        for step in range(1, total, max(1, total // 12)):
            out = Path(self.mktemp())
            replacing = Replacing(self, step)
            self.assertRaises(Killed, write_tables, story.directories, out)
            replacing.left = 1 << 30
            write_tables(story.directories, out)
            self.assertEqual(contents(out), expected, step)
            self.assertEqual(list(out.glob("*/date=*/*.part")), [])
