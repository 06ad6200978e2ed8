"""The exchange's REST interface: HTTP around the rest."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from gatherer.simulator.feed.faults import Faults
from gatherer.simulator.rest.api import PREFIX, RestApi, SimulatedAnswer, answer, failure
from gatherer.simulator.server.auth import KEY, KeyRing
from gatherer.simulator.server.rate_limit import REQUEST_COST, RateLimiter


class RestResource(Resource):
    """Answers every path. It serves GET below `/trade-api/v2` only."""

    isLeaf = True
    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], float],
        api: RestApi,
        faults: Faults,
        keys: KeyRing,
        limiter: RateLimiter,
        must_sign: bool = False,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._now = now
        self._api = api
        self._faults = faults
        self._keys = keys
        self._limiter = limiter
        self._must_sign = must_sign

    def render(self, request: Request) -> int:
        """Answer one request, in full or with a scripted fault."""
        try:
            found = self._answer(request)
        except Exception:
            self._log.failure("cannot answer {path}", path=request.path)
            found = failure(500, "internal_server_error", "internal server error")
        request.setResponseCode(found.status)
        request.setHeader(b"content-type", b"application/json")
        request.setHeader(b"content-length", b"%d" % len(found.body))
        if self._faults.next_rest_short():
            request.write(found.body[: len(found.body) // 2])
            request.channel.loseConnection()
        else:
            request.write(b"" if request.method == b"HEAD" else found.body)
            request.finish()
        return int(NOT_DONE_YET)

    def _answer(self, request: Request) -> SimulatedAnswer:
        scripted = self._faults.next_rest_status()
        if scripted is not None:
            return _failed(scripted)
        path = request.path.decode("latin-1")
        headers = _headers(request)
        if self._must_sign or self._keys.is_signed(headers):
            refused = self._keys.refuse(headers, request.method.decode("latin-1"), path, self._now())
            if refused is not None:
                return SimulatedAnswer(401, refused)
        if not self._limiter.take(headers.get(KEY, ""), self._clock.seconds()):
            return _failed(429)
        if request.method not in (b"GET", b"HEAD"):
            return failure(405, "method_not_allowed", "method not allowed", "this exchange does not trade")
        if not path.startswith(PREFIX + "/"):
            return failure(404, "not_found", "not found", f"every path begins with {PREFIX}/")
        return self._look_up(path.removeprefix(PREFIX), request)

    def _look_up(self, path: str, request: Request) -> SimulatedAnswer:
        if path == "/account/limits":
            return answer(self._limiter.limits())
        if path == "/account/endpoint_costs":
            return answer({"default_cost": int(REQUEST_COST), "endpoint_costs": []})
        query = request.uri.partition(b"?")[2].decode("latin-1")
        return self._api.get(path, parse_qs(query, max_num_fields=1_000))


def _failed(status: int) -> SimulatedAnswer:
    """A scripted error, or the answer to too many requests."""
    if status == 429:
        return answer({"error": "too many requests"}, 429)
    return failure(status, "service_unavailable", "scripted failure")


def _headers(request: Request) -> Mapping[str, str]:
    """The first value of each header, names in lower case."""
    found = request.requestHeaders.getAllRawHeaders()
    return {name.decode("latin-1").lower(): values[0].decode("latin-1") for name, values in found if values}


class _QuietSite(Site):
    noisy = False

    def log(self, request: object) -> None:
        """No access log: nothing reads it, and a client sends 20 requests a second."""


class RestFactory(WrappingFactory):
    """A site that knows its sockets, because clients keep them open between requests."""

    noisy = False

    def __init__(self, resource: RestResource, reactor: IReactorTime) -> None:
        super().__init__(_QuietSite(resource, reactor=reactor, timeout=120))
        self._empty: list[Deferred[None]] = []

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        """A socket is gone."""
        super().unregisterProtocol(p)
        if not self.protocols:
            empty, self._empty = self._empty, []
            for deferred in empty:
                deferred.callback(None)

    def close_all(self) -> Deferred[None]:
        """Cut every socket. The Deferred fires with None when the last is gone."""
        done: Deferred[None] = Deferred()
        if not self.protocols:
            done.callback(None)
            return done
        self._empty.append(done)
        for socket in tuple(self.protocols):
            socket.transport.abortConnection()
        return done
