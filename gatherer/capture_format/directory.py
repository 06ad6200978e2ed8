"""The capture directory at start: made, locked and tested with a write. Blocking; runs before any connection."""

import fcntl
import os
from pathlib import Path

from gatherer.capture_format.recovery import Recovered, recover_all
from gatherer.errors import ConfigError

LOCK_NAME = ".gatherer.lock"
_PROBE_NAME = ".gatherer.probe"
_PROBE_BYTES = 64 * 1024
"""Enough to need a block of its own: a full disk still takes an empty file."""


class CaptureDirectory:
    """Holds the lock from `open` to `close`. The kernel releases it when the process dies, however it dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_fd = -1

    def open(self) -> list[Recovered]:
        """Make, lock, test and recover the directory. Raises ConfigError with the directory and the cause."""
        step = "cannot be made"
        try:
            self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
            step = "cannot be locked"
            self._lock()
            step = "cannot be written to"
            self._probe()
            step = "holds a segment of an earlier run that cannot be recovered"
            return recover_all(self.path)
        except OSError as error:
            self.close()
            raise ConfigError(f"[router] directory {self.path} {step}: {_cause(error)}") from error
        except ConfigError:
            self.close()
            raise

    def close(self) -> None:
        """Release the lock. Idempotent."""
        if self._lock_fd >= 0:
            fd, self._lock_fd = self._lock_fd, -1
            os.close(fd)

    def _lock(self) -> None:
        self._lock_fd = fd = os.open(self.path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise ConfigError(
                f"[router] directory {self.path} is in use by another gatherer (process {holder}); give each its own"
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)

    def _probe(self) -> None:
        probe = self.path / _PROBE_NAME
        try:
            with probe.open("wb", buffering=0) as file:
                file.write(b"\0" * _PROBE_BYTES)
                os.fsync(file.fileno())
                if os.fstat(file.fileno()).st_size < _PROBE_BYTES:
                    raise OSError(0, "no space for even one block")
        finally:
            probe.unlink(missing_ok=True)


def _cause(error: OSError) -> str:
    """The cause, with the file unless it is the directory itself."""
    return f"{error.strerror} ({error.filename})" if error.filename else str(error.strerror)
