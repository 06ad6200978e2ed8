"""REST answers (protocol section 6)."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.markets.trades import TradeLog
from tests.simulator.rig import NOW, Client


def get(exchange: Exchange, path: str, **query: str | list[str]) -> tuple[int, Any]:
    """(status, decoded body)."""
    lists = {name: [value] if isinstance(value, str) else value for name, value in query.items()}
    answer = exchange.rest.get(path, lists)
    return answer.status, msgspec.json.decode(answer.body)


def walk(exchange: Exchange, **query: str) -> list[str]:
    """The tickers of all pages."""
    tickers: list[str] = []
    while True:
        _, page = get(exchange, "/markets", **query)
        tickers += [row["ticker"] for row in page["markets"]]
        if not page["cursor"]:
            return tickers
        query["cursor"] = page["cursor"]


class TradesTests(SynchronousTestCase):
    def setUp(self) -> None:
        """500 events at each of three times."""
        self.exchange = Exchange(markets=20, now=NOW, multivariate=0)
        self.client = Client(self.exchange)
        self.client.ask("subscribe", channels=["trade"])
        self.ids: list[list[str]] = []
        for moment in (0.0, 10.5, 20.0):
            self.exchange.advance(NOW + moment)
            self.exchange.emit(500)
            self.ids.append([one["msg"]["trade_id"] for one in self.client.fresh() if one["type"] == "trade"])

    def trades(self, **query: str) -> list[Any]:
        """The trades of all pages."""
        found: list[Any] = []
        while True:
            _, page = get(self.exchange, "/markets/trades", **query)
            found += page["trades"]
            if not page["cursor"]:
                return found
            query["cursor"] = page["cursor"]

    def walk(self, **query: str) -> list[str]:
        """The ids of the trades of all pages."""
        return [trade["trade_id"] for trade in self.trades(**query)]

    def test_a_walk_gives_what_the_feed_sent(self) -> None:
        """Each trade once, the newest first, for any page size; a new trade between two pages changes nothing."""
        sent = [one for ids in self.ids for one in ids][::-1]
        for limit in ("1000", "7"):
            self.assertEqual(self.walk(limit=limit), sent)
        _, page = get(self.exchange, "/markets/trades", limit="10")
        self.exchange.emit(100)
        self.assertEqual(self.walk(cursor=page["cursor"]), sent[10:])

    def test_time_bounds_are_inclusive(self) -> None:
        """min_ts and max_ts are whole seconds; a trade of 10.5 s is before 11 and after 10."""
        first, second, third = (ids[::-1] for ids in self.ids)
        at = int(NOW)
        self.assertEqual(self.walk(min_ts=str(at + 10), max_ts=str(at + 11)), second)
        self.assertEqual(self.walk(max_ts=str(at + 10)), first)
        self.assertEqual(self.walk(min_ts=str(at + 11)), third)
        self.assertEqual(self.walk(min_ts=str(at + 20), max_ts=str(at + 20)), third)

    def test_one_market(self) -> None:
        """`ticker` gives the trades of one market; an unknown one gives none."""
        trades = self.trades()
        ticker = trades[0]["ticker"]
        self.assertEqual(self.trades(ticker=ticker), [trade for trade in trades if trade["ticker"] == ticker])
        self.assertEqual(self.trades(ticker="KXNONE"), [])

    def test_block_trades(self) -> None:
        """There are none: the filter gives all trades or nothing."""
        self.assertEqual(self.walk(is_block_trade="false"), self.walk())
        self.assertEqual(self.walk(is_block_trade="true"), [])

    def test_nonsense_is_a_400_that_names_the_parameter(self) -> None:
        """Bad numbers, a bad flag, and the cursor of another endpoint."""
        other = get(self.exchange, "/markets", limit="1")[1]["cursor"]
        for name, value in {"limit": "1001", "min_ts": "soon", "is_block_trade": "1", "cursor": other}.items():
            status, body = get(self.exchange, "/markets/trades", **{name: value})
            self.assertEqual((status, body["error"]["details"].partition(":")[0]), (400, name))

    def test_trades_that_no_client_hears_are_recorded(self) -> None:
        """A frozen feed sends nothing, and the trades can be fetched afterwards."""
        before = len(self.walk())
        self.exchange.faults.freeze(60.0)
        self.exchange.emit(500)
        self.assertEqual(self.client.fresh(), [])
        self.assertGreater(len(self.walk()), before)


class TradeLogTests(SynchronousTestCase):
    @given(st.integers(1, 10), st.integers(0, 25), st.integers(0, 30))
    def test_it_keeps_the_last_trades(self, limit: int, count: int, number: int) -> None:
        """`up_to` gives those of the last `limit` trades that are not newer than the number."""
        market = Exchange(markets=1, now=NOW).listing.markets[0]
        log = TradeLog(limit)
        for _ in range(count):
            log.record(market, "yes", 4200, 100, 0)
        kept = range(count, max(0, count - limit), -1)
        self.assertEqual([trade.number for trade in log.up_to(number)], [one for one in kept if one <= number])


class MarketsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange(markets=30, now=NOW, unopened=5, multivariate=3)
        self.active = self.exchange.active_tickers()

    @settings(max_examples=60, deadline=None)
    @given(
        st.integers(1, 60),
        st.lists(st.integers(0, 29), max_size=20),
        st.sampled_from(["", "open", "paused", "settled"]),
    )
    def test_a_walk_visits_every_market_once(self, limit: int, changes: list[int], status: str) -> None:
        """Any page size, any filter: the pages together are the filter's markets, each once."""
        exchange = Exchange(markets=30, now=NOW, multivariate=0)
        tickers = exchange.active_tickers()
        for place in changes:
            exchange.settle_market(tickers[place]) if exchange.market(tickers[place]).status == "inactive" else None
            exchange.pause_market(tickers[place]) if exchange.market(tickers[place]).status == "active" else None
        word = {"open": "active", "paused": "inactive", "settled": "finalized"}.get(status)
        wanted = [ticker for ticker in tickers if word in (None, exchange.market(ticker).status)]
        self.assertEqual(walk(exchange, limit=str(limit), **({"status": status} if status else {})), wanted)

    def test_words_of_the_filter_are_not_those_of_the_rows(self) -> None:
        """unopened, open, paused, closed, settled find initialized, active, inactive, closed/determined, finalized."""
        for ticker, changes in zip(self.active, (["pause"], ["close"], ["determine"], ["settle"]), strict=False):
            for change in changes:
                getattr(self.exchange, f"{change}_market")(ticker)
        found = {}
        for word in ("unopened", "open", "paused", "closed", "settled"):
            found[word] = {row["status"] for row in get(self.exchange, "/markets", status=word)[1]["markets"]}
        self.assertEqual(
            found,
            {
                "unopened": {"initialized"},
                "open": {"active"},
                "paused": {"inactive"},
                "closed": {"closed", "determined"},
                "settled": {"finalized"},
            },
        )

    def test_combinations_can_be_left_out_or_had_alone(self) -> None:
        """mve_filter exclude and only share out the markets."""
        without, only = walk(self.exchange, mve_filter="exclude"), walk(self.exchange, mve_filter="only")
        self.assertEqual((len(without), len(only)), (35, 3))
        self.assertTrue(all(ticker.startswith("KXMVE") for ticker in only))

    def test_named_markets(self) -> None:
        """tickers, event_ticker, series_ticker; what does not exist is left out without error."""
        first = self.exchange.market(self.active[0])
        self.assertEqual(
            walk(self.exchange, tickers=f"{self.active[4]},KXNONE,{self.active[1]}"), [self.active[1], self.active[4]]
        )
        self.assertEqual(walk(self.exchange, event_ticker=first.event.ticker), self.active[:10])
        self.assertEqual(walk(self.exchange, event_ticker="KXNONE"), [])
        self.assertEqual(len(walk(self.exchange, series_ticker="KXMVESIM")), 3)
        self.assertEqual(walk(self.exchange, series_ticker="KXNONE"), [])

    def test_time_filters(self) -> None:
        """Bounds are inclusive, both ends."""
        ticker = self.exchange.create_market(close_in=100)
        close = str(int(NOW) + 100)
        self.assertEqual(walk(self.exchange, min_close_ts=close, max_close_ts=close), [ticker])
        self.assertEqual(walk(self.exchange, min_updated_ts=str(int(NOW) + 1), mve_filter="exclude"), [])

    def test_nonsense_is_a_400_that_names_the_parameter(self) -> None:
        """A JSON error body whose details begin with the parameter's name."""
        cases: list[dict[str, Any]] = [
            {"limit": "0"},
            {"limit": "1001"},
            {"limit": "ten"},
            {"limit": "-5"},
            {"status": "active"},
            {"status": "open,closed"},
            {"status": ["open", "closed"]},
            {"mve_filter": "both"},
            {"cursor": "!!"},
            {"cursor": "AAAA"},
            {"min_close_ts": "1", "status": "open"},
            {"min_created_ts": "1", "status": "settled"},
            {"max_settled_ts": "1", "status": "closed"},
            {"min_close_ts": "soon"},
            {"min_updated_ts": "1", "status": "open"},
            {"min_updated_ts": "1", "tickers": "A"},
        ]
        for query in cases:
            status, body = get(self.exchange, "/markets", **query)
            self.assertEqual((status, body["error"]["details"].partition(":")[0]), (400, next(iter(query))), query)

    def test_one_market_and_its_book(self) -> None:
        """The row and the book agree with what the WebSocket says; depth keeps the best bids."""
        ticker = next(t for t in self.active if len(self.exchange.book(t)[0]) > 2)
        row = get(self.exchange, f"/markets/{ticker}")[1]["market"]
        book = get(self.exchange, f"/markets/{ticker}/orderbook")[1]["orderbook_fp"]
        seen = Client(self.exchange).books(ticker)[1]["msg"]
        self.assertEqual(book["yes_dollars"], seen["yes_dollars_fp"])
        self.assertEqual(row["yes_bid_dollars"], book["yes_dollars"][-1][0])
        shallow = get(self.exchange, f"/markets/{ticker}/orderbook", depth="1")[1]["orderbook_fp"]
        self.assertEqual(shallow["yes_dollars"], book["yes_dollars"][-1:])

    def test_many_books_at_once(self) -> None:
        """Repeated parameters, at most a hundred; unknown ones are left out."""
        _, body = get(self.exchange, "/markets/orderbooks", tickers=[self.active[0], "KXNONE"])
        self.assertEqual([one["ticker"] for one in body["orderbooks"]], [self.active[0]])
        self.assertEqual(get(self.exchange, "/markets/orderbooks", tickers=["X"] * 101)[0], 400)

    def test_what_is_not_there_is_404(self) -> None:
        """Unknown markets and unknown endpoints."""
        for path in ("/markets/KXNONE", "/markets/KXNONE/orderbook", "/portfolio", "/", "/markets/a/b/c"):
            self.assertEqual(get(self.exchange, path)[0], 404, path)

    def test_status_and_schedule(self) -> None:
        """Per-shard statuses, and a Thursday with a hole in it."""
        status = get(self.exchange, "/exchange/status")[1]
        self.assertEqual([shard["exchange_index"] for shard in status["exchange_index_statuses"]], [0, 1])
        schedule = get(self.exchange, "/exchange/schedule")[1]["schedule"]
        self.assertEqual(len(schedule["standard_hours"][0]["thursday"]), 2)
