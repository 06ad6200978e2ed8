"""What is true for any commands and any changes of markets."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.feed.lifecycle import LifecycleError
from gatherer.simulator.feed.publisher import Limits
from tests.simulator.rig import NOW, Client, Replica

PLACES = st.lists(st.integers(0, 13), min_size=1, max_size=6)
COMMANDS = st.one_of(
    st.tuples(st.just("books"), PLACES, st.booleans()),
    st.tuples(st.sampled_from(["add_markets", "delete_markets", "get_snapshot"]), PLACES, st.integers(0, 4)),
    st.tuples(st.just("global"), st.sampled_from(["trade", "ticker", "market_lifecycle_v2", "nonsense"])),
    st.tuples(st.just("unsubscribe"), st.integers(0, 4)),
    st.tuples(st.just("noise"), st.sampled_from([b"", b"{}", b"[1]", b'{"id":5,"cmd":"subscribe"}'])),
    st.tuples(st.just("emit"), st.integers(1, 40)),
    st.tuples(
        st.sampled_from(["pause_market", "resume_market", "close_market", "determine_market", "settle_market"]),
        st.integers(0, 11),
    ),
    st.tuples(st.just("later"), st.integers(0, 3_600)),
    st.tuples(st.just("turn")),
)


class Play:
    """A client and an exchange that carry out random steps."""

    def __init__(self) -> None:
        self.clock = Clock()
        limits = Limits(snapshots_per_turn=3)
        self.exchange = Exchange(markets=12, now=NOW, multivariate=0, clock=self.clock, limits=limits)
        self.tickers = [*self.exchange.active_tickers(), "KXNONE-1", "KXNONE-2"]
        self.client = Client(self.exchange)

    def do(self, name: str, *arguments: Any) -> None:
        """Carry out one step."""
        if name == "books":
            self.client.books(*self._named(arguments[0]), skip_ticker_ack=arguments[1])
        elif name in ("add_markets", "delete_markets", "get_snapshot"):
            named = self._named(arguments[0])
            self.client.ask("update_subscription", sids=[arguments[1]], action=name, market_tickers=named)
        elif name == "global":
            self.client.ask("subscribe", channels=[arguments[0]])
        elif name == "unsubscribe":
            self.client.ask("unsubscribe", sids=[arguments[0]])
        elif name == "noise":
            self.client.say(arguments[0])
        else:
            self._happen(name, *arguments)

    def _happen(self, name: str, *arguments: int) -> None:
        if name == "emit":
            self.exchange.emit(*arguments)
        elif name == "later":
            self.exchange.advance(self.exchange.now + arguments[0])
        elif name == "turn":
            self.clock.advance(0)
        else:
            try:
                getattr(self.exchange, name)(self.tickers[arguments[0]])
            except LifecycleError:
                return

    def _named(self, places: list[int]) -> list[str]:
        return [self.tickers[place] for place in places]

    def messages(self) -> list[Any]:
        """All messages of the client, after the queued snapshots have come."""
        self.clock.pump([0] * 10)
        assert not self.clock.getDelayedCalls()
        self.client._read = 0
        return self.client.fresh()


class AnyOrderTests(SynchronousTestCase):
    @settings(max_examples=120, deadline=None)
    @given(st.lists(COMMANDS, max_size=25))
    def test_numbers_of_a_sid_are_consecutive_from_one(self, steps: list[Any]) -> None:
        """Control messages counted; ticker data has no number; sids are never used twice."""
        play = Play()
        for step in steps:
            play.do(*step)
        last: dict[int, int] = {}
        for message in play.messages():
            if message["type"] == "ticker":
                self.assertNotIn("seq", message)
            elif "seq" in message:
                self.assertEqual(message["seq"], last.get(message["sid"], 0) + 1, message)
                last[message["sid"]] = message["seq"]

    @settings(max_examples=120, deadline=None)
    @given(st.lists(COMMANDS, max_size=25))
    def test_book_is_snapshot_plus_deltas(self, steps: list[Any]) -> None:
        """A client's copy of every live held market is the exchange's own book; no delta precedes its snapshot."""
        play = Play()
        for step in steps:
            play.do(*step)
        replica = Replica()
        for message in play.messages():
            replica.apply(message)
        for ticker in play.exchange.subscribed():
            known = ticker in play.tickers[:12]
            if known and play.exchange.market(ticker).status not in ("determined", "finalized"):
                self.assertEqual(replica.book(ticker), play.exchange.book(ticker))

    @settings(max_examples=60, deadline=None)
    @given(
        st.binary(max_size=60)
        | st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.text(max_size=8)
            | st.sampled_from(["subscribe", "cmd", "params"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["id", "cmd", "params", "channels", "sids", "sid", "action", "market_tickers"]),
                    inner,
                    max_size=5,
                )
            ),
            max_leaves=12,
        )
    )
    def test_no_frame_can_break_a_session(self, frame: Any) -> None:
        """Whatever a client sends is answered by at most errors, and the session goes on."""
        client = Client(Exchange(markets=3, now=NOW))
        try:
            answer = client.say(frame)
        except TypeError:  # an integer too large for the encoder of the test
            return
        self.assertTrue(all(message["type"] == "error" for message in answer))
        self.assertEqual(len(client.ask("list_subscriptions")), 1)

    def test_same_seed_same_bytes(self) -> None:
        """Two exchanges with the same seed and calls send the same bytes."""

        def story(seed: int) -> list[bytes]:
            exchange = Exchange(markets=40, seed=seed, now=NOW, churn=5.0)
            client = Client(exchange)
            client.books(*exchange.active_tickers())
            client.ask("subscribe", channels=["trade", "ticker", "market_lifecycle_v2"])
            for second in range(10):
                exchange.advance(NOW + second)
                exchange.emit(50)
            return client.raw

        self.assertEqual(story(3), story(3))
        self.assertNotEqual(story(3), story(4))
