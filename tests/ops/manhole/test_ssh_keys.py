"""The manhole's keys: what they look like on disk, and which files are refused."""

import os
import stat
from pathlib import Path

from twisted.conch.checkers import IAuthorizedKeysDB
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.errors import ConfigError
from gatherer.ops.manhole.ssh_keys import HOST_KEY_NAME, AuthorizedKeysFile, host_key
from tests.ops.manhole.sshing import write_key_pair


class HostKeyTests(SynchronousTestCase):
    """host_key."""

    def test_is_made_once_and_for_us_only(self) -> None:
        """The file has mode 600, its directory 700, whatever the umask, and the second call gives the same key."""
        directory = Path(self.mktemp()) / "keys"
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        first, second = host_key(directory), host_key(directory)
        self.assertEqual(first, second)
        self.assertEqual(first.type(), "Ed25519")
        self.assertEqual(stat.S_IMODE(directory.stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((directory / HOST_KEY_NAME).stat().st_mode), 0o600)
        self.assertEqual(os.listdir(directory), [HOST_KEY_NAME])

    def test_a_key_others_can_read_is_refused(self) -> None:
        """A host key that may have leaked is not used; the error names the file."""
        directory = Path(self.mktemp())
        host_key(directory)
        (directory / HOST_KEY_NAME).chmod(0o640)
        error = self.assertRaises(ConfigError, host_key, directory)
        self.assertIn(str(directory / HOST_KEY_NAME), str(error))
        self.assertIn("640", str(error))

    def test_a_broken_key_is_an_error_that_says_what_to_do(self) -> None:
        """Garbage in the file is neither used nor silently replaced, and not shown."""
        for garbage in (b"", b"secret garbage", b"-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n"):
            directory = Path(self.mktemp())
            directory.mkdir()
            path = directory / HOST_KEY_NAME
            path.write_bytes(garbage)
            path.chmod(0o600)
            error = self.assertRaises(ConfigError, host_key, directory)
            self.assertIn(str(path), str(error))
            self.assertNotIn("secret", str(error))

    def test_a_directory_that_cannot_be_made(self) -> None:
        """The error names path and cause."""
        error = self.assertRaises(ConfigError, host_key, Path("/dev/null/keys"))
        self.assertIn("/dev/null/keys", str(error))


class AuthorizedKeysTests(SynchronousTestCase):
    """AuthorizedKeysFile."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.path = self.directory / "authorized_keys"

    def refused(self, content: bytes, mode: int = 0o600) -> str:
        """The text of the error that a file with this content gives."""
        self.path.write_bytes(content)
        self.path.chmod(mode)
        return str(self.assertRaises(ConfigError, AuthorizedKeysFile(self.path).check))

    def test_keeps_the_contract(self) -> None:
        """AuthorizedKeysFile provides IAuthorizedKeysDB."""
        verifyObject(IAuthorizedKeysDB, AuthorizedKeysFile(self.path))

    def test_files_that_let_nobody_in_are_refused(self) -> None:
        """No file, an empty one, one of garbage, one of private keys: the error names the file."""
        missing = AuthorizedKeysFile(self.directory / "missing")
        self.assertIn("missing", str(self.assertRaises(ConfigError, missing.check)))
        private = write_key_pair(self.directory, "mine").read_bytes()
        for content in (b"", b"# nobody\n", b"ssh-ed25519 not-base64\nnonsense\n", private):
            self.assertIn(str(self.path), self.refused(content))

    def test_a_file_others_can_write_is_refused(self) -> None:
        """Who can write to the file could let himself in."""
        public = write_key_pair(self.directory, "mine").with_suffix(".pub").read_bytes()
        self.assertIn("622", self.refused(public, 0o622))

    def test_a_file_that_vanished_lets_nobody_in(self) -> None:
        """While the file cannot be read there are no keys, and nothing is raised."""
        self.assertEqual(list(AuthorizedKeysFile(self.path).getAuthorizedKeys(b"operator")), [])
