"""REST over loopback: signatures, rate limit, scripted failures."""

from typing import Any, ClassVar

import msgspec
import treq
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.web.client import Agent, PartialDownloadError, ResponseFailed
from twisted.web.http_headers import Headers

from tests.simulator.keys import signed
from tests.simulator.loopback import LoopbackCase
from tests.simulator.server.test_websocket import Raw, coroutine

BASE = "/trade-api/v2"


class RestCase(LoopbackCase):
    """One request at a time, no connection kept."""

    async def fetch(
        self, path: str, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> tuple[int, Any, Headers]:
        """(status, decoded body or None, headers)."""
        url = f"http://127.0.0.1:{self.rest_port}{path}"
        raw = Headers({name: [value] for name, value in (headers or {}).items()})
        response: Any = await treq.request(method, url, headers=raw, agent=Agent(self.reactor), unbuffered=True)
        body = await treq.content(response)
        return response.code, msgspec.json.decode(body) if body else None, response.headers


class RestTests(RestCase):
    SETTINGS: ClassVar[dict[str, Any]] = {"rest_tokens": 1_000_000.0}

    @coroutine
    async def test_whole_walk(self) -> None:
        """Page by page, the cursor through a URL and back, every market once."""
        tickers, cursor = [], ""
        while True:
            status, page, headers = await self.fetch(f"{BASE}/markets?limit=7&status=open&cursor={cursor}")
            self.assertEqual((status, headers.getRawHeaders("content-type")), (200, ["application/json"]))
            tickers += [row["ticker"] for row in page["markets"]]
            cursor = page["cursor"]
            if not cursor:
                break
        self.assertEqual(tickers, self.exchange.active_tickers())

    @coroutine
    async def test_signature_is_checked_when_there_is_one(self) -> None:
        """Unsigned passes; signed well passes, query string cut off; signed badly is 401."""
        path = f"{BASE}/markets"
        good = signed(self.key, "key", "GET", path, self.clock.seconds())
        self.assertEqual((await self.fetch(f"{path}?limit=1"))[0], 200)
        self.assertEqual((await self.fetch(f"{path}?limit=1", good))[0], 200)
        status, body, _ = await self.fetch(path, good | {"KALSHI-ACCESS-KEY": "other"})
        self.assertEqual((status, body["error"]["details"]), (401, "NOT_FOUND"))

    @coroutine
    async def test_books_limits_and_schedule(self) -> None:
        """The other endpoints answer over HTTP too; repeated parameters stay apart."""
        first, second, *_ = self.exchange.active_tickers()
        books = (await self.fetch(f"{BASE}/markets/orderbooks?tickers={first}&tickers={second}"))[1]["orderbooks"]
        self.assertEqual([book["ticker"] for book in books], [first, second])
        self.assertEqual((await self.fetch(f"{BASE}/account/limits"))[1]["read"]["refill_rate"], 1_000_000)
        self.assertEqual((await self.fetch(f"{BASE}/account/endpoint_costs"))[1]["default_cost"], 10)
        self.assertTrue((await self.fetch(f"{BASE}/exchange/status"))[1]["trading_active"])
        self.assertIn("schedule", (await self.fetch(f"{BASE}/exchange/schedule"))[1])

    @coroutine
    async def test_wrong_places_and_methods(self) -> None:
        """404 and 405 with JSON bodies, 400 for a query that makes no sense."""
        for path, method, status in (
            ("/", "GET", 404),
            (f"{BASE}/portfolio/balance", "GET", 404),
            (f"{BASE}/markets", "POST", 405),
            (f"{BASE}/markets?limit=0", "GET", 400),
            (f"{BASE}/markets/%FF%00", "GET", 404),
        ):
            found, body, _ = await self.fetch(path, method=method)
            self.assertEqual((found, "code" in body["error"]), (status, True), path)

    @coroutine
    async def test_scripted_failures(self) -> None:
        """503 and 429 as many times as scripted, then normal answers."""
        self.exchange.faults.rest_status(503)
        self.exchange.faults.rest_status(429)
        found = [await self.fetch(f"{BASE}/exchange/status") for _ in range(3)]
        self.assertEqual([status for status, _, _ in found], [503, 429, 200])
        self.assertEqual(found[1][1], {"error": "too many requests"})

    @coroutine
    async def test_short_body(self) -> None:
        """The body breaks off before its announced length."""
        self.exchange.faults.rest_short()
        try:
            await self.fetch(f"{BASE}/markets")
        except (PartialDownloadError, ResponseFailed):
            pass
        else:
            self.fail("the body came whole")
        self.assertEqual((await self.fetch(f"{BASE}/markets"))[0], 200)

    @coroutine
    async def test_stop_closes_idle_sockets(self) -> None:
        """A client that keeps its connection open does not keep the exchange open."""
        raw: Any = await TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.rest_port).connect(Factory.forProtocol(Raw))
        raw.transport.write(f"GET {BASE}/exchange/status HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await self.fetch(f"{BASE}/exchange/status")
        await self.service.stopService()
        self.assertTrue((await raw.done).startswith(b"HTTP/1.1 200 OK"))


class RateLimitTests(RestCase):
    SETTINGS: ClassVar[dict[str, Any]] = {"rest_tokens": 20.0, "rest_burst": 30.0}

    @coroutine
    async def test_429_until_time_passes(self) -> None:
        """30 tokens are three requests, then 429 without Retry-After; a second later two more."""
        found = [await self.fetch(f"{BASE}/exchange/status") for _ in range(4)]
        self.assertEqual([status for status, _, _ in found], [200, 200, 200, 429])
        self.assertEqual((found[3][1], found[3][2].hasHeader("retry-after")), ({"error": "too many requests"}, False))
        self.clock.advance(1)
        self.assertEqual([(await self.fetch(f"{BASE}/exchange/status"))[0] for _ in range(3)], [200, 200, 429])


class SignedRestTests(RestCase):
    SETTINGS: ClassVar[dict[str, Any]] = {"rest_must_sign": True}

    @coroutine
    async def test_unsigned_is_401(self) -> None:
        """When signatures are required, and only then."""
        status, body, _ = await self.fetch(f"{BASE}/markets")
        self.assertEqual((status, body["error"]["code"]), (401, "signature_is_missing_from_headers"))
