"""The capture directory at start: made, tested, locked; or a clear error."""

import errno
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format.directory import LOCK_NAME, CaptureDirectory
from gatherer.errors import ConfigError


class DirectoryTests(SynchronousTestCase):
    """CaptureDirectory.open."""

    def refused(self, path: Path) -> str:
        """The text of the error that opening gives; the path is in it, and nothing stays locked."""
        directory = CaptureDirectory(path)
        text = str(self.assertRaises(ConfigError, directory.open))
        self.assertIn(f"[router] directory {path}", text)
        self.assertEqual(directory._lock_fd, -1)
        return text

    def test_is_made_with_its_parents(self) -> None:
        """A directory that does not exist is made; only the lock is in it afterwards."""
        path = Path(self.mktemp()) / "deep" / "capture"
        directory = CaptureDirectory(path)
        self.assertEqual(directory.open(), [])
        self.addCleanup(directory.close)
        self.assertEqual(os.listdir(path), [LOCK_NAME])

    def test_a_file_in_the_way(self) -> None:
        """A file where the directory should be is named as the cause."""
        path = Path(self.mktemp())
        path.write_text("")
        self.assertIn(os.strerror(errno.EEXIST), self.refused(path))

    def test_a_parent_that_cannot_have_children(self) -> None:
        """A directory that cannot be made: the error says so and why."""
        self.assertIn("cannot be made", self.refused(Path("/dev/null/capture")))

    def test_a_directory_that_takes_no_files(self) -> None:
        """A directory without write access: the error says so and why."""
        path = Path("/proc/self/fd")  # not even root can write here
        self.assertIn("cannot be locked", self.refused(path))

    def test_a_full_disk(self) -> None:
        """A disk on which a file can be made but not filled is refused now, not when the first message comes."""
        path = Path(self.mktemp())
        path.mkdir()
        (path / ".gatherer.probe").symlink_to("/dev/full")
        text = self.refused(path)
        self.assertIn("cannot be written to", text)
        self.assertIn(os.strerror(errno.ENOSPC), text)

    def test_a_second_gatherer_is_refused(self) -> None:
        """The error for the second names the process id of the first; after close the directory is free."""
        path = Path(self.mktemp())
        first = CaptureDirectory(path)
        first.open()
        self.assertIn(f"another gatherer (process {os.getpid()})", self.refused(path))
        first.close()
        first.close()
        second = CaptureDirectory(path)
        second.open()
        second.close()

    def test_a_leftover_that_cannot_be_recovered(self) -> None:
        """A leftover that is not a file is an error that names it, not a traceback and not a silent loss."""
        path = Path(self.mktemp())
        (path / "x.jsonl.zst.open").mkdir(parents=True)
        self.assertIn("x.jsonl.zst.open", self.refused(path))
