"""The pages: over a fake transport where the page is the point, over loopback where the socket is."""

import json
import re
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from gatherer.errors import ConfigError
from gatherer.ops.explain import explain, verdict
from gatherer.ops.web import service as web
from gatherer.ops.web.live import LiveFeed
from gatherer.ops.web.pages import Pages
from gatherer.ops.web.service import WebService, make_site
from tests.ops.support import StubConnection, StubManager, StubRegistry, StubRouter, make_events, make_health
from tests.support.wall import wall_of


class AbortableTransport(StringTransport):
    """A StringTransport that can be aborted, as TCP can."""

    aborted = False

    def abortConnection(self) -> None:
        """Note it."""
        self.aborted = True


class PagesTests(SynchronousTestCase):
    """Each page."""

    def setUp(self) -> None:
        self.manager, self.registry, self.router = StubManager(), StubRegistry(), StubRouter()
        self.router.figures["dropped"] = 0
        self.clock = Clock()
        self.transport = AbortableTransport()
        events, health = make_events(), make_health(self.manager, self.registry, self.router, self.clock)
        pages, feed = (
            Pages(self.manager, health, events, wall_of(self.clock)),
            LiveFeed(self.clock, wall_of(self.clock), health.status, events),
        )
        site = make_site(pages, feed, self.clock)
        site.startFactory()
        self.addCleanup(site.stopFactory)
        self.channel: Any = site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        self.channel.callLater = self.clock.callLater
        self.channel.makeConnection(self.transport)

    def ask(self, request: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        """Status, headers and body of the answer."""
        self.transport.clear()
        self.channel.dataReceived(request)
        head, _, body = self.transport.value().partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines)
        return int(first.split()[1]), headers, body

    def get(self, path: str, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
        """GET a page."""
        return self.ask(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def test_metrics(self) -> None:
        """Prometheus can parse the page, and it says so in the content type."""
        code, headers, body = self.get("/metrics")
        self.assertEqual(code, 200)
        self.assertTrue(headers[b"content-type"].startswith(b"text/plain; version="))
        names = {family.name for family in text_string_to_metric_families(body.decode())}
        self.assertIn("router_backlog_messages", names)

    def test_status_is_all_of_it(self) -> None:
        """The status page is JSON with what each part says."""
        code, headers, body = self.get("/status")
        self.assertEqual((code, headers[b"content-type"]), (200, b"application/json"))
        page = json.loads(body)
        self.assertEqual(page["router"]["backlog"], 6)
        self.assertEqual(page["manager"]["connections"][1]["conn_id"], 7)
        self.assertEqual(page["registry"]["active_markets"], 200)

    def test_health_turns_with_the_capture(self) -> None:
        """A disk that refuses makes /health 503 and says why; when it is over, 200 again."""
        self.assertEqual(self.get("/health")[0], 200)
        self.router.figures["trouble"] = "[Errno 28] No space left on device"
        code, _, body = self.get("/health")
        self.assertEqual(code, 503)
        self.assertIn("No space left", json.loads(body)["problems"][0])
        self.router.figures["trouble"] = None
        self.assertEqual(self.get("/health")[0], 200)

    def test_ready_turns_with_the_markets(self) -> None:
        """Too few markets make /ready 503, and the page says how many of how many."""
        self.assertEqual(self.get("/ready")[0], 200)
        self.manager.figures["connections"][1]["held"] = 100
        code, _, body = self.get("/ready")
        self.assertEqual(code, 503)
        self.assertEqual(json.loads(body)["missing"], ["100 of 200 markets have their book"])

    def test_index_links_every_page(self) -> None:
        """Each file and page that the status page names is there, and none is on another host."""
        code, headers, body = self.get("/")
        self.assertEqual((code, headers[b"content-type"]), (200, b"text/html; charset=utf-8"))
        paths = re.findall(r'(?:href|src)="([^"#]+)"', body.decode())
        self.assertGreater(len(paths), 4)
        for path in paths:
            self.assertEqual(self.get(path)[0], 200, path)

    def test_no_page_may_be_used_by_another(self) -> None:
        """Every answer, errors too, says that nothing from elsewhere may run in it, and that no page may frame it."""
        for path in ("/", "/status", "/nothing", "/explain", "/page/style.css"):
            policy = self.get(path)[1][b"content-security-policy"]
            self.assertTrue(policy.startswith(b"default-src 'self';"), path)
            self.assertIn(b"frame-ancestors 'none'", policy)

    def test_explain_needs_its_ticker(self) -> None:
        """No ticker, two, an empty or an endless one, or another parameter: 400 and one line of JSON."""
        for query in ("", "?", "?ticker=", "?ticker=A&ticker=B", "?ticker=A&x=1", f"?ticker={'A' * 201}", "?Ticker=A"):
            code, _, body = self.get(f"/explain{query}")
            self.assertEqual(code, 400, query)
            self.assertEqual(list(json.loads(body)), ["error"])

    def test_no_other_page_takes_a_query(self) -> None:
        """A parameter that would be ignored is refused: the caller meant something by it."""
        for path in ("/", "/status", "/metrics", "/health", "/ready", "/live"):
            self.assertEqual(self.get(f"{path}?x=1")[0], 400, path)

    def test_explain_tells_of_known_markets_only(self) -> None:
        """An unknown market is 404; small letters find it as well."""
        self.assertEqual(self.get("/explain?ticker=KXNEVER")[0], 404)
        self.manager.known = {"KXKNOWN"}
        code, _, body = self.get("/explain?ticker=kxknown")
        page = json.loads(body)
        self.assertEqual((code, page["ticker"]), (200, "KXKNOWN"))
        self.assertEqual(page["verdict"], verdict(page["explained"], 0.0))
        self.assertEqual(page["story"], explain(page["explained"], 0.0)[1:-1])

    def test_connection(self) -> None:
        """A connection of the plan has a page; another number is 404, and what is no number 400."""
        self.manager.parts = [StubConnection(7, ["KXA", "KXB"])]
        code, _, body = self.get("/connection?id=7")
        page = json.loads(body)
        self.assertEqual((code, page["markets"], page["markets_total"]), (200, ["KXA", "KXB"], 2))
        self.assertEqual(page["last_error"], "cut")
        self.assertEqual(self.get("/connection?id=8")[0], 404)
        for wrong in ("x", "-7", "7.0", "%D9%A7", ""):
            self.assertEqual(self.get(f"/connection?id={wrong}")[0], 400, wrong)

    def test_head_has_no_body(self) -> None:
        """HEAD gives status and length of GET, and nothing else."""
        code, headers, body = self.get("/status", "HEAD")
        self.assertEqual((code, body), (200, b""))
        self.assertEqual(int(headers[b"content-length"]), len(self.get("/status")[2]))

    def test_other_methods_are_refused(self) -> None:
        """Nothing can be changed by way of these pages: 405, with what is allowed."""
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
            code, headers, _ = self.ask(
                f"{method} /status HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode()
            )
            self.assertEqual((code, headers[b"allow"]), (405, b"get, head"))

    def test_unknown_pages_are_404(self) -> None:
        """Neither other paths nor paths below a page exist."""
        for path in (
            "/nothing",
            "/metrics/x",
            "/..",
            "/status/",
            "/page",
            "/page/",
            "/page/../web.py",
            "/live/x",
            "//",
        ):
            code, headers, body = self.get(path)
            self.assertEqual((code, headers[b"content-type"]), (404, b"application/json"), path)
            self.assertEqual(json.loads(body), {"error": "there is no such page"})

    def test_a_broken_page_is_500_without_a_traceback(self) -> None:
        """A status that raises costs that page, shows nothing of the inside, and is in the log."""
        self.manager.figures = {}
        code, _, body = self.get("/health")
        self.assertEqual(code, 500)
        self.assertNotIn(b"Traceback", body)
        self.assertEqual(len(self.flushLoggedErrors(msgspec.ValidationError)), 1)
        self.assertEqual(self.get("/")[0], 200)

    def test_an_endless_body_is_cut_off(self) -> None:
        """Who sends more than a GET could need is disconnected, and nothing of it is kept."""
        self.channel.dataReceived(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        for _ in range(2):
            self.channel.dataReceived(b"x" * web.MAX_BODY_BYTES)
        self.assertTrue(self.transport.aborted)

    def test_endless_headers_are_cut_off(self) -> None:
        """A request that never comes to its end is answered with an error and closed."""
        self.channel.dataReceived(b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 100_000)
        self.assertTrue(self.transport.disconnecting)

    def test_a_byte_now_and_then_is_not_a_request(self) -> None:
        """A client that keeps sending, but never a whole request, is closed when a silent one would be."""
        for byte in b"GET /status HTTP/1.1\r\nX: aaaaaaaaaaaa":
            self.channel.dataReceived(bytes([byte]))
            self.clock.advance(1)
        self.assertTrue(self.transport.disconnecting or self.transport.aborted)

    def test_a_silent_client_is_disconnected(self) -> None:
        """A connection on which nothing comes is closed after the timeout."""
        self.clock.advance(web.REQUEST_TIMEOUT)
        self.assertTrue(self.transport.disconnecting or self.transport.aborted)


class _Client(Protocol):
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(self.data)


class WebServiceTests(TestCase):
    """Real sockets: listening, the limit, the stop."""

    timeout = 20

    def make(self, port: int = 0) -> WebService:
        """A service on loopback."""
        endpoint = TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")
        manager = StubManager()
        router = StubRouter()
        router.figures["dropped"] = 0
        health = make_health(manager, StubRegistry(), router)
        return WebService(endpoint, manager, health, make_events(), reactor, wall_of(reactor))

    async def running(self) -> tuple[WebService, int]:
        """A service that listens, and its port."""
        service = self.make()
        service.startService()
        self.addCleanup(lambda: service.stopService() if service.running else None)
        address: Any = await service.when_listening()
        return service, address.port

    async def connect(self, port: int) -> _Client:
        """A connection to it."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        return await connectProtocol(endpoint, _Client())

    async def test_answers_over_a_socket(self) -> None:
        """A plain HTTP client gets its page, and everybody who asks gets the address."""
        service, port = await self.running()
        again: Any = await service.when_listening()
        self.assertEqual(again.port, port)
        client = await self.connect(port)
        client.transport.write(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertTrue((await client.lost).startswith(b"HTTP/1.1 200"))

    async def test_a_port_that_is_taken_fails_for_the_owner(self) -> None:
        """when_listening fails with a ConfigError that names table and cause, before and after it is known."""
        _, port = await self.running()
        second = self.make(port)
        second.startService()
        for _ in range(2):
            failure = await self.assertFailure(second.when_listening(), ConfigError)
            self.assertIn("[web] listen", str(failure))
            self.assertIn(str(port), str(failure))
        await second.stopService()

    async def test_stop_cuts_the_connections(self) -> None:
        """After the stop no connection and no port is open, however idle or slow the client."""
        service, port = await self.running()
        clients = [await self.connect(port) for _ in range(3)]
        clients[0].transport.write(b"GET /status HT")
        await service.stopService()
        await gatherResults([client.lost for client in clients])
        await self.assertFailure(Deferred.fromCoroutine(self.connect(port)), ConnectError)

    async def test_connections_above_the_limit_are_refused(self) -> None:
        """One too many is closed at once; when one goes, there is room again."""
        self.patch(web, "MAX_CONNECTIONS", 2)
        _, port = await self.running()
        first, second = await self.connect(port), await self.connect(port)
        third = await self.connect(port)
        self.assertEqual(await third.lost, b"")
        first.transport.loseConnection()
        await first.lost
        fourth = await self.connect(port)
        fourth.transport.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertIn(b"200 OK", await fourth.lost)
        second.transport.loseConnection()
        await second.lost

    async def test_can_be_started_again(self) -> None:
        """A stopped service listens anew."""
        service, _ = await self.running()
        await service.stopService()
        service.startService()
        await service.when_listening()

    async def test_stop_before_it_listens(self) -> None:
        """Who waits for a service that is stopped first is not left waiting."""
        service = self.make()
        waiting = service.when_listening()
        service._endpoint = _never()
        service.startService()
        await service.stopService()
        await self.assertFailure(waiting, CancelledError)


def _never() -> Any:
    class Never:
        def listen(self, factory: Any) -> Deferred[Any]:
            return Deferred()

    return Never()
