"""gatherer as a process: started like by a user, and observed by its output and its exit status."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

import gatherer

START = "from twisted.scripts.twistd import run; run()"
ROOT = Path(gatherer.__file__).parent.parent
"""The folder that has the gatherer package: the checkout, or under tox the installed package."""


class Run(ProcessProtocol):
    """A process: `output` so far, `ended` with its exit status, `saw(text)` when it has printed that."""

    transport: Any

    def __init__(self) -> None:
        self.output = ""
        self.ended: Deferred[int] = Deferred()
        self._waits: list[tuple[str, Deferred[None]]] = []

    def outReceived(self, data: bytes) -> None:
        """Both streams go into one text."""
        self.output += data.decode("utf-8", "replace")
        ready = [wait for wait in self._waits if wait[0] in self.output]
        self._waits = [wait for wait in self._waits if wait not in ready]
        for _, seen in ready:
            seen.callback(None)

    errReceived = outReceived

    def saw(self, text: str) -> Deferred[None]:
        """Fires when the output holds the text."""
        seen: Deferred[None] = Deferred()
        self._waits.append((text, seen))
        self.outReceived(b"")
        return seen

    def processEnded(self, reason: Failure) -> None:
        """Exit status; -N for a signal."""
        value: Any = reason.value
        self.ended.callback(-value.signal if value.signal else value.exitCode)


def twistd(folder: str, *arguments: str, before: Sequence[str] = (), **environment: str) -> Run:
    """`twistd --nodaemon gatherer ...` in a folder; `before` are options of twistd itself."""
    return python(folder, START, "--nodaemon", *before, "gatherer", *arguments, **environment)


def python(folder: str, script: str, *arguments: str, **environment: str) -> Run:
    """`python -c ...` in a folder, without the variables of our own environment that change its behaviour."""
    from twisted.internet import reactor

    run = Run()
    foreign = ("GATHERER_", "NOTIFY_SOCKET", "WATCHDOG_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environ.update(environment, PYTHONPATH=os.pathsep.join([str(ROOT), environ.get("PYTHONPATH", "")]))
    spawn: Any = reactor
    command = [sys.executable, "-c", script, *arguments]
    spawn.spawnProcess(run, sys.executable, command, env=environ, path=folder)
    return run


def write_key(folder: Path, key: Any = None, mode: int = 0o600) -> Path:
    """A private key made for this test."""
    pem = (key or Ed25519PrivateKey.generate()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "key.pem"
    path.write_bytes(pem)
    path.chmod(mode)
    return path
