"""Frozen, silent, or just a quiet night."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.health import stale_feed as feedwatch
from gatherer.core.health.stale_feed import Feed, Flow, StaleFeedDetector
from gatherer.values import Role

AFTER = 120.0
STEP = 5.0


class Pool:
    """Pairs of everything and four connections for books; `run` lets them speak at their rates."""

    def __init__(self, markets: int = 7500) -> None:
        self.now = 0.0
        self.watch = StaleFeedDetector(AFTER)
        roles = [Role.TICKER] * 2 + [Role.TRADE] * 2 + [Role.LIFECYCLE] * 2 + [Role.ORDERBOOK] * 4
        self.flows = {
            conn_id: Flow(conn_id, role, True, 0, 0 if role.is_global else markets)
            for conn_id, role in enumerate(roles, 1)
        }
        self.rates = dict.fromkeys(self.flows, 0.0)
        self.paused = False
        self.feed = Feed()

    def change(self, conn_id: int, **fields: Any) -> None:
        """Another state or number of markets."""
        flow = self.flows[conn_id]
        facts = {name: getattr(flow, name) for name in ("conn_id", "role", "live", "messages", "markets")}
        self.flows[conn_id] = Flow(**{**facts, **fields})

    def speak(self, role: Role, rate: float) -> None:
        """So many messages a second on each connection of a role."""
        self.rates.update({conn_id: rate for conn_id, flow in self.flows.items() if flow.role is role})

    def run(self, seconds: float) -> list[Feed]:
        """What every look found."""
        feeds = []
        for _ in range(int(seconds / STEP)):
            before = self.now
            self.now += STEP
            for conn_id, rate in self.rates.items():
                new = int(self.now * rate) - int(before * rate)
                self.change(conn_id, messages=self.flows[conn_id].messages + new)
            self.feed = self.watch.look(self.now, self.flows.values(), self.paused)
            feeds.append(self.feed)
        return feeds


class FeedWatchTests(SynchronousTestCase):
    """FeedWatch.look."""

    def setUp(self) -> None:
        self.pool = Pool()
        self.pool.speak(Role.TICKER, 50.0)
        self.pool.speak(Role.TRADE, 5.0)
        self.pool.speak(Role.ORDERBOOK, 20.0)
        self.pool.run(600)
        self.assertEqual((self.pool.feed.frozen, self.pool.feed.silent), ((), ()))

    def silence(self, *roles: Role) -> None:
        """These say nothing any more."""
        for role in roles or Role:
            self.pool.speak(role, 0.0)

    def red_after(self, most: float) -> float | None:
        """Seconds until a look finds it frozen."""
        begin = self.pool.now
        while self.pool.now < begin + most:
            if self.pool.run(STEP)[-1].frozen:
                return self.pool.now - begin
        return None

    def test_all_silent_is_frozen_in_time(self) -> None:
        """Red within `frozen_after` and two looks, not before; green with the first look after a message."""
        self.silence()
        found = self.red_after(300)
        assert found is not None
        self.assertTrue(AFTER <= found <= AFTER + 2 * STEP, found)
        self.assertIn("ticker and orderbook_delta", self.pool.feed.frozen[0])
        self.pool.speak(Role.TICKER, 1.0)
        self.assertEqual(self.pool.run(STEP)[-1].frozen, ())

    def test_one_message_a_minute_is_no_freeze(self) -> None:
        """A night so quiet that a ticker comes every minute and a delta every quarter of an hour."""
        self.silence()
        self.pool.rates[1] = self.pool.rates[2] = 1 / 60
        self.pool.rates[9] = 1 / 900
        self.assertEqual({feed.frozen for feed in self.pool.run(8 * 3600)}, {()})

    def test_a_frozen_channel_is_told_by_the_other(self) -> None:
        """Books without a delta while tickers come, and the other way round, are frozen and named."""
        for missing, other in ((Role.ORDERBOOK, Role.TICKER), (Role.TICKER, Role.ORDERBOOK)):
            self.setUp()
            self.silence(missing)
            self.assertIsNotNone(self.red_after(AFTER + 2 * STEP))
            self.assertTrue(self.pool.feed.frozen[0].startswith(f"{missing.value} is frozen"), self.pool.feed)
            self.assertIn(other.value, self.pool.feed.frozen[0])

    def test_little_of_the_other_proves_nothing(self) -> None:
        """At night, a ticker every ten seconds and no delta for a quarter of an hour are no freeze yet."""
        self.silence()
        self.pool.speak(Role.TICKER, 0.05)
        self.assertIsNone(self.red_after(900))

    def test_without_markets_books_are_not_missed(self) -> None:
        """As long as no book is held, tickers are enough."""
        self.silence(Role.ORDERBOOK)
        for conn_id in (7, 8, 9, 10):
            self.pool.change(conn_id, markets=0)
        self.assertIsNone(self.red_after(3600))

    def test_a_pause_is_silent_and_its_end_begins_anew(self) -> None:
        """Hours of silence while the exchange rests are nothing; after it, silence has the full time again."""
        self.silence()
        self.pool.paused = True
        self.assertEqual({feed.frozen for feed in self.pool.run(7200)}, {()})
        self.pool.paused = False
        found = self.red_after(300)
        assert found is not None
        self.assertTrue(AFTER - STEP <= found <= AFTER + 2 * STEP, found)

    def test_one_of_a_pair_is_named(self) -> None:
        """A twin that says nothing while the other speaks is named after a minute, and nothing is frozen."""
        self.pool.rates[4] = 0.0
        self.assertEqual({feed.silent for feed in self.pool.run(feedwatch.TWIN_SILENT - STEP)}, {()})
        feed = self.pool.run(3 * STEP)[-1]
        self.assertEqual((len(feed.silent), feed.frozen), (1, ()))
        self.assertTrue(feed.silent[0].startswith("trade-4 sent nothing"), feed)
        self.pool.change(4, live=False)
        self.assertEqual(self.pool.run(600)[-1].silent, ())
        self.pool.change(4, live=True)
        self.assertEqual(self.pool.run(STEP)[-1].silent, ())

    def test_a_full_connection_is_named_for_what_its_share_would_be(self) -> None:
        """7,500 markets without a message are suspicious on a busy day; 3 markets, or a quiet night, are not."""
        self.pool.rates[8] = 0.0
        feed = self.pool.run(400)[-1]
        self.assertEqual((len(feed.silent), feed.frozen), (1, ()))
        self.assertTrue(feed.silent[0].startswith("orderbook_delta-8 "), feed)
        self.setUp()
        self.pool.rates[8] = 0.0
        self.pool.change(8, markets=3)
        self.assertEqual(self.pool.run(3600)[-1].silent, ())
        self.setUp()
        self.pool.speak(Role.ORDERBOOK, 0.05)
        self.pool.rates[8] = 0.0
        self.assertEqual(self.pool.run(3600)[-1].silent, ())

    def test_trades_are_missed_late(self) -> None:
        """Both trade connections silent: a warning after a quarter of an hour of many tickers, never a freeze."""
        self.silence(Role.TRADE)
        self.assertEqual({feed.silent for feed in self.pool.run(feedwatch.TRADES_SILENT - STEP)}, {()})
        feed = self.pool.run(3 * STEP)[-1]
        self.assertEqual((len(feed.silent), feed.frozen), (1, ()))
        self.assertTrue(feed.silent[0].startswith("no trade"), feed)

    def test_never(self) -> None:
        """0 turns the freeze off."""
        self.pool.watch = StaleFeedDetector(0.0)
        self.silence()
        self.assertIsNone(self.red_after(3600))

    def test_no_connection_at_all_is_no_freeze(self) -> None:
        """What is not live cannot be frozen: others tell of it."""
        for conn_id in self.pool.flows:
            self.pool.change(conn_id, live=False)
        self.assertIsNone(self.red_after(3600))
        self.assertEqual(self.pool.feed.quiet, ())

    @given(st.lists(st.tuples(st.sampled_from(range(1, 11)), st.booleans(), st.integers(0, 50)), max_size=60))
    def test_quiet_is_never_negative_and_live_roles_only(self, steps: list[tuple[int, bool, int]]) -> None:
        """Whatever comes and goes, each role with a live connection has its seconds, and no other."""
        pool = Pool()
        for conn_id, live, more in steps:
            pool.change(conn_id, live=live, messages=pool.flows[conn_id].messages + more)
            pool.run(STEP)
            self.assertEqual({role for role, _ in pool.feed.quiet}, {f.role for f in pool.flows.values() if f.live})
            self.assertTrue(all(seconds >= 0 for _, seconds in pool.feed.quiet))
