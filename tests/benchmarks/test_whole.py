"""The whole service is measured against a stand-in that speaks the exchange's protocol as far as it is asked."""

import json
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from benchmarks import capture, idle
from benchmarks.load.exchange import Exchange
from benchmarks.load.live import Live
from benchmarks.load.peer import Plain
from benchmarks.load.process import Generator
from benchmarks.load.wire import CLOSE, PING
from benchmarks.turntimes import LateBeats, TimedPoller, timed_turns
from gatherer.core.wire.frames import scan


class FakePeer:
    """A socket that takes everything."""

    def __init__(self) -> None:
        self.layer = Plain()
        self.waiting = memoryview(b"")


class FakeServer:
    """Keeps what would be sent."""

    def __init__(self, *peers: FakePeer) -> None:
        self.open: list[Any] = list(peers)
        self.sent: dict[Any, bytes] = dict.fromkeys(peers, b"")
        self.said: Any = None

    def send(self, peer: Any, data: bytes) -> None:
        """See `Server`."""
        self.sent[peer] += data

    def texts(self, peer: Any) -> list[dict[str, Any]]:
        """The messages sent to a peer since the last look, decoded."""
        found: list[bytes] = []
        data, self.sent[peer] = self.sent[peer], b""
        assert scan(data, 1 << 20, found) == len(data)
        return [json.loads(text) for text in found]


class FakePoller:
    """As much as is used of `select.epoll`."""

    closed = False

    def poll(self, seconds: float) -> list[float]:
        """Does not wait."""
        return [seconds]


class ExchangeTests(SynchronousTestCase):
    """The stand-in's answers."""

    def setUp(self) -> None:
        self.one, self.other = FakePeer(), FakePeer()
        self.server = FakeServer(self.one, self.other)
        server: Any = self.server
        self.exchange = Exchange(server, 10)
        self.tickers = [row["ticker"] for row in self.get("/trade-api/v2/markets?status=open")["markets"]]

    def get(self, target: str) -> Any:
        """One REST request."""
        self.server.said(self.one, [b"GET %b HTTP/1.1" % target.encode()], [])
        data, self.server.sent[self.one] = self.server.sent[self.one], b""
        return json.loads(data.partition(b"\r\n\r\n")[2])

    def ask(self, cmd: str, peer: Any = None, **params: Any) -> list[dict[str, Any]]:
        """One command, and what it brings."""
        peer = peer or self.one
        self.server.said(peer, [], [(1, json.dumps({"id": 7, "cmd": cmd, "params": params}).encode())])
        return self.server.texts(peer)

    def subscribe(self, peer: Any, tickers: list[str]) -> list[dict[str, Any]]:
        """Order books of some markets."""
        return self.ask("subscribe", peer, channels=["orderbook_delta"], market_tickers=tickers)

    def test_every_number_is_used_once(self) -> None:
        """Snapshots, acknowledgements and deltas of a socket are numbered from 1 without a gap."""
        texts = self.subscribe(self.one, self.tickers[:2])
        self.assertEqual([text["type"] for text in texts], ["subscribed"] + ["orderbook_snapshot"] * 2)
        texts += self.ask("update_subscription", sids=[1], action="add_markets", market_tickers=self.tickers[2:4])
        self.exchange.deltas(50)
        texts += self.server.texts(self.one)
        texts += self.ask("update_subscription", sids=[1], action="get_snapshot", market_tickers=self.tickers[:1])
        self.assertEqual(texts[-1]["id"], 7)
        texts += self.ask("update_subscription", sids=[1], action="delete_markets", market_tickers=self.tickers[:1])
        texts += self.ask("unsubscribe", sids=[1])
        self.assertEqual([text["seq"] for text in texts[1:]], list(range(1, len(texts))))

    def test_deltas_are_of_subscribed_markets(self) -> None:
        """Each socket gets changes of its own markets only, and not of one it has given up."""
        self.subscribe(self.one, self.tickers[:2])
        self.subscribe(self.other, self.tickers[2:5])
        self.ask("update_subscription", self.other, sids=[1], action="delete_markets", market_tickers=self.tickers[4:5])
        self.exchange.deltas(300)
        self.assertEqual(self.exchange.sent, 300)
        self.assertEqual(self.exchange.subscribed, 4)
        for peer, markets in ((self.one, self.tickers[:2]), (self.other, self.tickers[2:4])):
            texts = self.server.texts(peer)
            self.assertEqual({text["msg"]["market_ticker"] for text in texts}, set(markets))

    def test_a_full_socket_gets_no_more(self) -> None:
        """What a client that is behind does not get is not counted as sent."""
        self.subscribe(self.one, self.tickers[:1])
        self.one.waiting = memoryview(bytes(2 << 20))
        self.exchange.deltas(10)
        self.assertEqual((self.exchange.sent, self.exchange.waiting), (0, 2 << 20))

    def test_global_channels_are_acknowledged(self) -> None:
        """A channel without markets is live at once."""
        (text,) = self.ask("subscribe", channels=["ticker"])
        self.assertEqual(text, {"id": 7, "type": "subscribed", "msg": {"channel": "ticker", "sid": 1}})

    def test_rest(self) -> None:
        """Lists come in pages, by status or by name; nothing is yet to open."""
        page = self.get("/trade-api/v2/markets?status=open&limit=4&cursor=8")
        self.assertEqual(([row["ticker"] for row in page["markets"]], page["cursor"]), (self.tickers[8:], ""))
        self.assertEqual(self.get("/trade-api/v2/markets?status=open&limit=4")["cursor"], "4")
        self.assertEqual(self.get("/trade-api/v2/markets?status=unopened")["markets"], [])
        named = self.get(f"/trade-api/v2/markets?tickers={self.tickers[3]}")["markets"]
        self.assertEqual([row["ticker"] for row in named], [self.tickers[3]])
        self.assertEqual(self.get(f"/trade-api/v2/markets/{self.tickers[3]}")["market"]["status"], "active")
        self.assertTrue(self.get("/trade-api/v2/exchange/status")["exchange_active"])

    def test_closing_is_answered(self) -> None:
        """A socket that says goodbye is answered and gets no more changes."""
        self.subscribe(self.one, self.tickers[:1])
        self.server.said(self.one, [], [(CLOSE, b"\x03\xe8")])
        self.assertEqual(self.server.sent[self.one], bytes((0x80 | CLOSE, 2)) + b"\x03\xe8")
        self.exchange.deltas(5)
        self.assertEqual(self.exchange.sent, 0)

    def test_heartbeats_are_due_after_ten_seconds(self) -> None:
        """A socket just opened gets no ping yet; one whose time has come gets one."""
        for now in (100.0, 109.9):
            self.exchange.heartbeat(now)
            self.assertEqual(self.server.sent[self.one], b"")
        self.exchange.heartbeat(110.0)
        self.assertEqual(self.server.sent[self.one], bytes((0x80 | PING, 9)) + b"heartbeat")


class TurnTests(SynchronousTestCase):
    """How long turns take is seen on every reactor."""

    def test_a_poller_is_watched_and_put_back(self) -> None:
        """What the reactor polls with is its own again afterwards."""

        poller = FakePoller()
        reactor = SimpleNamespace(_poller=poller)
        with timed_turns(reactor) as turns:
            self.assertIsInstance(turns, TimedPoller)
            self.assertEqual(reactor._poller.poll(3), [3])
            self.assertFalse(reactor._poller.closed)
            self.assertGreater(turns.longest, 0.0)
        self.assertIs(reactor._poller, poller)

    def test_beats_are_late_after_a_long_turn(self) -> None:
        """Without a poller, a turn of a second is seen, and no timer is left."""
        clock = Clock()
        with timed_turns(clock) as turns:
            self.assertIsInstance(turns, LateBeats)
            clock.advance(1.0)
            self.assertAlmostEqual(turns.longest, 0.995)
        self.assertEqual(clock.getDelayedCalls(), [])


class VerdictTests(SynchronousTestCase):
    """Which rates count as held."""

    def verdict(self, sent: int, received: int, dropped: int = 0, waiting: int = 0) -> str:
        """Of 1,000 a second when 10,000 were due."""
        before, after = [capture.Look(at, 0.0, 0.0, 0, 0, lost, 0, 0) for at, lost in ((0.0, 5), (10.0, 5 + dropped))]
        told = {"due": 10_000, "sent": sent, "waiting": waiting, "busy": 0.5}
        return capture.Result(1000, before, after, told, received, 0.0).verdict

    def test_everything_taken_is_held(self) -> None:
        """A quarter of a second's messages may be under way."""
        self.assertEqual(self.verdict(10_000, 9_750), "yes")

    def test_losses_and_backlogs_are_not_held(self) -> None:
        """One message dropped, sockets that run full, and messages the sockets never got are each enough."""
        self.assertEqual(self.verdict(10_000, 10_000, dropped=1), "no")
        self.assertEqual(self.verdict(10_000, 9_749), "no")
        self.assertEqual(self.verdict(9_000, 9_000, waiting=1), "no")

    def test_a_slow_generator_proves_nothing(self) -> None:
        """What was not sent although the sockets were free says nothing of the service."""
        self.assertEqual(self.verdict(9_000, 9_000), "not sent")


class WholeTests(TestCase):
    """The service of both benchmarks runs, on loopback."""

    timeout = 30

    def with_generator(self, measure: Any, options: Any, *more: Any) -> Deferred[Any]:
        """Measure in this reactor."""
        from twisted.internet import reactor

        generator = Generator(Live(options.markets))
        self.addCleanup(generator.__exit__)
        return Deferred.fromCoroutine(measure(reactor, generator, options, *more))

    def test_capture(self) -> Deferred[None]:
        """1,000 changes a second on eight connections are held, and every column has its figure."""
        told: list[str] = []
        options = capture.parse(["--rates", "1000", "--seconds", "0.5", "--markets", "20", "--connections", "8"])

        def check(results: list[capture.Result]) -> None:
            (result,) = results
            self.assertEqual(len(told), 1)
            self.assertEqual(len(list(result.cells())), len(capture.COLUMNS))
            self.assertEqual(result.dropped, 0)
            self.assertGreater(result.received, 0)

        return self.with_generator(capture.measure, options, told.append).addCallback(check)

    def test_idle(self) -> Deferred[None]:
        """Eight connections that get nothing are measured, and every column has its figure."""
        options = idle.parse(["--seconds", "0.2", "--markets", "20", "--connections", "8"])

        def check(row: list[str]) -> None:
            self.assertEqual(len(row), len(idle.COLUMNS))

        return self.with_generator(idle.measure, options).addCallback(check)
