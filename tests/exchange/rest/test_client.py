"""The REST client against good, bad and incomplete answers."""

import gzip
import json
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from treq.testing import StringStubbingResource, StubTreq
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseFailed, ResponseNeverReceived
from zope.interface.verify import verifyObject

from gatherer.errors import ConfigError, RestError
from gatherer.exchange.auth import Signer
from gatherer.exchange.rest import client
from gatherer.exchange.rest.client import MARKET, MARKETS, STATUS, RestClient
from gatherer.interfaces import IExchangeRest
from gatherer.values import MarketRow
from tests.support.wall import wall_of

KEY = Ed25519PrivateKey.generate()
BASE = "https://exchange.test/trade-api/v2"
Reply = tuple[int, dict[str, str], bytes]


def row(ticker: str, status: str = "active", **more: Any) -> dict[str, Any]:
    """A market as the exchange sends it, with fields that are not needed."""
    return {
        "ticker": ticker,
        "status": status,
        "open_time": "2026-10-15T14:00:00Z",
        "close_time": "2026-10-16T14:00:00.5Z",
        "yes_bid_dollars": "0.4200",
        "extra": {"a": [1]},
        **more,
    }


def page(*rows: Any, cursor: str | None = "") -> Reply:
    """A page of markets."""
    return 200, {}, json.dumps({"markets": list(rows), "cursor": cursor}).encode()


class Script:
    """Answers requests in order, and remembers them; the last answer is repeated."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.replies = list(replies)
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []

    def __call__(self, method: bytes, url: str, params: Any, headers: Any, data: bytes) -> Reply:
        plain = {name.decode(): values[0].decode() for name, values in params.items()}
        heads = {name.decode().lower(): values[0].decode() for name, values in headers.items()}
        self.requests.append((url, plain, heads))
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


class RestRig:
    """A client, its clock, and the exchange's side."""

    def __init__(self, case: SynchronousTestCase, *replies: Reply, http: Any = None, **settings: Any) -> None:
        self.case = case
        self.clock = Clock()
        self.clock.advance(1_792_072_800)
        self.script = Script(replies)
        http = http or StubTreq(StringStubbingResource(self.script))
        self.rest = RestClient(
            http, BASE, Signer("key-1", KEY), self.clock, wall_of(self.clock), random=lambda: 0.5, **settings
        )
        case.addCleanup(lambda: case.assertEqual(self.clock.getDelayedCalls(), []))

    def ask(self, coroutine: Any) -> Any:
        """A coroutine as a Deferred."""
        return Deferred.fromCoroutine(coroutine)

    def walk(self, **filters: Any) -> "Deferred[list[list[MarketRow]]]":
        """All pages of one listing."""

        async def collect() -> list[list[MarketRow]]:
            return [rows async for rows in self.rest.markets(**filters)]

        return Deferred.fromCoroutine(collect())


class SilentHttp:
    """A treq-like client whose requests wait until the test decides."""

    def __init__(self, failure: Callable[[], Exception] | None = None) -> None:
        self.failure = failure
        self.asked: list[Deferred[Any]] = []

    def get(self, url: str, **_: Any) -> "Deferred[Any]":
        """Never answer; when cancelled, fail as Twisted's HTTP/1.1 client does."""
        answer: Deferred[Any] = Deferred(lambda d: d.errback(ResponseNeverReceived([Failure(defer.CancelledError())])))
        self.asked.append(answer)
        if self.failure is not None:
            answer.errback(self.failure())
        return answer


class RequestTests(SynchronousTestCase):
    """Requests: what they ask, how they are signed, and how they are paced."""

    def test_provides_the_interface(self) -> None:
        """The contract of the registry holds."""
        verifyObject(IExchangeRest, RestRig(self, page()).rest)

    def test_pages_until_the_cursor_is_empty(self) -> None:
        """Pages come in order, each request with the cursor of the page before, until it is empty or null."""
        for end in ("", None):
            rig = RestRig(self, page(row("A"), cursor="c+/="), page(cursor="d"), page(row("B"), cursor=end))
            pages = self.successResultOf(rig.walk(status="open"))
            self.assertEqual([[m.ticker for m in rows] for rows in pages], [["A"], [], ["B"]])
            self.assertEqual([params.get("cursor") for _, params, _ in rig.script.requests], [None, "c+/=", "d"])
            self.assertEqual(
                rig.script.requests[0][:2],
                (f"{BASE}/markets", {"limit": "1000", "status": "open", "mve_filter": "exclude"}),
            )

    def test_row_fields(self) -> None:
        """Times become Unix seconds, fractions included; absent and null times are None."""
        rig = RestRig(self, page(row("A"), row("B", open_time=None), {"ticker": "C", "status": "x"}))
        ((a, b, c),) = self.successResultOf(rig.walk())
        self.assertEqual((a.ticker, a.status, a.open_ts, a.close_ts), ("A", "active", 1792072800.0, 1792159200.5))
        self.assertEqual((b.open_ts, c.open_ts, c.close_ts, c.status), (None, None, None, "x"))

    def test_time_without_zone_is_utc(self) -> None:
        """A time without an offset is taken as UTC, whatever zone this machine is in."""
        rig = RestRig(self, page(row("A", open_time="2026-10-15T14:00:00")))
        ((a,),) = self.successResultOf(rig.walk())
        self.assertEqual(a.open_ts, 1792072800.0)

    def test_look_up_by_ticker(self) -> None:
        """Tickers are separated by commas. An empty list asks nothing: as a filter it could mean all markets."""
        rig = RestRig(self, page(row("A"), row("B")))
        self.successResultOf(rig.walk(tickers=["A", "B"], multivariate="include"))
        self.assertEqual(rig.script.requests[0][1], {"limit": "1000", "tickers": "A,B"})
        self.assertEqual(self.successResultOf(rig.walk(tickers=[])), [])
        self.assertEqual(len(rig.script.requests), 1)

    def test_signature_covers_path_without_query(self) -> None:
        """Each request is signed for its full path, now, and without the query."""
        rig = RestRig(self, page(row("A"), cursor="x"), page())
        self.successResultOf(rig.walk())
        expected = Signer("key-1", KEY).headers("GET", "/trade-api/v2/markets", 1_792_072_800_000)
        for _, _, headers in rig.script.requests:
            for name, value in expected.items():
                self.assertEqual(headers[name.lower()], value)

    def test_each_try_is_signed_anew(self) -> None:
        """A retry carries the time of the retry, not of the first try."""
        rig = RestRig(self, (500, {}, b""), page())
        walked = rig.walk()
        rig.clock.advance(0.5)
        self.successResultOf(walked)
        stamps = [headers["kalshi-access-timestamp"] for _, _, headers in rig.script.requests]
        self.assertEqual(stamps, ["1792072800000", "1792072800500"])

    def test_one_market(self) -> None:
        """A market is found, or None for a 404, which is not an error."""
        body = json.dumps({"market": row("A")}).encode()
        rig = RestRig(self, (200, {}, body), (404, {}, b'{"error":{"code":"not_found"}}'))
        self.assertEqual(self.successResultOf(rig.ask(rig.rest.market("A"))).ticker, "A")
        self.assertIsNone(self.successResultOf(rig.ask(rig.rest.market("B"))))
        self.assertEqual(rig.script.requests[0][0], f"{BASE}/markets/A")
        self.assertEqual(dict(rig.rest.errors), {})

    def test_paced(self) -> None:
        """The requests of 3 seconds pass at once, then the tier's rate holds."""
        rig = RestRig(self, page(), read_tokens_per_second=20)
        for _ in range(6):
            self.successResultOf(rig.walk())
        seventh, eighth = rig.walk(), rig.walk()
        self.assertEqual(len(rig.script.requests), 6)
        rig.clock.advance(0.5)
        self.successResultOf(seventh)
        self.assertNoResult(eighth)
        rig.clock.advance(0.5)
        self.successResultOf(eighth)

    def test_redirect_is_not_followed(self) -> None:
        """A signed request never follows a redirect: a redirect is a refusal."""
        rig = RestRig(self, (302, {"location": "https://evil.test/"}, b"go there"))
        error = self.failureResultOf(rig.walk(), RestError).value
        self.assertEqual((error.status, len(rig.script.requests)), (302, 1))

    def test_plain_http_to_elsewhere_is_refused(self) -> None:
        """A key is never used over an unencrypted connection that leaves this machine."""
        with self.assertRaises(ConfigError):
            RestClient(None, "http://exchange.test/v2", Signer("k", KEY), Clock(), wall_of(Clock()))

    def test_close_without_a_pool(self) -> None:
        """A client over a borrowed HTTP client has nothing to close."""
        self.assertIsNone(self.successResultOf(RestRig(self, page()).rest.close()))


class TroubleTests(SynchronousTestCase):
    """Which answers are tried again, and what the errors say."""

    def test_passing_errors_are_retried_with_longer_waits(self) -> None:
        """429, 5xx, empty, cut and foreign bodies are tried again after 0.5, 1, 2, 4 ... seconds."""
        good = page(row("A"))
        bad: list[Reply] = [
            (429, {}, b'{"error":"too many requests"}'),
            (502, {}, b"<html>"),
            (200, {}, b""),
            (200, {}, good[2][:-9]),
            (200, {}, b"<html>"),
            (200, {}, b'{"cursor": ""}'),
            (200, {}, b"[" * 5000),
        ]
        rig = RestRig(self, *bad, good)
        walked = rig.walk()
        for tried, wait in enumerate([0.5, 1, 2, 4, 8, 16, 30], 1):
            self.assertEqual(len(rig.script.requests), tried)
            rig.clock.advance(wait - 0.001)
            self.assertEqual(len(rig.script.requests), tried)
            rig.clock.advance(0.001)
        self.assertEqual([m.ticker for m in self.successResultOf(walked)[0]], ["A"])
        self.assertEqual(dict(rig.rest.errors), {MARKETS: 7})

    def test_gives_up(self) -> None:
        """After the last try the error names the number of tries and the last status and text. Each try is counted."""
        rig = RestRig(self, (503, {}, b"maintenance"), tries=3)
        walked = rig.walk()
        rig.clock.pump([0.5, 1.0])
        error = self.failureResultOf(walked, RestError).value
        self.assertEqual((error.endpoint, error.status), (MARKETS, 503))
        self.assertIn("3 tries", error.reason)
        self.assertIn("maintenance", error.reason)
        self.assertEqual(rig.rest.errors[MARKETS], 3)

    def test_refusal_is_final(self) -> None:
        """A 4xx about our request fails at once with its status and text."""
        rig = RestRig(self, (400, {}, b'{"error":{"code":"bad_request"}}'))
        error = self.failureResultOf(rig.walk(), RestError).value
        self.assertEqual((error.status, len(rig.script.requests), rig.rest.errors[MARKETS]), (400, 1, 1))
        self.assertIn("bad_request", error.reason)

    def test_clock_skew_is_named(self) -> None:
        """The error of a 401 names the difference between our clock and the exchange's Date header."""
        rig = RestRig(self, (401, {"date": "Thu, 15 Oct 2026 13:59:00 GMT"}, b"header_timestamp_expired"))
        self.assertIn("our clock is +60.0 s", self.failureResultOf(rig.walk(), RestError).value.reason)

    def test_429_empties_the_bucket(self) -> None:
        """After a 429 other requests wait for the refill: the saved tokens are gone."""
        rig = RestRig(self, (429, {}, b""), page(), read_tokens_per_second=20)
        first, second = rig.walk(), rig.walk()
        self.assertEqual(len(rig.script.requests), 1)
        rig.clock.pump([0.5] * 4)
        self.successResultOf(first)
        self.successResultOf(second)

    def test_network_errors_are_retried_and_named(self) -> None:
        """A refused or lost connection is tried again, and the error names the innermost cause."""
        for make in (
            lambda: ConnectError(string="nobody home"),
            lambda: ResponseFailed([Failure(ConnectionLost("nobody home"))]),
        ):
            http = SilentHttp(make)
            rig = RestRig(self, http=http, tries=2)
            walked = rig.walk()
            rig.clock.advance(0.5)
            error = self.failureResultOf(walked, RestError).value
            self.assertEqual((error.status, len(http.asked)), (None, 2))
            self.assertIn("nobody home", error.reason)

    def test_timeout_is_retried(self) -> None:
        """A request without an answer is given up after the timeout and tried again."""
        http = SilentHttp()
        rig = RestRig(self, http=http, tries=2, timeout=30.0)
        walked = rig.walk()
        rig.clock.pump([29.9, 0.1, 0.5])
        self.assertEqual(len(http.asked), 2)
        rig.clock.advance(30)
        self.assertIn("no complete answer within 30.0 s", self.failureResultOf(walked, RestError).value.reason)

    def test_cancelled_is_not_retried(self) -> None:
        """Cancelling ends a request, a backoff and a wait for tokens at once, and nothing is asked afterwards."""
        http = SilentHttp()
        rig = RestRig(self, http=http)
        walked = rig.walk()
        walked.cancel()
        self.failureResultOf(walked, defer.CancelledError)
        self.assertEqual(len(http.asked), 1)
        backing_off = RestRig(self, (500, {}, b""))
        walked = backing_off.walk()
        walked.cancel()
        self.failureResultOf(walked, defer.CancelledError)

    def test_programming_errors_are_not_hidden(self) -> None:
        """An error that does not come from the network is not retried."""
        rig = RestRig(self, http=SilentHttp(lambda: KeyError("bug")))
        self.failureResultOf(rig.walk(), KeyError)

    def test_oversized_body(self) -> None:
        """A body above the limit is refused as soon as it passes the limit, even if it is small when compressed."""
        bomb = gzip.compress(b" " * 50_000)
        self.assertLess(len(bomb), 1000)
        for headers, body in (({}, b" " * 50_000), ({"content-encoding": "gzip"}, bomb)):
            rig = RestRig(self, (200, headers, body), max_body=10_000)
            self.assertIn("10000 bytes", self.failureResultOf(rig.walk(), RestError).value.reason)
            self.assertEqual(len(rig.script.requests), 1)

    def test_compressed_page(self) -> None:
        """A gzip page is read; an incomplete one is tried again."""
        packed = gzip.compress(page(row("A"))[2])
        zipped = {"content-encoding": "gzip"}
        rig = RestRig(self, (200, zipped, packed[:-20]), (200, zipped, packed))
        walked = rig.walk()
        self.assertEqual(rig.script.requests[0][2]["accept-encoding"], "gzip")
        rig.clock.advance(0.5)
        self.assertEqual([m.ticker for m in self.successResultOf(walked)[0]], ["A"])

    def test_one_odd_row_costs_one_row(self) -> None:
        """A row of another shape is left out, counted, and named in the log; the other rows are used."""
        rig = RestRig(self, page(row("A"), row("ODD", open_time=17), {"ticker": 5}, "text", row("B")))
        with mock.patch.object(RestClient, "_log") as log:
            ((a, b),) = self.successResultOf(rig.walk())
        self.assertEqual((a.ticker, b.ticker, rig.rest.unreadable_rows), ("A", "B", 3))
        self.assertIn("ODD", log.warn.call_args.kwargs["tickers"])

    def test_row_that_is_not_utf8(self) -> None:
        """Bytes that are not UTF-8 in one row cost only that row."""
        body = page(row("A"), row("B"))[2].replace(b'"B"', b'"\xff"')
        ((a,),) = self.successResultOf(RestRig(self, (200, {}, body)).walk())
        self.assertEqual(a.ticker, "A")

    def test_cursor_that_repeats(self) -> None:
        """A repeated cursor ends the walk with an error: otherwise it would never end."""
        rig = RestRig(self, page(row("A"), cursor="x"))
        self.assertIn("twice", self.failureResultOf(rig.walk(), RestError).value.reason)

    def test_cursors_without_an_end(self) -> None:
        """A new cursor on every page, for ever, ends the walk with an error too."""
        self.patch(client, "MAX_PAGES", 3)
        rig = RestRig(self, *(page(row("A"), cursor=f"c{number}") for number in range(5)))
        self.assertIn("3 pages", self.failureResultOf(rig.walk(), RestError).value.reason)

    def test_market_of_an_odd_shape(self) -> None:
        """A whole answer about one market that has another shape is not asked for again: it would be the same."""
        rig = RestRig(self, (200, {}, b'{"market": {"ticker": 5}}'))
        error = self.failureResultOf(rig.ask(rig.rest.market("A")), RestError).value
        self.assertEqual((error.status, dict(rig.rest.errors)), (200, {MARKET: 1}))

    def test_market_that_is_cut_short(self) -> None:
        """An answer that is no JSON is asked for again."""
        body = b'{"market": ' + json.dumps(row("A")).encode() + b"}"
        rig = RestRig(self, (200, {}, body[:-5]), (200, {}, body))
        asked = rig.ask(rig.rest.market("A"))
        rig.clock.advance(0.5)
        self.assertEqual(self.successResultOf(asked).ticker, "A")


class StatusTests(SynchronousTestCase):
    """/exchange/status"""

    STATUS = json.dumps(
        {
            "exchange_active": False,
            "trading_active": False,
            "new_field": 1,
            "exchange_estimated_resume_time": None,
            "exchange_index_statuses": [{"exchange_index": 2, "exchange_active": True, "trading_active": False}],
        }
    ).encode()

    def test_error_answers_that_hold_the_object_count(self) -> None:
        """200, 500, 503 and 504 with the object are answers, the shards included."""
        for code in (200, 500, 503, 504):
            rig = RestRig(self, (code, {}, self.STATUS))
            status = self.successResultOf(rig.ask(rig.rest.exchange_status()))
            self.assertFalse(status.exchange_active)
            self.assertEqual(
                [(s.exchange_index, s.trading_active) for s in status.exchange_index_statuses], [(2, False)]
            )

    def test_error_answers_without_it_are_retried(self) -> None:
        """A 503 page of HTML is not a status."""
        rig = RestRig(self, (503, {}, b"<html>"), (200, {}, self.STATUS))
        asked = rig.ask(rig.rest.exchange_status())
        self.assertNoResult(asked)
        rig.clock.advance(0.5)
        self.successResultOf(asked)
        self.assertEqual(dict(rig.rest.errors), {STATUS: 1})

    def test_market_errors_are_counted_apart(self) -> None:
        """Each endpoint has its own count; the tickers of a path do not matter."""
        rig = RestRig(self, (400, {}, b""))
        self.failureResultOf(rig.ask(rig.rest.market("A")), RestError)
        self.assertEqual(dict(rig.rest.errors), {MARKET: 1})
