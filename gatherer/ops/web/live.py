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
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from gatherer.core.health.checks import health, readiness
from gatherer.interfaces import IConnectionManager, IMarketRegistry, IMessageRouter
from gatherer.log.throttle import Throttle
from gatherer.ops.health import HealthService
from gatherer.ops.web import event_log as journal
from gatherer.ops.web import trends as history
from gatherer.ops.web.event_log import EventLog, changes
from gatherer.ops.web.resources import Missing, problem, refusal, send
from gatherer.ops.web.tick import tick
from gatherer.ops.web.trends import History, Rates, totals

INTERVAL = 1.0
"""Seconds between two messages to who watches."""
PATIENCE = 30.0
"""Seconds a watcher may leave what it was sent unread before it is cut off."""
MAX_STREAMS = 32
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
        """The connection is gone; `LiveFeed.remove` follows."""


class LiveFeed(Service):
    """Looks, remembers, tells."""

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, manager: Any, registry: Any, router: Any, vitals: HealthService, journal: EventLog
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
        return len(self._streams) < MAX_STREAMS

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
            "events": self.journal.since(self._told, journal.MAX_BYTES // 4),
        })  # fmt: skip

    def _everything(self) -> bytes:
        return event("history", {"columns": history.COLUMNS, "rows": self._history.rows()}) + event(
            "events", {"columns": journal.COLUMNS, "rows": self.journal.since(0)}
        )

    def _bug(self, failure: Any) -> None:
        self._log.failure("the broadcast broke off", failure)


RETRY = b"retry: 2000\n\n"
"""Milliseconds after which a browser comes back by itself."""


class LiveResource(Resource):
    """Never ends by itself. 503 when enough watch already."""

    def __init__(self, broadcast: LiveFeed, clock: IReactorTime) -> None:
        super().__init__()
        self._broadcast = broadcast
        self._clock = clock

    def getChild(self, path: bytes, request: Request) -> Resource:
        """There is nothing below."""
        return Missing()

    def render(self, request: Request) -> bytes | int:
        """Begin a stream; it is over when the client goes, reads nothing for too long, or the service stops."""
        refused = refusal(request, ())
        if refused is None and not self._broadcast.has_room():
            request.setHeader("retry-after", "10")
            refused = problem(503, "enough watch already")
        if refused is not None:
            return send(request, refused)
        begin = send(request, (200, "text/event-stream", RETRY))
        if request.method == b"HEAD":
            return b""
        request.write(begin)
        stream = Stream(request.write, request.channel.forceAbortClient, self._clock)
        request.notifyFinish().addBoth(lambda _: self._broadcast.remove(stream))
        request.registerProducer(stream, True)
        self._broadcast.add(stream)
        return NOT_DONE_YET
