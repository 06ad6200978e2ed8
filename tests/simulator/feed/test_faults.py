"""Every scripted fault, and that nothing else fails."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.errors import ConfigError
from gatherer.simulator.exchange import Exchange
from gatherer.simulator.fault_options import FAULTS, parse_fault, usage
from gatherer.simulator.feed.faults import Faults
from tests.simulator.rig import NOW, Client, codes, kinds


class SocketFaultTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.exchange = Exchange(markets=10, now=NOW, clock=self.clock)
        self.faults = self.exchange.faults
        self.a, self.b, *_ = self.exchange.active_tickers()
        self.cuts: list[int] = []
        self.clients = [
            Client(self.exchange, cut=lambda number=number: self.cuts.append(number)) for number in (1, 2, 3)
        ]
        self.client = self.clients[0]

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cut_takes_so_many_sockets(self) -> None:
        """Two of three at random, or the one that is named; their sessions are over."""
        self.faults.cut(session=2)
        self.assertEqual((self.cuts, sorted(self.exchange.sessions)), ([2], [1, 3]))
        self.faults.cut(count=5)
        self.assertEqual((sorted(self.cuts), self.exchange.sessions), ([1, 2, 3], {}))

    def test_half_open_socket_neither_hears_nor_sends(self) -> None:
        """No reply, no data, no on_sent; the exchange keeps the subscription."""
        self.client.books(self.a)
        sent: list[int] = []
        self.exchange.on_sent = lambda session, payload: sent.append(session)
        self.faults.half_open(session=1)
        self.assertEqual(self.client.books(self.b), [])
        self.exchange.emit(50)
        self.assertEqual((self.client.fresh(), sent), ([], []))
        self.assertEqual(self.exchange.subscribed(), {self.a: [1]})

    def test_a_frozen_feed_sends_no_data(self) -> None:
        """No delta, trade, ticker or event for so long, but replies and books; then it goes on with the next number."""
        self.client.books(self.a)
        self.client.ask("subscribe", channels=["trade", "ticker", "market_lifecycle_v2"])
        self.faults.freeze(60.0)
        self.assertEqual(self.exchange.emit(50), 0)
        self.exchange.create_market()
        self.assertEqual(self.client.fresh(), [])
        self.assertEqual(
            [(one["type"], one["seq"]) for one in self.client.update("add_markets", self.b)],
            [("ok", 2), ("orderbook_snapshot", 3)],
        )
        self.exchange.advance(NOW + 60.0)
        self.client.fresh()
        self.assertGreater(self.exchange.emit(50), 0)
        news = self.client.fresh()
        self.assertEqual({one["type"] for one in news}, {"orderbook_delta", "trade", "ticker"})
        self.assertEqual(next(one["seq"] for one in news if one["type"] == "orderbook_delta"), 4)

    def test_a_frozen_socket(self) -> None:
        """The one that is named, or so many, are frozen; the others hear everything."""
        for client in self.clients:
            client.ask("subscribe", channels=["ticker"])
        self.faults.freeze(60.0, session=2)
        self.exchange.emit(50)
        self.assertEqual([bool(client.fresh()) for client in self.clients], [True, False, True])
        self.faults.freeze(60.0, count=3)
        self.assertEqual(self.exchange.emit(50), 0)

    def test_a_command_takes_effect_although_its_reply_is_lost(self) -> None:
        """The command takes effect, its data comes, only the answer is missing; the next one is answered."""
        self.faults.lose_replies(times=2)
        self.assertEqual(kinds(self.client.books(self.a)), ["orderbook_snapshot"])
        self.assertEqual(
            [(one["type"], one["seq"]) for one in self.client.update("add_markets", self.b)],
            [("orderbook_snapshot", 2)],
        )
        self.assertEqual(self.client.update("delete_markets", self.b)[0]["seq"], 3)

    def test_late_reply_takes_its_number_when_it_comes(self) -> None:
        """Books at once, `ok` after the delay, with the number that is then due."""
        self.client.books(self.a)
        self.faults.late_replies(times=1, seconds=7.5)
        self.assertEqual([one["seq"] for one in self.client.update("add_markets", self.b)], [2])
        self.clock.advance(7.4)
        self.assertEqual(self.client.fresh(), [])
        self.clock.advance(0.2)
        self.assertEqual([(one["type"], one["seq"]) for one in self.client.fresh()], [("ok", 3)])

    def test_reply_delay_lasts_until_it_is_ended(self) -> None:
        """All replies come late, errors too; books come at once; 0 ends it."""
        self.faults.reply_delay(6.0)
        self.assertEqual(kinds(self.client.books(self.a)), ["orderbook_snapshot"])
        self.assertEqual(self.client.ask("dance"), [])
        self.clock.advance(6.0)
        self.assertEqual(kinds(self.client.fresh()), ["subscribed", "error"])
        self.faults.reply_delay(0.0)
        self.assertEqual(kinds(self.client.ask("list_subscriptions")), ["ok"])

    def test_clear_drops_what_waits(self) -> None:
        """After it replies, numbers, upgrades and REST answers are normal; a half-open socket stays half-open."""
        self.faults.half_open(session=2)
        self.faults.reply_delay(6.0)
        for fault in ("lose_replies", "late_replies", "skip_seq", "repeat_seq", "refuse_upgrade", "rest_short"):
            getattr(self.faults, fault)()
        self.faults.garbage("json")
        self.faults.error(18)
        self.faults.rest_status(503)
        self.faults.clear()
        self.assertEqual([one.get("seq") for one in self.client.books(self.a)], [None, 1])
        self.assertEqual((self.faults.next_upgrade(), self.faults.next_rest_status()), (None, None))
        self.assertFalse(self.faults.next_rest_short())
        self.assertTrue(self.clients[1].session.is_half_open)

    def test_late_replies_are_forgotten_with_the_exchange(self) -> None:
        """cancel_delayed leaves no timer."""
        self.faults.late_replies()
        self.client.books(self.a)
        self.exchange.cancel_delayed()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_scripted_errors_answer_commands(self) -> None:
        """Code by code, with the sid where there is one; the command is not carried out."""
        self.client.books(self.a)
        for code in (18, 26, 27):
            self.faults.error(code)
            (error,) = self.client.update("add_markets", self.b)
            self.assertEqual((error["msg"]["code"], error["sid"]), (code, 1))
        self.assertEqual(self.exchange.subscribed(), {self.a: [1]})
        self.assertEqual(codes(self.client.update("add_markets", self.b)), [])

    def test_error_after_the_command_took_effect(self) -> None:
        """Code 18 leaves the result unknown. With `applied` the market is held."""
        self.client.books(self.a)
        self.faults.error(18, applied=True)
        self.assertEqual(codes(self.client.update("add_markets", self.b)), [18])
        self.assertEqual(self.exchange.subscribed(), {self.a: [1], self.b: [1]})

    def test_terminal_answer_ends_the_subscription(self) -> None:
        """25 in answer to a command: the sid is gone, a subscribe gets a new one."""
        self.client.books(self.a)
        self.faults.error(25)
        self.client.update("add_markets", self.b)
        self.assertEqual(self.exchange.subscribed(), {})
        self.assertEqual(self.client.books(self.a)[0]["msg"]["sid"], 2)

    def test_terminal_error_without_a_command(self) -> None:
        """No id, the sid and its next number; other channels of the socket live on."""
        self.client.ask("subscribe", channels=["trade"])
        self.client.books(self.a)
        self.faults.terminate(25, session=1)
        self.assertEqual(
            self.client.fresh(),
            [{"type": "error", "sid": 2, "seq": 2, "msg": {"code": 25, "msg": "Subscription buffer overflow"}}],
        )
        self.assertEqual(self.client.ask("list_subscriptions")[0]["msg"], [{"channel": "trade", "sid": 1}])
        self.assertRaises(ValueError, self.faults.terminate, 26)

    def test_unsubscribed_without_a_command(self) -> None:
        """No id, the sid, a number; only sessions that have the channel are drawn."""
        self.client.books(self.a)
        self.faults.unsubscribed(count=3)
        self.assertEqual(self.client.fresh(), [{"type": "unsubscribed", "sid": 1, "seq": 2}])
        self.assertEqual([other.fresh() for other in self.clients[1:]], [[], []])

    def test_skipped_numbers(self) -> None:
        """The next two messages each skip three; then all is in order again."""
        self.client.books(self.a)
        self.faults.skip_seq(times=2, count=3)
        seqs = [self.client.update("add_markets", self.a)[0]["seq"] for _ in range(3)]
        self.assertEqual(seqs, [5, 9, 10])

    def test_repeated_number(self) -> None:
        """The next message has the number before; a sid's first message cannot."""
        self.faults.repeat_seq()
        self.assertEqual([one["seq"] for one in self.client.books(self.a, self.b)[1:]], [1, 1])
        self.assertEqual(self.client.update("add_markets", self.a)[0]["seq"], 2)

    def test_numbers_that_start_again(self) -> None:
        """The next message of a sid has the number 1 again, and the count goes on from there."""
        self.client.books(self.a)
        self.faults.restart_seq()
        seqs = [self.client.update("add_markets", self.a)[0]["seq"] for _ in range(2)]
        self.assertEqual(seqs, [1, 2])

    def test_lost_books(self) -> None:
        """The book is not sent after the subscribe, nor after a `get_snapshot`. Then it is. No number is missing."""
        self.faults.lose_books(2)
        self.assertEqual([one["type"] for one in self.client.books(self.a)], ["subscribed"])
        self.assertEqual(self.client.update("get_snapshot", self.a), [])
        self.assertEqual([one["seq"] for one in self.client.update("get_snapshot", self.a)], [1])

    def test_garbage_comes_before_the_next_messages(self) -> None:
        """Invalid JSON, an unknown type, something huge, binary: each once, then the message itself, nothing lost."""
        binary: list[bytes] = []
        client = Client(self.exchange, send_binary=binary.append)
        for kind in ("json", "unknown_type", "huge", "binary"):
            self.faults.garbage(kind)
        for _ in range(4):
            client.session.receive(b'{"id":1,"cmd":"list_subscriptions"}')
        self.assertEqual([len(one) > 1_000_000 for one in client.raw], [False, False, False, False, True, False, False])
        self.assertEqual((client.raw[0], len(binary)), (b'{"type":"orderbook_delta","sid":', 1))

    def test_garbage_now_for_one_session(self) -> None:
        """Named, it does not wait for a message."""
        self.faults.garbage("json", session=1)
        self.assertEqual((self.client.raw, self.clients[1].raw), ([b'{"type":"orderbook_delta","sid":'], []))

    def test_slow_reader_loses_its_books_or_its_socket(self) -> None:
        """overflow: error 25 for a session with books, a cut for one without."""
        self.client.books(self.a)
        self.client.session.overflow()
        self.clients[1].session.overflow()
        self.assertEqual((codes(self.client.fresh()), self.cuts), ([25], [2]))


class FaultTextTests(SynchronousTestCase):
    def test_every_fault_is_a_method(self) -> None:
        """Names and parameters of the text form are those of `Faults`."""
        samples = {"HTTP_STATUS": "503", "CODE": "18", "10|25": "25", "json|binary|unknown_type|huge": "json"}
        for name, values in FAULTS.items():
            text = ":".join(samples.get(value.meaning, "2") for value in values)
            parse_fault(f"{name}={text}").apply(Exchange(markets=1, now=NOW).faults)
            self.assertTrue(callable(getattr(Faults, name)), usage(name))

    def test_moment(self) -> None:
        """@SECONDS once, @every:SECONDS again and again, without it at the start."""
        found = [parse_fault(f"cut=3{moment}") for moment in ("", "@30", "@every:2.5")]
        self.assertEqual([(one.after, one.every) for one in found], [(0.0, False), (30.0, False), (2.5, True)])

    def test_values_reach_the_faults(self) -> None:
        """rest_status=503:2 arms two 503s; reply_delay takes 0 too."""
        faults = Exchange(markets=1, now=NOW).faults
        for seconds in ("6", "0"):
            parse_fault(f"reply_delay={seconds}").apply(faults)
            self.assertEqual(faults.next_reply_fault().delay, float(seconds))
        parse_fault("rest_status=503:2").apply(faults)
        self.assertEqual([faults.next_rest_status() for _ in range(3)], [503, 503, None])

    def test_mistakes_are_named(self) -> None:
        """The text that was wrong is in the error, and for a wrong name all the right ones are."""
        for text, said in {
            "explode=1": "there are refuse_upgrade, cut,",
            "cut": "'' cannot be SOCKETS",
            "cut=many": "'many' cannot be SOCKETS; it is written cut=SOCKETS",
            "cut=0": "'0' cannot be",
            "cut=1:2": "too many parts",
            "cut=1@soon": "'soon' cannot be after @, a number of seconds",
            "error=6": "'6' cannot be CODE",
            "terminate=26": "'26' cannot be 10|25",
            "garbage=tea": "'tea' cannot be json|binary",
            "rest_status=200": "'200' cannot be HTTP_STATUS",
            "late_replies=1:nan": "'nan' cannot be SECONDS",
        }.items():
            error = self.assertRaises(ConfigError, parse_fault, text)
            self.assertIn(said, str(error))
            self.assertIn(repr(text), str(error))
