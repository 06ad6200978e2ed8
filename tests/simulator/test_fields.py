"""Every field that the exchange sends: none missing, none of a wrong type, none that its specifications do not have."""

from typing import Any, ClassVar

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from gatherer.simulator.markets.market import Status
from tests.simulator.fields import SHAPES, TYPES, FieldChecker
from tests.simulator.loopback import SocketClient
from tests.simulator.server.test_rest import BASE, RestCase
from tests.simulator.server.test_websocket import coroutine
from tests.simulator.table import TABLE

REST = [name for name in TABLE if name.startswith(("GET ", "HTTP "))]
MARKET_EVENTS = ("market_lifecycle_v2", "multivariate_market_lifecycle")


def shape_of(message: Any) -> str:
    """The shape of a WebSocket message, after its type, its event_type or the kind of its body."""
    if message["type"] in MARKET_EVENTS:
        event_type = str(message["msg"]["event_type"])
        combined = message["type"] == MARKET_EVENTS[1] and event_type == "created"
        return f"multivariate_{event_type}" if combined else event_type
    return "ok list" if message["type"] == "ok" and isinstance(message["msg"], list) else str(message["type"])


def reachable(*shapes: str) -> set[tuple[str, str]]:
    """The fields of some shapes and of the shapes inside them."""
    found = {(shape, name) for shape in shapes for name in SHAPES[shape]}
    inner = {SHAPES[shape][name].type.strip("[]") for shape, name in found} & SHAPES.keys()
    return found | reachable(*inner) if inner else found


class FieldsCase(RestCase):
    """Collects the faults of many answers, and fails with all of them at once."""

    SETTINGS: ClassVar[dict[str, Any]] = {"rest_tokens": 1_000_000.0}

    def setUp(self) -> Any:
        """No fault so far."""
        self.checker = FieldChecker()
        self.found: set[str] = set()
        return super().setUp()

    def check(self, shape: str, value: Any) -> None:
        """Note the faults of one object."""
        self.found.update(self.checker.faults(shape, value))

    def assert_complete(self, *shapes: str) -> None:
        """There was no fault, and each field of the shapes was seen."""
        self.assertEqual(sorted(self.found), [])
        self.assertEqual(sorted(reachable(*shapes) - self.checker.seen), [])


class RestFieldsTests(FieldsCase):
    async def check_path(self, shape: str, path: str, status: int = 200) -> Any:
        """Fetch a path, check its body, and return it."""
        code, body, _ = await self.fetch(BASE + path)
        self.assertEqual(code, status, path)
        self.check(shape, body)
        return body

    @coroutine
    async def test_markets_in_every_status(self) -> None:
        """Rows and single markets, combinations too, in every status that a market can have."""
        tickers = self.exchange.active_tickers()
        self.exchange.create_market(open_in=600.0)
        self.exchange.pause_market(tickers[1])
        self.exchange.close_market(tickers[2])
        self.exchange.determine_market(tickers[3])
        self.exchange.settle_market(tickers[4])
        self.exchange.emit(200)
        page = await self.check_path("GET /markets", "/markets?limit=1000")
        self.assertEqual({row["status"] for row in page["markets"]}, {status.value for status in Status})
        for ticker in tickers[:5]:
            await self.check_path("GET /markets/{ticker}", f"/markets/{ticker}")
        self.assert_complete("GET /markets", "GET /markets/{ticker}")

    @coroutine
    async def test_books_and_trades(self) -> None:
        """Books of many markets at once and of each alone, empty ones too; trades of all markets and of one."""
        empty = self.exchange.create_market()
        tickers = self.exchange.active_tickers()
        self.exchange.emit(500)
        query = "&".join(f"tickers={ticker}" for ticker in tickers)
        body = await self.check_path("GET /markets/orderbooks", f"/markets/orderbooks?{query}")
        self.assertIn(empty, [row["ticker"] for row in body["orderbooks"]])
        for ticker in tickers:
            await self.check_path("GET /markets/{ticker}/orderbook", f"/markets/{ticker}/orderbook")
        body = await self.check_path("GET /markets/trades", "/markets/trades?limit=3")
        self.assertEqual(len(body["trades"]), 3)
        await self.check_path("GET /markets/trades", f"/markets/trades?ticker={body['trades'][0]['ticker']}")
        self.assert_complete(*(name for name in REST if "book" in name or "trades" in name))

    @coroutine
    async def test_exchange_and_account(self) -> None:
        """Open and during a pause with an announced end."""
        await self.check_path("GET /exchange/status", "/exchange/status")
        self.exchange.state.trading_active = False
        self.exchange.state.resume_time = "2026-10-15T09:00:00Z"
        await self.check_path("GET /exchange/status", "/exchange/status")
        for path in ("/exchange/schedule", "/account/limits", "/account/endpoint_costs"):
            await self.check_path(f"GET {path}", path)
        self.assert_complete(*(name for name in REST if "exchange" in name or "account" in name))

    @coroutine
    async def test_errors(self) -> None:
        """400, 404, scripted errors, and 429, which has a body of its own."""
        await self.check_path("HTTP error", "/markets?limit=x", 400)
        await self.check_path("HTTP error", "/markets/KXNONE", 404)
        self.exchange.faults.rest_status(503)
        await self.check_path("HTTP error", "/markets", 503)
        self.exchange.faults.rest_status(429)
        await self.check_path("HTTP 429", "/markets", 429)
        self.assert_complete("HTTP error", "HTTP 429")


class WebSocketFieldsTests(FieldsCase):
    @coroutine
    async def test_every_message(self) -> None:
        """Every reply, every kind of data and every lifecycle event has its fields."""
        client = await self.connect()
        tickers = self.exchange.active_tickers()
        await self.commands(client, tickers)
        await self.events(client, tickers)
        messages = [msgspec.json.decode(payload) for payload in client.messages]
        for message in messages:
            self.check(shape_of(message), message)
        self.assertEqual({shape_of(message) for message in messages}, self.top())
        self.assert_complete(*self.top())

    @staticmethod
    def top() -> set[str]:
        """The shapes of whole messages."""
        return {name for name, fields in SHAPES.items() if "type" in fields and name not in REST}

    async def commands(self, client: SocketClient, tickers: list[str]) -> None:
        """Every command, errors with and without a sid, and ends that no command asked for."""
        books = {"channels": ["orderbook_delta"], "market_tickers": tickers}
        empty = self.exchange.create_market()
        await client.ask(1 + len(tickers), id=1, cmd="subscribe", params=books)
        await client.ask(1, id=2, cmd="list_subscriptions")
        add: dict[str, Any] = {"sids": [1], "action": "add_markets", "market_tickers": [empty]}
        await client.ask(2, id=3, cmd="update_subscription", params=add)
        await client.ask(1, id=4, cmd="update_subscription", params=add | {"action": "delete_markets"})
        await client.ask(1, id=5, cmd="update_subscription", params=add | {"action": "explode"})
        one = add | {"action": "get_snapshot", "market_tickers": tickers[:1]}
        await client.ask(1, id=6, cmd="update_subscription", params=one)
        await client.ask(1, cmd="dance")
        channels = ["ticker", "trade", *MARKET_EVENTS]
        await client.ask(4, id=7, cmd="subscribe", params={"channels": channels, "skip_ticker_ack": True})
        more = {"channels": ["orderbook_delta"], "market_tickers": [empty], "skip_ticker_ack": True}
        await client.ask(2, id=8, cmd="subscribe", params=more)
        self.exchange.emit(500)

    async def events(self, client: SocketClient, tickers: list[str]) -> None:
        """Every change of a market, of both kinds of markets, then the ends of the subscriptions."""
        exchange = self.exchange
        for multivariate in (False, True):
            exchange.create_market(multivariate=multivariate)
        for change in (exchange.pause_market, exchange.resume_market, exchange.settle_market):
            change(tickers[0])
        exchange.determine_market(tickers[1])
        exchange.determine_market(exchange.create_market(multivariate=True))
        exchange.announce_metadata(tickers[2])
        exchange.announce_price_levels(tickers[2])
        for multiplier in (0.5, 1, None):
            exchange.override_fee(exchange.market(tickers[2]).event.ticker, multiplier)
        exchange.faults.terminate(25)
        exchange.faults.unsubscribed(channel="trade")
        client.sendMessage(b'{"id":9,"cmd":"unsubscribe","params":{"sids":[2]}}')
        await client.until(lambda: client.messages[-1].startswith(b'{"id":9,'))


class TableTests(SynchronousTestCase):
    def test_the_table_is_sound(self) -> None:
        """Each shape has a source and fields; each type is known; each inner shape is used."""
        kinds = [field.type.strip("[]") for fields in SHAPES.values() for field in fields.values()]
        self.assertEqual(set(kinds) - TYPES.keys() - SHAPES.keys(), set())
        self.assertTrue(all(source and rows.strip() for source, rows in TABLE.values()))
        self.assertEqual(TYPES.keys() & SHAPES.keys(), set())

    def test_every_fault_is_found(self) -> None:
        """A missing field, null, a wrong type, an unknown field, a value of the wrong form inside a list."""
        checker = FieldChecker()
        good = {"type": "trade", "sid": 1, "seq": 1}
        for message, fault in (
            ({"type": "unsubscribed", "sid": 1}, "unsubscribed.seq: missing"),
            ({"type": "unsubscribed", "sid": 1, "seq": None}, "unsubscribed.seq: null"),
            ({"type": "unsubscribed", "sid": True, "seq": 1}, "unsubscribed.sid: not integer: True"),
            (good | {"type": "unsubscribed", "hello": 1}, "unsubscribed.hello: not in the table: 1"),
        ):
            self.assertEqual(list(checker.faults("unsubscribed", message)), [fault])
        book = {"yes_dollars": [["0.42", "1.00"]], "no_dollars": "0.4200"}
        self.assertEqual(
            sorted(checker.faults("rest_book", book)),
            ["rest_book.no_dollars: not a list: '0.4200'", "rest_book.yes_dollars: not level: ['0.42', '1.00']"],
        )
        self.assertEqual(list(checker.faults("bucket", 5)), ["bucket: not an object: 5"])
