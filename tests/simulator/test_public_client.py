"""A public client of the real exchange, unchanged, against the simulator."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.service import SimulatorService
from tests.simulator.keys import private_pem, rsa_key
from tests.simulator.server.test_websocket import coroutine

SCRIPT = """
import json, sys, threading
from pykalshi import KalshiClient, MarketStatus
from pykalshi.exceptions import AuthenticationError, ResourceNotFoundError
from pykalshi.orderbook import OrderbookManager

key, rest, websocket = sys.argv[1:]
found = {}
with KalshiClient(api_key_id="key", private_key_path=key, api_base=rest) as client:
    found["trading"] = client.exchange.is_trading()
    markets = client.get_markets(status=MarketStatus.OPEN, mve_filter="exclude", limit=7, fetch_all=True)
    tickers = [market.data.ticker for market in markets]
    found["markets"] = len(set(tickers))
    found["book"] = client.get_market(tickers[0]).get_orderbook().best_yes_bid
    try:
        client.get_market("KXNONE")
    except ResourceNotFoundError as error:
        found["unknown"] = error.status_code
    books, enough = {}, threading.Event()
    found["deltas"] = 0
    feed = client.feed()
    feed._ws_url = websocket

    @feed.on("orderbook_delta")
    def on_book(message):
        book = books.setdefault(message.market_ticker, OrderbookManager(message.market_ticker))
        if hasattr(message, "yes_dollars"):
            book.apply_snapshot(message.yes_dollars, message.no_dollars)
        else:
            found["deltas"] += 1
            book.apply_delta(message.side, message.price_dollars, message.delta_fp)
        if len(books) == len(tickers) and found["deltas"] > 50:
            enough.set()

    feed.subscribe("orderbook_delta", market_tickers=tickers)
    feed.start()
    found["in time"] = enough.wait(10)
    feed.stop()
    found["books"] = len(books)
    trades = client.get_trades(limit=5)
    found["trades"] = len({trade.trade_id for trade in trades})
try:
    with KalshiClient(api_key_id="other", private_key_path=key, api_base=rest) as client:
        client.exchange.get_status()
except AuthenticationError as error:
    found["stranger"] = error.status_code
print(json.dumps(found))
"""


class PublicClientTests(TestCase):
    timeout = 60

    def setUp(self) -> Any:
        """A running simulator in this process, a key file for the other."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        key = rsa_key()
        self.key_file = os.path.abspath(self.mktemp())
        Path(self.key_file).write_bytes(private_pem(key))
        self.exchange = Exchange(markets=20, now=self.reactor.seconds(), clock=self.reactor)
        websocket, rest = [TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1") for _ in range(2)]
        keys = {"key": key.public_key()}
        self.service = SimulatorService(self.reactor, self.exchange, websocket, rest, keys, rate=500.0)
        self.service.startService()
        self.addCleanup(self.service.stopService)
        return self.service.when_listening()

    @coroutine
    async def test_lists_authenticates_and_reads_books(self) -> None:
        """It lists markets and trades, passes the signature check, and gets every book and the deltas after it."""
        websocket, rest = await self.service.when_listening()
        addresses = [f"http://127.0.0.1:{rest}/trade-api/v2", f"ws://127.0.0.1:{websocket}/trade-api/ws/v2"]
        arguments = ["-c", SCRIPT, self.key_file, *addresses]
        out, err, status = await getProcessOutputAndValue(sys.executable, arguments, os.environ, reactor=self.reactor)
        self.assertEqual(status, 0, err.decode())
        found = json.loads(out)
        self.assertGreater(found.pop("deltas"), 50)
        self.assertRegex(found.pop("book") or "0.0000", r"^0\.\d{4}$")
        expected = {"trading": True, "markets": 20, "unknown": 404, "in time": True, "books": 20, "stranger": 401}
        self.assertEqual(found, expected | {"trades": 5})
