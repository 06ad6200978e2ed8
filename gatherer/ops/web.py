"""The pages for operators: metrics, health, readiness, status. Read only, small, bounded.

Pages are made in the reactor thread. `prometheus_client.twisted` would make them in a thread, where the status
dicts change under the reader, and would import the global reactor.
"""

from collections.abc import Callable
from html import escape
from io import BytesIO
from typing import Any

import msgspec
from prometheus_client.exposition import choose_encoder
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from gatherer import __version__
from gatherer.interfaces import IConnectionManager, IMarketRegistry, IMessageRouter
from gatherer.ops.listening import ListeningService
from gatherer.ops.metrics import make_registry
from gatherer.ops.verdicts import health, readiness

MOST_CONNECTIONS = 100
REQUEST_TIMEOUT = 30.0
"""Seconds a connection may be idle, and a client may take to send its request."""
MOST_BODY_BYTES = 65_536
"""A GET needs no body; whoever sends more than this is cut off."""

Answer = tuple[int, str, bytes]
"""HTTP status, content type, body."""


class WebService(ListeningService):
    """Serves the pages on an `IStreamServerEndpoint`; `clock` provides IReactorTime."""

    def __init__(self, endpoint: Any, manager: Any, registry: Any, router: Any, clock: Any) -> None:
        pages = Pages(manager, registry, router)
        super().__init__(endpoint, "web", MOST_CONNECTIONS, lambda: make_site(pages, clock))
        self.setName("web")


class Pages:
    """Each page as a plain function of the parts' status."""

    def __init__(self, manager: Any, registry: Any, router: Any) -> None:
        self._manager = IConnectionManager(manager)
        self._registry = IMarketRegistry(registry)
        self._router = IMessageRouter(router)
        self._metrics = make_registry(manager, registry, router)

    def metrics(self, request: Request) -> Answer:
        """Prometheus text, or OpenMetrics for who asks for it."""
        encode, content_type = choose_encoder(request.getHeader("accept") or "")
        return 200, content_type, encode(self._metrics)

    def health(self, request: Request) -> Answer:
        """Whether the process does its work: 200 or 503."""
        manager, registry, router = self._all()
        return _judged(health(manager, registry, router))

    def ready(self, request: Request) -> Answer:
        """Whether the capture is as good as complete: 200 or 503."""
        manager, registry, _ = self._all()
        return _judged(readiness(manager, registry))

    def status(self, request: Request) -> Answer:
        """Everything every part has to say."""
        manager, registry, router = self._all()
        return _json(200, {"version": __version__, "manager": manager, "registry": registry, "router": router})

    def index(self, request: Request) -> Answer:
        """Where to look."""
        links = "".join(f'<li><a href="{path}">{path}</a> {escape(text)}</li>' for path, text in _LINKS)
        html = f"<!doctype html><title>gatherer</title><h1>gatherer {escape(__version__)}</h1><ul>{links}</ul>\n"
        return 200, "text/html; charset=utf-8", html.encode()

    def _all(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return self._manager.status(), self._registry.status(), self._router.status()


_LINKS = (
    ("/health", "does the process do its work"),
    ("/ready", "is the capture as good as complete"),
    ("/status", "every figure of every part, as JSON"),
    ("/metrics", "the same for Prometheus"),
)


class Page(Resource):
    """GET and HEAD of one function."""

    _log = Logger()

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        super().__init__()
        self._answer = answer

    def render(self, request: Request) -> bytes:
        """The answer; 405 for other methods, 500 with one line, and the traceback in the log, for a bug of ours."""
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader("allow", "GET, HEAD")
            return _send(request, _json(405, {"error": "only GET and HEAD"}))
        try:
            answer = self._answer(request)
        except Exception:  # the page is broken, not the gatherer
            self._log.failure("page {path} failed", path=request.path.decode("latin-1"))
            answer = _json(500, {"error": "this page is broken; the log says why"})
        return _send(request, answer)


class BoundedRequest(Request):
    """A request whose body goes nowhere: twisted.web would spool it to disk, of any length."""

    _body_bytes = 0

    def gotLength(self, length: int | None) -> None:
        """Called before the body."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Forget it, and cut off who does not stop."""
        self._body_bytes += len(data)
        if self._body_bytes > MOST_BODY_BYTES:
            self.channel.forceAbortClient()


def make_site(pages: Pages, clock: Any) -> Site:
    """The pages as a `twisted.web` site; no access log, no tracebacks in answers."""
    root = Resource()
    for name, answer in (
        (b"", pages.index),
        (b"metrics", pages.metrics),
        (b"health", pages.health),
        (b"ready", pages.ready),
        (b"status", pages.status),
    ):
        root.putChild(name, Page(answer))
    site = Site(root, requestFactory=BoundedRequest, timeout=REQUEST_TIMEOUT, reactor=clock)
    site.displayTracebacks = False
    site.noisy = False
    return site


def _judged(problems: dict[str, Any]) -> Answer:
    return _json(200 if problems["ok"] else 503, problems)


def _json(code: int, value: Any) -> Answer:
    return code, "application/json", msgspec.json.encode(value) + b"\n"


def _send(request: Request, answer: Answer) -> bytes:
    code, content_type, body = answer
    request.setResponseCode(code)
    request.setHeader("content-type", content_type)
    request.setHeader("cache-control", "no-store")
    request.setHeader("x-content-type-options", "nosniff")
    return body
