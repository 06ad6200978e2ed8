"""Commands and their answers (protocol section 3)."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.feed.publisher import Limits
from tests.simulator.rig import NOW, Client, codes, kinds


class SubscribeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange(markets=30, now=NOW)
        self.a, self.b, self.c, *_ = self.exchange.active_tickers()
        self.client = Client(self.exchange)

    def test_first_subscribe_answers_subscribed_then_books(self) -> None:
        """`subscribed` has the sid inside and no seq; each book follows, numbered from 1."""
        ack, *books = self.client.books(self.a, self.b)
        self.assertEqual(ack, {"id": 1, "type": "subscribed", "msg": {"channel": "orderbook_delta", "sid": 1}})
        self.assertEqual(
            [(book["type"], book["sid"], book["seq"]) for book in books],
            [("orderbook_snapshot", 1, seq) for seq in (1, 2)],
        )
        self.assertEqual([book["msg"]["market_ticker"] for book in books], [self.a, self.b])

    def test_second_subscribe_merges_and_answers_ok(self) -> None:
        """Same sid, a number, the whole list; only the new market sends its book."""
        self.client.books(self.a, self.b)
        ack, *books = self.client.books(self.b, self.c)
        self.assertEqual(
            ack, {"id": 2, "type": "ok", "sid": 1, "seq": 3, "msg": {"market_tickers": [self.a, self.b, self.c]}}
        )
        self.assertEqual([(book["seq"], book["msg"]["market_ticker"]) for book in books], [(4, self.c)])

    def test_skip_ticker_ack_leaves_the_list_out(self) -> None:
        """`ok` without the market list keeps its sid and number."""
        self.client.books(self.a)
        ack, _ = self.client.books(self.b, skip_ticker_ack=True)
        self.assertEqual(ack, {"id": 2, "type": "ok", "sid": 1, "seq": 2, "msg": {}})

    def test_channels_get_sids_in_the_order_asked(self) -> None:
        """One `subscribed` a channel, the same id on each."""
        acks = self.client.ask("subscribe", channels=["trade", "ticker", "market_lifecycle_v2"])
        self.assertEqual(
            [(ack["id"], ack["msg"]["channel"], ack["msg"]["sid"]) for ack in acks],
            [(1, "trade", 1), (1, "ticker", 2), (1, "market_lifecycle_v2", 3)],
        )

    def test_settled_and_unknown_tickers_are_accepted_in_silence(self) -> None:
        """They are acknowledged and listed, and never get a book."""
        self.exchange.settle_market(self.a)
        self.assertEqual(kinds(self.client.books(self.a, "KXNONE-1", self.b)), ["subscribed", "orderbook_snapshot"])
        self.assertEqual(
            self.client.update("add_markets", self.c)[0]["msg"]["market_tickers"], [self.a, "KXNONE-1", self.b, self.c]
        )

    def test_empty_side_has_no_key(self) -> None:
        """A market that just opened sends neither ladder."""
        fresh = self.exchange.create_market()
        self.assertEqual(sorted(self.client.books(fresh)[1]["msg"]), ["market_id", "market_ticker"])

    def test_yes_prices_mirror_the_no_side(self) -> None:
        """With use_yes_price a no bid at p is sent as a dollar minus p, in books and in deltas."""
        plain, mirrored = Client(self.exchange), Client(self.exchange)
        ticker = next(t for t in self.exchange.active_tickers() if self.exchange.book(t)[1])
        one, other = plain.books(ticker)[1]["msg"], mirrored.books(ticker, use_yes_price=True)[1]["msg"]
        self.assertEqual(
            sorted(f"{1 - float(p):.4f}" for p, _ in one["no_dollars_fp"]), [p for p, _ in other["no_dollars_fp"]]
        )
        self.exchange.pause_market(ticker)
        pairs = zip(plain.fresh(), mirrored.fresh(), strict=True)
        for mine, theirs in ((one["msg"], other["msg"]) for one, other in pairs if one["msg"]["side"] == "no"):
            self.assertEqual(f"{1 - float(mine['price_dollars']):.4f}", theirs["price_dollars"])

    def test_initial_tickers_on_request(self) -> None:
        """send_initial_snapshot sends one unnumbered ticker a market."""
        _, *tickers = self.client.ask(
            "subscribe", channels=["ticker"], market_tickers=[self.a, self.b], send_initial_snapshot=True
        )
        self.assertEqual([(one["type"], "seq" in one) for one in tickers], [("ticker", False)] * 2)

    def test_global_channel_without_tickers_is_everything(self) -> None:
        """trade without tickers brings trades of any market; with tickers only theirs."""
        some, every = Client(self.exchange), Client(self.exchange)
        some.ask("subscribe", channels=["trade"], market_tickers=[self.a])
        every.ask("subscribe", channels=["trade"])
        self.exchange.emit(2_000)
        self.assertEqual({one["msg"]["market_ticker"] for one in some.fresh()}, {self.a})
        self.assertGreater(len({one["msg"]["market_ticker"] for one in every.fresh()}), 20)

    def test_big_batch_comes_in_chunks(self) -> None:
        """Books beyond a chunk come in later reactor turns, with the next numbers, each market once."""
        clock = Clock()
        exchange = Exchange(markets=25, now=NOW, clock=clock, limits=Limits(snapshots_per_turn=10))
        client = Client(exchange)
        self.assertEqual(len(client.books(*exchange.active_tickers()[:25])), 11)
        clock.pump([0, 0, 0])
        self.assertEqual([one["seq"] for one in client.fresh()], list(range(11, 26)))
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_market_deleted_and_added_again_while_owed_sends_one_book(self) -> None:
        """A queued snapshot is checked again before it is sent."""
        clock = Clock()
        exchange = Exchange(markets=10, now=NOW, clock=clock, limits=Limits(snapshots_per_turn=1))
        client = Client(exchange)
        first, second, third, *_ = exchange.active_tickers()
        client.books(first, second, third)
        client.update("delete_markets", second, third)
        client.update("add_markets", second)
        clock.pump([0] * 6)
        told = [one["msg"]["market_ticker"] for one in client.fresh() if one["type"] == "orderbook_snapshot"]
        self.assertEqual(told, [second])

    def test_crowded_socket_gets_no_more_books(self) -> None:
        """While the socket is full the books wait, then come."""
        clock, full = Clock(), [True]
        exchange = Exchange(markets=25, now=NOW, clock=clock)
        client = Client(exchange, crowded=lambda: full[0])
        client.books(*exchange.active_tickers()[:3])
        clock.pump([0.02] * 3)
        self.assertEqual(client.fresh(), [])
        full[0] = False
        clock.advance(0.02)
        self.assertEqual(len(client.fresh()), 3)


class UpdateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange(markets=10, now=NOW, multivariate=0)
        self.a, self.b, self.c, *_ = self.exchange.active_tickers()
        self.client = Client(self.exchange)
        self.client.books(self.a)

    def test_add_markets_acknowledges_then_sends_books(self) -> None:
        """`ok` with everything held, then a book a new market."""
        ack, book = self.client.update("add_markets", self.a, self.b)
        self.assertEqual((ack["type"], ack["seq"], ack["msg"]["market_tickers"]), ("ok", 2, [self.a, self.b]))
        self.assertEqual((book["seq"], book["msg"]["market_ticker"]), (3, self.b))

    def test_sid_works_like_sids(self) -> None:
        """`sid: 1` is `sids: [1]`."""
        self.assertEqual(
            self.client.ask("update_subscription", sid=1, action="add_markets", market_ticker=self.b)[0]["type"], "ok"
        )

    def test_deleted_market_is_silent(self) -> None:
        """After `delete_markets` not one delta of it comes."""
        self.client.update("add_markets", self.b)
        self.client.fresh()
        self.assertEqual(self.client.update("delete_markets", self.a)[0]["msg"]["market_tickers"], [self.b])
        self.exchange.emit(500)
        self.assertEqual({one["msg"]["market_ticker"] for one in self.client.fresh()}, {self.b})

    def test_the_other_markets_go_on_after_a_deletion(self) -> None:
        """Of three, one is deleted: deltas keep coming to both that are left, whichever it was."""
        for gone in (self.a, self.b, self.c):
            self.client.update("add_markets", self.a, self.b, self.c)
            self.client.update("delete_markets", gone)
            self.exchange.emit(200)
            deltas = [one["msg"]["market_ticker"] for one in self.client.fresh()]
            self.assertEqual(set(deltas), {self.a, self.b, self.c} - {gone})
            self.assertGreater(min(map(deltas.count, set(deltas))), 40)

    def test_get_snapshot_is_answered_by_the_book_with_the_id(self) -> None:
        """No `ok`: the book itself carries the command's id and a number of the sid."""
        (book,) = self.client.update("get_snapshot", self.a, self.c)
        self.assertEqual(
            (book["id"], book["type"], book["seq"], book["msg"]["market_ticker"]), (2, "orderbook_snapshot", 2, self.a)
        )

    def test_get_snapshot_of_nothing_gives_nothing(self) -> None:
        """An empty list is answered by silence."""
        self.assertEqual(self.client.update("get_snapshot"), [])

    def test_unsubscribe_takes_a_last_number(self) -> None:
        """One `unsubscribed` a sid; a new subscribe gets a new sid and starts from 1."""
        self.assertEqual(
            self.client.ask("unsubscribe", sids=[1]), [{"id": 2, "type": "unsubscribed", "sid": 1, "seq": 2}]
        )
        self.exchange.emit(50)
        ack, book = self.client.books(self.a)
        self.assertEqual((ack["msg"]["sid"], book["sid"], book["seq"]), (2, 2, 1))

    def test_list_subscriptions(self) -> None:
        """A list inside `ok`, without sid or seq of its own."""
        self.client.ask("subscribe", channels=["trade"])
        msg = [{"channel": "orderbook_delta", "sid": 1}, {"channel": "trade", "sid": 2}]
        self.assertEqual(self.client.ask("list_subscriptions"), [{"id": 3, "type": "ok", "msg": msg}])

    def test_subscribed_tells_who_holds_what(self) -> None:
        """Ticker to session ids, until the session ends."""
        other = Client(self.exchange)
        other.books(self.a, self.b)
        self.assertEqual(self.exchange.subscribed(), {self.a: [1, 2], self.b: [2]})
        self.client.session.close()
        self.client.session.close()
        self.assertEqual(self.exchange.subscribed(), {self.a: [2], self.b: [2]})


class RefusalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange(markets=10, now=NOW, limits=Limits(markets_per_subscription=3))
        self.tickers = self.exchange.active_tickers()
        self.client = Client(self.exchange)
        self.client.books(self.tickers[0])

    def test_every_bad_command_has_its_code(self) -> None:
        """The codes of protocol section 3, each from a command that deserves it."""
        book, update = {"channels": ["orderbook_delta"]}, {"sids": [1], "action": "add_markets"}
        ticker = self.tickers[1]
        cases: list[tuple[int, Any]] = [
            (1, b"{not json"),
            (1, b"\xff\xfe"),
            (1, b"[]"),
            (1, {"id": "7", "cmd": "subscribe"}),
            (1, {"id": True, "cmd": "x"}),
            (1, b'{"id": 99999999999999999999999, "cmd": "list_subscriptions"}'),
            (2, {"cmd": "subscribe"}),
            (2, {"cmd": "update_subscription", "params": []}),
            (2, {"cmd": "unsubscribe"}),
            (3, ("subscribe", {})),
            (3, ("subscribe", {"channels": []})),
            (3, ("subscribe", {"channels": "trade"})),
            (4, ("update_subscription", {"action": "add_markets"})),
            (4, ("unsubscribe", {})),
            (4, ("unsubscribe", {"sids": []})),
            (5, {"cmd": "dance"}),
            (5, {"id": 3}),
            (5, {"cmd": ["subscribe"]}),
            (7, ("update_subscription", {"sids": [9], "action": "add_markets"})),
            (7, ("unsubscribe", {"sids": [9]})),
            (8, ("subscribe", {"channels": ["trade", "multivariate"]})),
            (8, ("subscribe", {"channels": ["ticker_v2"]})),
            (11, ("subscribe", book | {"market_ticker": ticker, "market_tickers": [ticker]})),
            (11, ("subscribe", book | {"market_ids": ["x"]})),
            (11, ("subscribe", book | {"market_tickers": "x"})),
            (11, ("subscribe", book | {"market_tickers": [ticker, 3]})),
            (11, ("subscribe", {"channels": [1]})),
            (11, ("subscribe", book | {"market_ticker": ticker, "use_yes_price": 1})),
            (11, ("unsubscribe", {"sids": ["1"]})),
            (12, ("update_subscription", {"sid": 1, "sids": [1]})),
            (12, ("update_subscription", {"sids": [1, 2]})),
            (13, ("update_subscription", update | {"action": "explode"})),
            (13, ("update_subscription", update | {"action": 5})),
            (14, ("subscribe", book)),
            (14, ("subscribe", book | {"market_tickers": []})),
            (14, ("update_subscription", update)),
            (14, ("update_subscription", update | {"action": "delete_markets"})),
            (14, ("update_subscription", update | {"action": "get_snapshot"})),
            (15, ("update_subscription", {"sids": [1]})),
            (26, ("subscribe", book | {"market_tickers": self.tickers[:4]})),
            (26, ("update_subscription", update | {"market_tickers": self.tickers[:4]})),
        ]
        for code, command in cases:
            answer = (
                self.client.ask(command[0], **command[1]) if isinstance(command, tuple) else self.client.say(command)
            )
            self.assertEqual((codes(answer), len(answer)), ([code], 1), command)

    def test_error_about_a_sid_takes_a_number(self) -> None:
        """sid and seq are in it, and the next message counts on; an error about nothing has neither."""
        (error,) = self.client.update("explode", self.tickers[1])
        self.assertEqual((error["sid"], error["seq"]), (1, 2))
        self.assertNotIn("sid", self.client.say(b"?")[0])
        self.assertEqual(self.client.update("add_markets", self.tickers[1])[0]["seq"], 3)

    def test_get_snapshot_off_the_books_is_13(self) -> None:
        """On a sid of another channel, with that sid and a seq."""
        self.client.ask("subscribe", channels=["trade"])
        (error,) = self.client.ask(
            "update_subscription", sids=[2], action="get_snapshot", market_tickers=[self.tickers[0]]
        )
        self.assertEqual((error["msg"]["code"], error["sid"], error["seq"]), (13, 2, 1))

    def test_nothing_is_held_after_a_refusal(self) -> None:
        """26 leaves the subscription as it was."""
        self.client.update("add_markets", *self.tickers[:4])
        self.assertEqual(self.exchange.subscribed(), {self.tickers[0]: [1]})

    def test_a_ticker_named_twice_counts_once(self) -> None:
        """Four names of two markets fit into a limit of three."""
        self.assertEqual(codes(self.client.update("add_markets", *self.tickers[1:3] * 2)), [])

    def test_zero_counts_as_no_id(self) -> None:
        """A reply to id 0 has no id."""
        self.assertEqual(
            self.client.say({"id": 0, "cmd": "list_subscriptions"}),
            [{"type": "ok", "msg": [{"channel": "orderbook_delta", "sid": 1}]}],
        )

    def test_unauthenticated_session_gets_9(self) -> None:
        """Every channel needs a signed upgrade."""
        self.assertEqual(codes(Client(self.exchange, authenticated=False).ask("subscribe", channels=["trade"])), [9])

    def test_too_many_commands_a_second_get_27(self) -> None:
        """The limit is per second: the next second starts anew."""
        exchange = Exchange(markets=10, now=NOW, limits=Limits(commands_per_second=2))
        client = Client(exchange)
        answers = [codes(client.books(self.tickers[0])) for _ in range(3)]
        self.assertEqual(answers, [[], [], [27]])
        exchange.advance(NOW + 1)
        self.assertEqual(codes(client.books(self.tickers[0])), [])

    def test_private_channels_subscribe_and_stay_quiet(self) -> None:
        """A client that also wants its fills is accepted."""
        self.assertEqual(kinds(self.client.ask("subscribe", channels=["fill", "user_orders"])), ["subscribed"] * 2)

    def test_trades_by_market_id(self) -> None:
        """ticker and trade take market ids; an unknown one is accepted in silence."""
        market = self.exchange.market(self.tickers[2])
        self.client.ask("subscribe", channels=["ticker"], market_ids=[market.market_id, "zz"])
        (ack,) = self.client.ask("subscribe", channels=["ticker"], market_ids=["00000000-0000-4000-8000-0000ffffffff"])
        self.assertEqual(ack["msg"]["market_tickers"], [market.ticker, "zz", "00000000-0000-4000-8000-0000ffffffff"])
