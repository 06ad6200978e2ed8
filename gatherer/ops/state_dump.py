"""SIGUSR1: everything gatherer knows of itself in one file, for finding out why.

The parts' figures are read in the reactor thread, because only there they do not change meanwhile: sums and counts,
never the markets themselves. A thread does the rest, the disk included.
"""

import gc
import os
import platform
import resource
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gatherer import __version__
from gatherer.config.settings import Settings
from gatherer.interfaces import GathererStatus, IConnectionManager
from gatherer.ops.web.event_log import EventLog
from gatherer.values import Facts

FOLDER = "dumps"
"""Below the capture directory: the one place that is surely there and writable. Readers of a capture ignore it."""
KEPT = 10
"""Dumps that stay; the oldest go."""
GAPS_SECONDS = 600.0
"""How far back the dump lists gaps."""
LIBRARIES = ("twisted", "autobahn", "treq", "cryptography", "pyOpenSSL", "msgspec", "zstandard", "prometheus-client")


class StateDump:
    """Writes one file when asked. Each is whole or not there, and readable by its owner only."""

    _log = Logger()

    def __init__(
        self, settings: Callable[[], Settings], manager: IConnectionManager,
        status: Callable[[], GathererStatus], events: EventLog, reactor: Any, wall: Callable[[], int],
        run: Callable[[Callable[[], Path]], Deferred[Path]],
    ) -> None:  # fmt: skip
        """`settings` gives those in force. `run` has work done in a thread. `reactor` is `Any`: what it can be asked
        differs from one to the other."""
        self._settings = settings
        self._manager = IConnectionManager(manager)
        self._status = status
        self._events = events
        self._reactor = reactor
        self._wall = wall
        self._run = run
        self._started_at = reactor.seconds()
        self._busy = False

    async def write(self) -> Path | None:
        """The file, once it is there. None, and a line in the log, for one that could not be written."""
        if self._busy:
            self._log.warn("a state dump is being written already")
            return None
        self._busy = True
        folder = Path(self._settings().router.directory) / FOLDER
        try:
            facts, now = self._facts(), self._wall() / 1e9
            path = await self._run(lambda: write_dump(folder, now, {**facts, **process_facts()}))
        except OSError as error:
            why = error.strerror or str(error)
            self._log.error("no state dump in {folder}: {error}", folder=str(folder), error=why)
            return None
        except Exception as error:  # a failed dump must not make an existing problem worse
            self._log.failure("no state dump: {error}", error=str(error))
            return None
        finally:
            self._busy = False
        self._log.info("state dump written to {path}", path=str(path))
        return path

    def _facts(self) -> Facts:
        """What only the reactor thread may look at."""
        now, status, admin = self._wall() / 1e9, self._status(), self._manager.admin
        return {
            "at": datetime.fromtimestamp(now, UTC).isoformat(),
            "uptime_seconds": self._reactor.seconds() - self._started_at,
            "settings": settings_facts(self._settings()),
            "manager": status.pool,
            "pending": admin.pending(),
            "gaps": admin.gaps(now - GAPS_SECONDS),
            "last_errors": {each.conn_id: each.last_error for each in self._manager.connections() if each.last_error},
            "registry": status.registry,
            "router": status.router,
            "reactor": reactor_facts(self._reactor),
            "health": status.health,
            "events": self._events.since(0),
        }


def settings_facts(settings: Settings) -> Facts:
    """The settings in force. They hold paths, not secrets; the key's id stays private all the same."""
    facts = asdict(settings)
    facts["exchange"]["key_id"] = "set" if settings.exchange.key_id else ""
    return facts


def reactor_facts(reactor: Any) -> Facts:
    """What the reactor waits for: timers by what they call, and how many sockets."""
    calls, now = reactor.getDelayedCalls(), reactor.seconds()
    names = Counter(getattr(call.func, "__qualname__", type(call.func).__name__) for call in calls)
    return {
        "kind": type(reactor).__name__,
        "timers": dict(names.most_common(50)),
        "next_timer_seconds": min((call.getTime() - now for call in calls), default=None),
        "readers": len(getattr(reactor, "getReaders", list)()),
        "writers": len(getattr(reactor, "getWriters", list)()),
    }


def process_facts() -> Facts:
    """Versions, threads and where each is, memory, limits."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return {
        "versions": {
            "gatherer": __version__, "python": sys.version, "platform": platform.platform(),
            **{name: _version(name) for name in LIBRARIES},
        },
        "process": {
            "pid": os.getpid(), "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "most_memory_bytes": usage.ru_maxrss * 1024, "open_files": _open_files(),
            "open_files_limits": resource.getrlimit(resource.RLIMIT_NOFILE),
            "objects": gc.get_count(), "collections": gc.get_stats(),
        },
        "threads": {
            f"{names.get(ident, 'unknown')} ({ident})": traceback.format_stack(frame)
            for ident, frame in sys._current_frames().items()
        },
    }  # fmt: skip


def write_dump(folder: Path, at: float, facts: Facts) -> Path:
    """Into a new file, under its name only when it is whole; the oldest go. OSError as the disk says."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"state-{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%S.%fZ}.json"
    new = path.with_suffix(".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(facts, enc_hook=str), indent=1) + b"\n")
        os.rename(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    for old in sorted(folder.glob("state-*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _open_files() -> int | None:
    """None where there is no /proc, or it is closed to us."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None
