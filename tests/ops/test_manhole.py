"""The manhole with a real ssh client: who gets in, who does not, and what the keys look like on disk."""

import os
import re
import shutil
import stat
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.checkers import IAuthorizedKeysDB
from twisted.conch.ssh.keys import Key
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from gatherer.errors import ConfigError
from gatherer.ops.hostkey import HOST_KEY_NAME, AuthorizedKeysFile, host_key
from gatherer.ops.manhole import ManholeService

CONTROL_D = b"\x04"
LOOPBACK = "tcp:0:interface=127.0.0.1"


def write_key_pair(directory: Path, name: str) -> Path:
    """A new Ed25519 pair as `ssh-keygen` would write it; the path of the private half."""
    key = Key(Ed25519PrivateKey.generate())
    path = directory / name
    path.write_bytes(key.toString("openssh"))
    path.chmod(0o600)
    path.with_suffix(".pub").write_bytes(key.public().toString("openssh") + b"\n")
    return path


class _Ssh(ProcessProtocol):
    """Types some lines and collects what comes back."""

    def __init__(self, typed: bytes) -> None:
        self._typed = typed
        self.said = b""
        self.ended: Deferred[int] = Deferred()

    def connectionMade(self) -> None:
        stdin: Any = self.transport
        stdin.write(self._typed)
        if not self._typed.endswith(CONTROL_D):
            stdin.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.said += data

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(reason.value.exitCode)  # type: ignore[attr-defined]


class SshTests(TestCase):
    """Logging in."""

    timeout = 30

    def setUp(self) -> None:
        self.ssh = shutil.which("ssh")
        if self.ssh is None:
            raise SkipTest("no ssh client here")
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.key = write_key_pair(self.directory, "mine")
        self.other = write_key_pair(self.directory, "other")
        self.authorized = self.directory / "authorized_keys"
        self.authorized.write_bytes(b"# operators\n\n" + self.key.with_suffix(".pub").read_bytes())
        self.authorized.chmod(0o600)

    async def running(self) -> int:
        """A manhole that knows `status`; its port."""
        service = ManholeService(
            LOOPBACK, self.authorized, self.directory / "host", {"status": lambda: {"live": 148 + 2}}, reactor
        )
        service.startService()
        self.addCleanup(service.stopService)
        address: Any = await service.when_listening()
        return int(address.port)

    async def log_in(self, port: int, key: Path, typed: bytes, *options: str) -> tuple[int, str]:
        """Exit code of the ssh client and all it said."""
        protocol = _Ssh(typed)
        arguments = [
            str(self.ssh), "-F", "none", "-v", "-p", str(port), "-i", str(key), "-o", "IdentitiesOnly=yes",
            "-o", f"UserKnownHostsFile={self.directory / 'known_hosts'}", "-o", "StrictHostKeyChecking=accept-new",
            "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", *(options or ["-tt"]), "operator@127.0.0.1",
        ]  # fmt: skip
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), "TERM": "xterm"}
        reactor.spawnProcess(protocol, arguments[0], arguments, env=environment)
        code = await protocol.ended
        return code, protocol.said.decode("utf-8", "replace")

    async def test_status_can_be_run(self) -> None:
        """Whoever has an authorized key sees what `status()` gives."""
        port = await self.running()
        _, said = await self.log_in(port, self.key, b"status()\r\x04")
        self.assertIn("{'live': 150}", _plain(said))

    async def test_another_key_is_refused(self) -> None:
        """A key that is not in the file does not get in, and a password is never offered instead."""
        port = await self.running()
        code, said = await self.log_in(port, self.other, b"status()\r\x04")
        self.assertEqual(code, 255)
        self.assertIn("Permission denied (publickey)", said)
        self.assertIn("Authentications that can continue: publickey\r", said.replace("\r\n", "\r"))
        self.assertNotIn("live", said.split("Permission denied")[1])
        self.flushLoggedErrors()

    async def test_a_password_is_never_taken(self) -> None:
        """A client that wants to give a password finds no way to."""
        port = await self.running()
        code, said = await self.log_in(
            port, self.other, b"", "-o", "PreferredAuthentications=password,keyboard-interactive,none"
        )
        self.assertEqual(code, 255)
        self.assertIn("Permission denied (publickey)", said)
        self.flushLoggedErrors()

    async def test_keys_are_read_at_every_login(self) -> None:
        """A key that was taken out of the file does not get in any more, without a restart."""
        port = await self.running()
        self.authorized.write_bytes(self.other.with_suffix(".pub").read_bytes())
        self.assertEqual((await self.log_in(port, self.key, b""))[0], 255)
        _, said = await self.log_in(port, self.other, b"status()\r\x04")
        self.assertIn("{'live': 150}", _plain(said))
        self.flushLoggedErrors()

    async def test_the_host_key_stays_the_same(self) -> None:
        """A client that has seen the service once is not warned after a restart."""
        await self.log_in(await self.running(), self.key, b"\x04")
        first = (self.directory / "host" / HOST_KEY_NAME).read_bytes()
        port = await self.running()
        known = (self.directory / "known_hosts").read_text().split("]:")[0].lstrip("[")
        self.assertEqual(known, "127.0.0.1")
        self.assertEqual((self.directory / "host" / HOST_KEY_NAME).read_bytes(), first)
        _, said = await self.log_in(port, self.key, b"status()\r\x04")
        self.assertIn("{'live': 150}", _plain(said))

    async def test_the_end_of_the_input_ends_the_session(self) -> None:
        """A script piped into ssh gets its answers and comes to an end."""
        port = await self.running()
        _, said = await self.log_in(port, self.key, b"status()\r", "-T")
        self.assertIn("{'live': 150}", _plain(said))

    async def test_the_namespace_is_not_shared(self) -> None:
        """A name one session makes is not there in the next."""
        port = await self.running()
        await self.log_in(port, self.key, b"mine = 1\r\x04")
        _, said = await self.log_in(port, self.key, b"mine\r\x04")
        self.assertIn("NameError", said)


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
    """AuthorizedKeysFile and the settings of ManholeService."""

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

    def test_endpoints_that_others_can_reach_are_refused(self) -> None:
        """Without an interface, or with a public one, the manhole is not even made."""
        for endpoint in (
            "tcp:2222",
            "tcp:2222:interface=0.0.0.0",
            "tcp:2222:interface=192.0.2.1",
            "tcp6:2222",
            "nonsense",
        ):
            error = self.assertRaises(ConfigError, ManholeService, endpoint, self.path, self.directory, {}, reactor)
            self.assertIn("[manhole] listen", str(error))

    def test_starting_without_keys_is_an_error_at_once(self) -> None:
        """The owner hears of a file that lets nobody in from startService itself; nothing listens."""
        service = ManholeService(LOOPBACK, self.path, self.directory, {}, reactor)
        self.assertRaises(ConfigError, service.startService)
        self.assertFalse(service.running)


def _plain(said: str) -> str:
    """Without the colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
