"""Keys of the manhole: the host key, made once and kept; the users' keys, read again at every login."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.checkers import IAuthorizedKeysDB
from twisted.conch.ssh.keys import BadKeyError, EncryptedKeyError, Key
from twisted.logger import Logger
from zope.interface import implementer

from gatherer.errors import ConfigError

HOST_KEY_NAME = "ssh_host_ed25519_key"


def host_key(directory: Path) -> Key:
    """The host key, made on first use with mode 600. ConfigError names the file and the cause."""
    path = directory / HOST_KEY_NAME
    where = f"[manhole] host_key_directory: {path}"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise ConfigError(
                f"{where} may be read by others (mode {mode:03o}): chmod 600 it, or better make a new one"
            )
        return Key.fromString(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{where} cannot be used: {error.strerror}") from error
    except (BadKeyError, EncryptedKeyError, ValueError) as error:
        raise ConfigError(f"{where} is not an unencrypted private key; remove it and a new one is made") from error


def _make(path: Path) -> None:
    """Write it under another name first: a crash must not leave half a key that every later start refuses."""
    text = Key(Ed25519PrivateKey.generate()).toString("openssh")
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
    os.rename(new, path)


@implementer(IAuthorizedKeysDB)
class AuthorizedKeysFile:
    """One file in the form of `~/.ssh/authorized_keys`, plain keys without options, for whatever user name is given."""

    _log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """ConfigError if no login would be possible, or if other users can add keys."""
        where = f"[manhole] authorized_keys_file {self._path}"
        try:
            mode = stat.S_IMODE(self._path.stat().st_mode)
            keys = self._read()
        except OSError as error:
            raise ConfigError(f"{where} cannot be read: {error.strerror}") from error
        if mode & 0o022:
            raise ConfigError(f"{where} can be written by others (mode {mode:03o}): chmod 600 it")
        if not keys:
            raise ConfigError(f"{where} holds no public key")

    def getAuthorizedKeys(self, username: bytes) -> Iterable[Key]:
        """The keys in the file now; none, and a line in the log, when it cannot be read."""
        try:
            return self._read()
        except OSError as error:
            self._log.error("authorized_keys_file cannot be read: {error}", error=str(error))
            return []

    def _read(self) -> list[Key]:
        keys = []
        for number, line in enumerate(self._path.read_bytes().splitlines(), 1):
            if not line.strip() or line.lstrip().startswith(b"#"):
                continue
            try:
                key = Key.fromString(line.strip())
            except (BadKeyError, EncryptedKeyError, ValueError, IndexError):
                self._log.warn("line {number} of {path} is not a public key", number=number, path=str(self._path))
                continue
            if key.isPublic():
                keys.append(key)
            else:
                self._log.warn("line {number} of {path} is a private key", number=number, path=str(self._path))
        return keys
