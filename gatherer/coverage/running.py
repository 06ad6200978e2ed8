"""Whether a gatherer is writing a capture now."""

from pathlib import Path

from gatherer.capture_format.directory import LOCK_NAME

LOCKS = Path("/proc/locks")


def is_running(capture: Path) -> bool:
    """Whether a process holds the lock of the directory. False if that cannot be seen from here.

    The kernel's list is read because trying the lock would keep a gatherer out that starts at that moment.
    """
    try:
        inode = (capture / LOCK_NAME).stat().st_ino
        locks = LOCKS.read_text()
    except OSError:
        return False
    flocks = (line.split() for line in locks.splitlines() if " FLOCK " in line)
    return any(word.rpartition(":")[2] == str(inode) for words in flocks for word in words if word.count(":") == 2)
