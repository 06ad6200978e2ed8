"""The stream of the status page: one look at the parts a second, encoded once for all watchers.

Without a watcher it looks every two seconds, for the history alone.
"""

from collections.abc import Callable

import msgspec
from twisted.application.service import Service
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from gatherer.interfaces import GathererStatus, PoolStatus
from gatherer.log.throttle import Throttle
from gatherer.ops.web import event_log, trends
from gatherer.ops.web.event_log import EventLog, changes
from gatherer.ops.web.resources import Missing, problem, refusal, send
from gatherer.ops.web.tick import tick
from gatherer.ops.web.trends import History, Rates, totals

INTERVAL = 1.0
"""Seconds between two messages to a watcher."""
MAX_UNREAD_SECONDS = 30.0
"""Seconds that a watcher may leave what it was sent unread; then it is cut off."""
MAX_STREAMS = 32
HEARTBEAT = b": no figures\n\n"
"""A comment: the connection lives, though there are no figures."""


def event(name: str, value: object) -> bytes:
    """One server-sent event."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(value))


@implementer(IPushProducer)
class Stream:
    """One watcher. Nothing is kept for one that does not read: it misses ticks and gets everything again later."""

    def __init__(self, write: Callable[[bytes], object], abort: Callable[[], object], clock: IReactorTime) -> None:
        self._write = write
        self._abort = abort
        self._clock = clock
        self._full_since: float | None = None
        self._complete = False

    def send(self, tick: bytes, everything: Callable[[], bytes]) -> None:
        """Send the tick; before it `everything`, if this watcher has not had it or has missed ticks since."""
        if self._full_since is not None:
            self._complete = False
            if self._clock.seconds() - self._full_since > MAX_UNREAD_SECONDS:
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
    """Looks, remembers, and sends to all watchers."""

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, wall: Callable[[], int], status: Callable[[], GathererStatus], events: EventLog
    ) -> None:
        """`wall` gives Unix time in ns, for what people see."""
        self._wall = wall
        self._clock = clock
        self._status = status
        self._throttle = Throttle(clock)
        self._history = History()
        self._rates = Rates()
        self._before: PoolStatus | None = None
        self._sampled_at = float("-inf")
        self._sent = 0
        self._streams: dict[Stream, None] = {}
        self._loop = LoopingCall(self._beat)
        self._loop.clock = clock
        self.events = events

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
        """Send to this one as well, from now on. It may get the newest events twice: they have ids."""
        self._streams[stream] = None
        self._send([stream])

    def remove(self, stream: Stream) -> None:
        """It is gone."""
        self._streams.pop(stream, None)

    def _beat(self) -> None:
        due = self._clock.seconds() - self._sampled_at >= trends.INTERVAL - INTERVAL / 2
        if due or self._streams:
            self._send(list(self._streams), due)
            self._sent = self.events.last_id

    def _send(self, streams: list[Stream], sample: bool = False) -> None:
        """A status that raises is a bug, logged once a minute: it must end neither the loop nor the streams."""
        try:
            message = self._look(sample, bool(streams))
        except Exception:
            if self._throttle.note("broken"):
                self._log.failure("no figures for the watchers")
            message = HEARTBEAT
        everything: list[bytes] = []

        def begin() -> bytes:
            if not everything:
                everything.append(self._everything())
            return everything[0]

        for stream in streams:
            stream.send(message, begin)

    def _look(self, sample: bool, watched: bool) -> bytes:
        monotonic, now, status = self._clock.seconds(), self._wall() / 1e9, self._status()
        pool = status.pool
        self._rates.note(monotonic, pool.connections)
        for level, text, conn_id in changes(self._before or pool, pool):
            self.events.add(now, level, text, conn_id)
        self._before = pool
        if sample:
            self._history.note(now, totals(pool, status.router))
            self._sampled_at = monotonic
        if not watched:
            return b""
        return event("tick", {
            **tick(now, status, self._rates),
            "sample": self._history.latest(),
            "events": self.events.since(self._sent, event_log.MAX_BYTES // 4),
        })  # fmt: skip

    def _everything(self) -> bytes:
        return event("history", {"columns": trends.COLUMNS, "rows": self._history.rows()}) + event(
            "events", {"columns": event_log.COLUMNS, "rows": self.events.since(0)}
        )

    def _bug(self, failure: Failure) -> None:
        self._log.failure("the live feed broke off", failure)


RETRY = b"retry: 2000\n\n"
"""Milliseconds after which a browser reconnects by itself."""


class LiveResource(Resource):
    """Never ends by itself. 503 when there are too many watchers."""

    def __init__(self, feed: LiveFeed, clock: IReactorTime) -> None:
        super().__init__()
        self._feed = feed
        self._clock = clock

    def getChild(self, path: bytes, request: Request) -> Resource:
        """There is nothing below."""
        return Missing()

    def render(self, request: Request) -> bytes | int:
        """Begin a stream; it is over when the client goes, reads nothing for too long, or the service stops."""
        refused = refusal(request, ())
        if refused is None and not self._feed.has_room():
            request.setHeader("retry-after", "10")
            refused = problem(503, "too many open streams")
        if refused is not None:
            return send(request, refused)
        begin = send(request, (200, "text/event-stream", RETRY))
        if request.method == b"HEAD":
            return b""
        request.write(begin)
        stream = Stream(request.write, request.channel.forceAbortClient, self._clock)
        request.notifyFinish().addBoth(lambda _: self._feed.remove(stream))
        request.registerProducer(stream, True)
        self._feed.add(stream)
        return NOT_DONE_YET
