"""The pages for operators: the status page, metrics, health, readiness, a market explained. Read only, small, bounded.

Pages are made in the reactor thread. `prometheus_client.twisted` would make them in a thread, where the figures
change meanwhile, and would import the global reactor.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime, IStreamServerEndpoint
from twisted.protocols.basic import LineReceiver
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from gatherer.interfaces import IConnectionManager
from gatherer.ops.health import HealthService
from gatherer.ops.listener import ListeningService
from gatherer.ops.web.assets import load_assets
from gatherer.ops.web.event_log import EventLog
from gatherer.ops.web.live import LiveFeed, LiveResource
from gatherer.ops.web.pages import Pages
from gatherer.ops.web.resources import Missing, Page

MAX_CONNECTIONS = 100
REQUEST_TIMEOUT = 30.0
"""Seconds a client may take to send its request whole, and to wait before the next one."""
FLUSH_TIMEOUT = 5
"""Seconds a client has to read the rest of its answer when its time is up."""
MAX_BODY_BYTES = 65_536
"""A GET needs no body; a client that sends more than this is cut off."""


class WebService(ListeningService):
    """Serves the pages on an `IStreamServerEndpoint`; `clock` provides IReactorTime, `wall` gives Unix time in ns."""

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        manager: IConnectionManager,
        health: HealthService,
        events: EventLog,
        clock: IReactorTime,
        wall: Callable[[], int],
    ) -> None:
        self._feed = LiveFeed(clock, wall, health.status, events)
        pages = Pages(manager, health, events, wall)
        super().__init__(endpoint, "web", MAX_CONNECTIONS, lambda: make_site(pages, self._feed, clock))
        self.setName("web")

    def startService(self) -> None:
        """Listen, and keep the history of the figures from now on."""
        super().startService()
        self._feed.startService()

    def stopService(self) -> Deferred[None]:
        """See `ListeningService`."""
        self._feed.stopService()
        return super().stopService()


class DeadlineChannel(HTTPChannel):
    """A request has to be whole in time. twisted.web starts its timeout again at every byte, so a byte now and then
    would keep a connection for ever."""

    def timeoutConnection(self) -> None:
        """Its time is up. This is not logged: twisted.web would log a line for every browser that goes."""
        self._abortingCall = self.callLater(FLUSH_TIMEOUT, self.forceAbortClient)
        self.loseConnection()

    def forceAbortClient(self) -> None:
        """Cut it. This is not logged either."""
        self._abortingCall = None
        transport: Any = self.transport  # a TCP or UNIX transport, which ITransport does not describe whole
        transport.abortConnection()

    def resetTimeout(self) -> None:
        """Bytes buy no time; the end of a request does, by `setTimeout`."""

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        LineReceiver.dataReceived(self, data)


class BoundedRequest(Request):
    """A request whose body goes nowhere: twisted.web would spool it to disk, of any length."""

    _body_bytes = 0

    def gotLength(self, length: int | None) -> None:
        """Called before the body."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Forget it, and cut off a client that does not stop."""
        self._body_bytes += len(data)
        if self._body_bytes > MAX_BODY_BYTES:
            self.channel.forceAbortClient()


class BoundedSite(Site):
    """Each connection is a `DeadlineChannel`."""

    protocol: Any = DeadlineChannel  # a class, where twisted.web declares a function


def make_site(pages: Pages, feed: LiveFeed, clock: IReactorTime) -> Site:
    """The pages as a `twisted.web` site; no access log, no tracebacks in answers."""
    root = Missing()
    for name, page in (
        (b"metrics", Page(pages.metrics)),
        (b"health", Page(pages.health)),
        (b"ready", Page(pages.ready)),
        (b"status", Page(pages.status)),
        (b"explain", Page(pages.explain, "ticker")),
        (b"connection", Page(pages.connection, "id")),
        (b"live", LiveResource(feed, clock)),
    ):
        root.putChild(name, page)
    assets: Resource = Missing()
    for asset in load_assets():
        name = asset.name.encode()
        (root if name == b"" else assets).putChild(name, Page(asset.answer))
    root.putChild(b"page", assets)
    site = BoundedSite(root, requestFactory=BoundedRequest, timeout=REQUEST_TIMEOUT, reactor=clock)
    site.displayTracebacks = False
    site.noisy = False
    return site
