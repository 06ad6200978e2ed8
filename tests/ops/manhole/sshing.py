"""A real ssh client, run by a test."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest

CONTROL_C, CONTROL_D, TAB, UP = b"\x03", b"\x04", b"\t", b"\x1b[A"


@dataclass(frozen=True, slots=True)
class Said:
    """How a client ended."""

    code: int
    out: str
    """In a terminal everything the terminal showed, without colours."""
    err: str


class _Client(ProcessProtocol):
    """Types line after line: each once what it waits for was said."""

    def __init__(self, typed: list[tuple[str, bytes]]) -> None:
        self._typed = typed
        self.out = self.err = b""
        self._seen = 0
        self.ended: Deferred[int] = Deferred()

    def connectionMade(self) -> None:
        self._type()

    def outReceived(self, data: bytes) -> None:
        self.out += data
        self._type()

    def errReceived(self, data: bytes) -> None:
        self.err += data

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(reason.value.exitCode)  # type: ignore[attr-defined]

    def _type(self) -> None:
        while self._typed:
            awaited, keys = self._typed[0]
            at = _plain(self.out).find(awaited, self._seen)
            if at < 0:
                return
            self._seen = at + len(awaited)
            self._typed.pop(0)
            stdin: Any = self.transport
            stdin.write(keys)
            if not keys:
                stdin.closeStdin()


class SshClient:
    """Key pairs and a place for what ssh remembers. Raises `SkipTest` where there is no ssh."""

    def __init__(self, reactor: Any, directory: Path) -> None:
        path = shutil.which("ssh")
        if path is None:
            raise SkipTest("no ssh client here (Debian: openssh-client)")
        self._path = path
        self._reactor = reactor
        self.directory = directory
        directory.mkdir()
        self.key = write_key_pair(directory, "mine")
        self.authorized = directory / "authorized_keys"
        self.authorized.write_bytes(b"# operators\n\n" + self.key.with_suffix(".pub").read_bytes())
        self.authorized.chmod(0o600)

    async def run(
        self, port: int, command: str = "", *options: str, key: Path | None = None, stdin: bytes = b""
    ) -> Said:
        """`ssh host command`; without a command `stdin` is the script."""
        typed = [("", stdin), ("", b"")] if stdin else [("", b"")]
        return await self._spawn(
            typed, False, port, key, [*options, "operator@127.0.0.1", *([command] if command else [])]
        )

    async def type(self, port: int, *typed: tuple[str, bytes]) -> Said:
        """In a terminal: whenever the first was shown, the second is typed."""
        return await self._spawn(list(typed), True, port, None, ["-tt", "operator@127.0.0.1"])

    async def _spawn(
        self, typed: list[tuple[str, bytes]], pty: bool, port: int, key: Path | None, rest: list[str]
    ) -> Said:
        client = _Client(typed)
        arguments = [
            self._path, "-F", "none", "-p", str(port), "-i", str(key or self.key), "-o", "IdentitiesOnly=yes",
            "-o", f"UserKnownHostsFile={self.directory / 'known_hosts'}", "-o", "StrictHostKeyChecking=accept-new",
            "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=VERBOSE", *rest,
        ]  # fmt: skip
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), "TERM": "xterm"}
        self._reactor.spawnProcess(client, arguments[0], arguments, env=environment, usePTY=pty)
        code = await client.ended
        return Said(code, _plain(client.out), client.err.decode("utf-8", "replace"))


def write_key_pair(directory: Path, name: str) -> Path:
    """A new Ed25519 pair as `ssh-keygen` would write it; the path of the private half."""
    key = Key(Ed25519PrivateKey.generate())
    path = directory / name
    path.write_bytes(key.toString("openssh"))
    path.chmod(0o600)
    path.with_suffix(".pub").write_bytes(key.public().toString("openssh") + b"\n")
    return path


def _plain(said: bytes) -> str:
    """Without colours and carriage returns."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode("utf-8", "replace")).replace("\r", "")
