"""Tells everybody who watches: one look at the parts a second, encoded once, however many there are.

While nobody watches, it looks every two seconds, for the history alone.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.application.service import Service
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from gatherer.interfaces import IConnectionManager, IMarketRegistry, IMessageRouter
from gatherer.ops import history, journal
from gatherer.ops.changes import changes
from gatherer.ops.history import History, totals
from gatherer.ops.journal import Journal
from gatherer.ops.logs import Throttle
from gatherer.ops.model import tick
from gatherer.ops.rates import Rates
from gatherer.ops.verdicts import health, readiness
from gatherer.ops.vitals import Vitals

INTERVAL = 1.0
"""Seconds between two messages to who watches."""
PATIENCE = 30.0
"""Seconds a watcher may leave what it was sent unread before it is cut off."""
MOST_STREAMS = 32
HEARTBEAT = b": no figures\n\n"
"""A comment: the connection lives, though there is nothing to tell."""


def event(name: str, value: Any) -> bytes:
    """One server-sent event."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(value))


@implementer(IPushProducer)
class Stream:
    """One watcher. Nothing is kept for one that does not read: it misses ticks and is told everything anew later."""

    def __init__(self, write: Callable[[bytes], object], abort: Callable[[], object], clock: IReactorTime) -> None:
        self._write = write
        self._abort = abort
        self._clock = clock
        self._full_since: float | None = None
        self._complete = False

    def send(self, tick: bytes, everything: Callable[[], bytes]) -> None:
        """The tick; before it `everything`, when this watcher has not had it or has missed ticks since."""
        if self._full_since is not None:
            self._complete = False
            if self._clock.seconds() - self._full_since > PATIENCE:
                self._abort()
            return
        complete, self._complete = self._complete, True
        self._write(tick if complete else everything() + tick)

    def pauseProducing(self) -> None:
        """The transport holds more than it should."""
        self._full_since = self._clock.seconds()

    def resumeProducing(self) -> None:
        """What was sent has been read."""
        self._full_since = None

    def stopProducing(self) -> None:
        """The connection is gone; `Broadcast.remove` follows."""


class Broadcast(Service):
    """Looks, remembers, tells."""

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, manager: Any, registry: Any, router: Any, vitals: Vitals, journal: Journal
    ) -> None:
        self._vitals = vitals
        self._clock = clock
        self._manager = IConnectionManager(manager)
        self._registry = IMarketRegistry(registry)
        self._router = IMessageRouter(router)
        self._throttle = Throttle(clock)
        self._history = History()
        self._rates = Rates()
        self._before: dict[str, Any] | None = None
        self._sampled_at = float("-inf")
        self._told = 0
        self._streams: dict[Stream, None] = {}
        self._loop = LoopingCall(self._beat)
        self._loop.clock = clock
        self.journal = journal

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._loop.start(INTERVAL, now=False).addErrback(self._bug)

    def stopService(self) -> None:
        """Look no more. The streams end with their connections."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def has_room(self) -> bool:
        """Whether one more may watch."""
        return len(self._streams) < MOST_STREAMS

    def add(self, stream: Stream) -> None:
        """Tell this one as well, from now on. It may learn of the newest events twice: they have ids."""
        self._streams[stream] = None
        self._tell([stream])

    def remove(self, stream: Stream) -> None:
        """It is gone."""
        self._streams.pop(stream, None)

    def _beat(self) -> None:
        due = self._clock.seconds() - self._sampled_at >= history.INTERVAL - INTERVAL / 2
        if due or self._streams:
            self._tell(list(self._streams), due)
            self._told = self.journal.last_id

    def _tell(self, streams: list[Stream], sample: bool = False) -> None:
        """A status that raises is a bug, told once a minute: it must end neither the loop nor the streams."""
        try:
            message = self._look(sample, bool(streams))
        except Exception:
            if self._throttle.note("broken"):
                self._log.failure("no figures for those who watch")
            message = HEARTBEAT
        everything: list[bytes] = []

        def begin() -> bytes:
            if not everything:
                everything.append(self._everything())
            return everything[0]

        for stream in streams:
            stream.send(message, begin)

    def _look(self, sample: bool, watched: bool) -> bytes:
        now, manager, router = self._clock.seconds(), self._manager.status(), self._router.status()
        self._rates.note(now, manager["connections"])
        for level, text, conn_id in changes(self._before or manager, manager):
            self.journal.add(now, level, text, conn_id)
        self._before = manager
        if sample:
            self._history.note(now, totals(manager, router))
            self._sampled_at = now
        if not watched:
            return b""
        registry = self._registry.status()
        verdict = health(manager, registry, router, self._vitals.report())
        return event("tick", {
            **tick(now, manager, registry, router, self._rates, verdict, readiness(manager, registry)),
            "sample": self._history.latest(),
            "events": self.journal.since(self._told, journal.MOST_BYTES // 4),
        })  # fmt: skip

    def _everything(self) -> bytes:
        return event("history", {"columns": history.COLUMNS, "rows": self._history.rows()}) + event(
            "events", {"columns": journal.COLUMNS, "rows": self.journal.since(0)}
        )

    def _bug(self, failure: Any) -> None:
        self._log.failure("the broadcast broke off", failure)
