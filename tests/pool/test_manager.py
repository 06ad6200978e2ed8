"""Tests for `gatherer.pool.manager` and all below it: what earlier systems got wrong, shown not to happen."""

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.core.wire.codec import decode_time
from gatherer.errors import StartupFailed
from gatherer.exchange.interfaces import ISessionOwner, IWebSocketClient, IWebSocketListener
from gatherer.interfaces import (
    IConnection,
    IConnectionManager,
    IConnectionOwner,
    IMarketChangeListener,
    IMarketRegistry,
)
from gatherer.values import RawMessage
from tests.support.pool import Pool


class PoolTestCase(SynchronousTestCase):
    """Ends with the check that nothing is left on the clock."""

    def pool(self, **options: Any) -> Pool:
        """A started pool."""
        pool = Pool(**options).start()
        self.addCleanup(pool.stop)
        return pool

    def assert_converged(self, pool: Pool, tickers: list[str]) -> None:
        """The exchange has exactly these, each once; we believe the same."""
        self.assertEqual(pool.subscribed(), dict.fromkeys(tickers, 1))
        status = pool.manager.status()
        self.assertEqual((status.held, status.owed, status.divergence), (len(tickers), 0, 0))


class ContractTests(PoolTestCase):
    """Interfaces hold for real parts and fakes."""

    def test_contracts(self) -> None:
        """Manager, connection, and the fakes that stand for client and registry."""
        pool = self.pool()
        for contract in (IConnectionManager, IMarketChangeListener, IConnectionOwner):
            verifyObject(contract, pool.manager)
        connection = pool.manager.connections()[0]
        for promise in (IConnection, ISessionOwner, IWebSocketListener):
            verifyObject(promise, connection)
        verifyObject(IMarketRegistry, pool.registry)
        verifyObject(IWebSocketClient, pool.clients[1])


class StartTests(PoolTestCase):
    """From nothing to live."""

    def ready(self, pool: Pool) -> Deferred[None]:
        """A Deferred that the test looks at."""
        ready: Deferred[None] = pool.manager.when_ready()
        return ready

    def test_every_connection_goes_live_in_its_role(self) -> None:
        """Global channels subscribe themselves without markets; order books wait for some."""
        pool = self.pool(pairs=2)
        self.assertEqual([c.role.value for c in pool.manager.connections()], [
            "ticker", "ticker", "trade", "trade", "market_lifecycle", "market_lifecycle",
            "orderbook_delta", "orderbook_delta", "orderbook_delta",
        ])  # fmt: skip
        self.assertTrue(all(c.is_live for c in pool.manager.connections()))
        self.successResultOf(self.ready(pool))
        sent = json.loads(pool.clients[5].commands[0])
        self.assertEqual(sent["params"], {"channels": ["market_lifecycle_v2"]})
        self.assertEqual(pool.clients[7].commands, [])

    def test_too_few_connections_are_a_clear_failure(self) -> None:
        """It names how many there are, how many are needed and what most of the others say."""
        pool = Pool(min_healthy=5)
        pool.exchange.faults.refuse_upgrade(401, times=1000)
        pool.manager.startService()
        ready = self.ready(pool)
        pool.step(61)
        text = self.failureResultOf(ready, StartupFailed).getErrorMessage()
        self.assertIn("0 of 6 connections live after 60 s, 5 needed", text)
        self.assertIn("HTTP 401", text)
        pool.stop()

    def test_one_that_refuses_at_start_recovers_later(self) -> None:
        """The others go on meanwhile; no slot stays dark."""
        pool = Pool()
        pool.exchange.faults.refuse_upgrade(503, times=4)
        pool.manager.startService()
        ready = self.ready(pool)
        pool.step()
        pool.add(pool.tickers)
        pool.step(30)
        self.successResultOf(ready)
        self.assertEqual(pool.manager.status().healthy, 6)
        self.assert_converged(pool, pool.tickers)
        pool.stop()

    def test_ready_needs_a_lifecycle_channel(self) -> None:
        """Enough sockets without it are not enough: changes of markets would be missed."""
        pool = Pool()
        pool.exchange.faults.refuse_upgrade(503, times=1)  # lifecycle dials first
        pool.manager.startService()
        ready = self.ready(pool)
        pool.step()
        self.assertNoResult(ready)
        pool.step(2)
        self.successResultOf(ready)
        pool.stop()


class SubscriptionTests(PoolTestCase):
    """Markets come and go."""

    def test_markets_are_spread_evenly(self) -> None:
        """Loads within one of each other, every market once, every book here."""
        pool = self.pool(books=4)
        pool.add(pool.tickers)
        pool.step()
        self.assert_converged(pool, pool.tickers)
        loads = [c.status().held for c in pool.manager.connections()[3:]]
        self.assertLessEqual(max(loads) - min(loads), 1)

    def test_ten_thousand_changes_in_one_turn(self) -> None:
        """None is lost, and none costs a command of its own."""
        pool = self.pool(books=2, markets=10_000)
        tickers = pool.tickers
        for ticker in tickers:
            pool.add([ticker])
        pool.remove(tickers[::2])
        pool.step()
        self.assertEqual(set(pool.subscribed()), set(tickers[1::2]))
        self.assertLess(sum(len(client.commands) for client in pool.clients.values()), 40)

    def test_commands_are_batched_lean_and_never_empty(self) -> None:
        """At most `batch_size` tickers, no market lists in acknowledgements, prices asked for explicitly."""
        pool = self.pool(books=1, markets=25, batch_size=10)
        pool.add(pool.tickers)
        pool.step()
        commands = [json.loads(data)["params"] for data in pool.clients[4].commands]
        self.assertEqual([len(params["market_tickers"]) for params in commands], [10, 10, 5])
        self.assertTrue(all(params["skip_ticker_ack"] for params in commands))
        self.assertEqual(commands[0]["use_yes_price"], False)
        self.assertEqual([params.get("action") for params in commands], [None, "add_markets", "add_markets"])

    def test_a_storm_of_adds_and_deletes_shows_no_gap(self) -> None:
        """Control messages use up numbers; data flows in between."""
        pool = self.pool(books=2, markets=40, batch_size=5)
        for round_ in range(20):
            pool.add(pool.tickers[round_::3])
            pool.exchange.emit(20)
            pool.step()
            pool.remove(pool.tickers[round_::4])
            pool.exchange.emit(20)
            pool.step()
        self.assertEqual((pool.gaps(), pool.sums()["gaps"], pool.sums()["repeats"]), ([], 0, 0))
        self.assertGreater(len(pool.messages()), 500)

    def test_the_last_market_out_ends_the_subscription(self) -> None:
        """And the next one in begins another, with numbers from 1: no gap."""
        pool = self.pool(books=1)
        pool.add(pool.tickers[:2])
        pool.step()
        pool.remove(pool.tickers[:2])
        pool.step()
        self.assertEqual((pool.subscribed(), json.loads(pool.clients[4].commands[-1])["cmd"]), ({}, "unsubscribe"))
        pool.add(pool.tickers[2:4])
        pool.exchange.emit(50)
        pool.step()
        self.assert_converged(pool, pool.tickers[2:4])
        self.assertEqual(pool.gaps(), [])

    def test_equal_sids_do_not_talk_to_each_other(self) -> None:
        """Every connection has sid 1; a delete goes to the right one, numbers do not mix."""
        pool = self.pool(books=3)
        pool.add(pool.tickers)
        pool.step()
        pool.exchange.emit(200)
        pool.remove(pool.tickers[5:6])
        pool.exchange.emit(200)
        pool.step()
        self.assert_converged(pool, pool.tickers[:5] + pool.tickers[6:])
        self.assertEqual(pool.gaps(), [])

    def test_an_emptied_book_is_asked_for_again(self) -> None:
        """REFRESH leads to `get_snapshot`, whose answers carry the command's id and go into the capture."""
        pool = self.pool(books=1)
        pool.add(pool.tickers[:3])
        pool.step()
        before = len(pool.messages())
        pool.refresh(pool.tickers[:2])
        pool.step()
        again = [json.loads(message.data) for message in pool.messages()[before:]]
        self.assertEqual([message["type"] for message in again], ["orderbook_snapshot"] * 2)
        self.assertEqual(pool.manager.status().pending, 0)

    def test_full_is_counted_and_heals(self) -> None:
        """What finds no place waits, and takes the first one that is free."""
        pool = self.pool(books=2, capacity=5)
        pool.add(pool.tickers[:12])
        pool.step()
        status = pool.manager.status()
        self.assertEqual((status.held, status.unplaced, status.divergence), (10, 2, 2))
        pool.remove(pool.tickers[:2])
        pool.step()
        self.assert_converged(pool, pool.tickers[2:12])
        self.assertEqual(pool.manager.status().unplaced, 0)

    def test_a_silent_market_is_asked_twice_and_reported(self) -> None:
        """The exchange accepts an unknown ticker; its silence is reported to the registry."""
        pool = self.pool(books=1)
        pool.add(["NOBODY-KNOWS", *pool.tickers[:2]])
        pool.step(29)
        self.assertEqual(pool.registry.silent, [])
        pool.step(40)
        self.assertEqual(pool.registry.silent, ["NOBODY-KNOWS"])
        self.assertEqual(
            [json.loads(c)["params"].get("action") for c in pool.clients[4].commands], [None, "get_snapshot"]
        )

    def test_explain_tells_one_markets_story(self) -> None:
        """Where it is, on which sid, whether its book came."""
        pool = self.pool(books=1)
        pool.add(pool.tickers[:1])
        pool.step()
        story = pool.manager.explain(pool.tickers[0])
        self.assertEqual(story["connection"]["conn_id"], 4)
        self.assertEqual((story["connection"]["held"], story["connection"]["sid"], story["unplaced"]), (True, 1, False))
        self.assertEqual((story["connection"]["command_id"], story["why_there"]), (1, "least loaded when it was added"))
        now = int(pool.clock.seconds())
        self.assertEqual((story["connection"]["acknowledged_at"], story["connection"]["book_at"]), (now, now))
        self.assertIsNone(pool.manager.explain("ELSEWHERE")["connection"])


class TroubleTests(PoolTestCase):
    """Whatever the exchange does, it ends well."""

    def full(self, **options: Any) -> Pool:
        """A pool with all markets held."""
        pool = self.pool(**options)
        pool.add(pool.tickers)
        pool.step()
        return pool

    def test_a_cut_socket_comes_back_whole(self) -> None:
        """Markets stay where they are; the new session starts its numbers anew, which is no gap."""
        pool = self.full()
        where = {t: pool.manager.explain(t)["connection"]["conn_id"] for t in pool.tickers}
        pool.exchange.emit(100)
        pool.exchange.faults.cut(3)
        pool.step(5)
        pool.exchange.emit(100)
        pool.step()
        self.assert_converged(pool, pool.tickers)
        self.assertEqual({t: pool.manager.explain(t)["connection"]["conn_id"] for t in pool.tickers}, where)
        self.assertEqual((pool.gaps(), len(pool.markers("session_down"))), ([], 3))

    def test_a_delete_after_a_reconnect_hits_the_right_market(self) -> None:
        """Nothing of the old session's sids is left."""
        pool = self.full(books=2)
        pool.exchange.faults.cut(session=pool.session_of(4).id)
        pool.remove(pool.tickers[:3])
        pool.step(5)
        pool.remove(pool.tickers[3:5])
        pool.step()
        self.assert_converged(pool, pool.tickers[5:])

    def test_markets_of_a_connection_that_stays_down_move(self) -> None:
        """After `rehome_after` the others take them, each once; the one that comes back empty gets the new ones."""
        pool = self.full(books=3, rehome_after=120.0)
        pool.exchange.faults.cut(session=pool.session_of(5).id)
        pool.exchange.faults.refuse_upgrade(503, times=8)
        pool.step(119)
        self.assertEqual(len(pool.subscribed()), 20)
        pool.step(2)
        self.assert_converged(pool, pool.tickers)
        loads = [c.status().held for c in pool.manager.connections()[3:]]
        self.assertEqual(loads, [15, 0, 15])
        ticker = next(t for t in pool.tickers if pool.manager.explain(t)["moves"])
        self.assertIn("down too long", pool.manager.explain(ticker)["moves"][0]["why"])
        pool.step(600)
        self.assertTrue(pool.manager.connections()[4].is_live)
        new = [pool.exchange.create_market() for _ in range(4)]
        pool.add(new)
        pool.step(1)
        self.assertEqual(pool.manager.connections()[4].status().held, 4)

    def test_nothing_moves_when_there_is_nowhere_to_go(self) -> None:
        """All are down: every market waits where it was, and is there again at once."""
        pool = self.full(books=2, rehome_after=60.0)
        where = {t: pool.manager.explain(t)["connection"]["conn_id"] for t in pool.tickers}
        pool.exchange.faults.refuse_upgrade(503, times=40)
        pool.exchange.faults.cut(10)
        pool.step(3600)
        self.assert_converged(pool, pool.tickers)
        self.assertEqual({t: pool.manager.explain(t)["connection"]["conn_id"] for t in pool.tickers}, where)

    def test_rehoming_can_be_turned_off(self) -> None:
        """With 0 a market keeps its connection for ever."""
        pool = self.full(books=2, rehome_after=0.0)
        pool.exchange.faults.cut(session=pool.session_of(4).id)
        pool.exchange.faults.refuse_upgrade(503, times=12)
        pool.step(900)
        self.assertEqual(len(pool.subscribed()), 15)

    def test_refused_keys_are_one_alarm(self) -> None:
        """Three 401 in a row: one critical line with the likely cause; it ends when an upgrade succeeds."""
        pool = Pool(books=20)
        pool.exchange.faults.refuse_upgrade(401, times=150)
        with capturedLogs() as events:
            pool.manager.startService()
            pool.step(10)
        alarms = [event for event in events if event["log_level"] is LogLevel.critical]
        self.assertEqual(len(alarms), 1)
        self.assertIn("HTTP 401", pool.manager.status().alarm)
        self.assertLess(sum(event["log_level"] is LogLevel.warn for event in events), 5)
        pool.step(600)
        self.assertIsNone(pool.manager.status().alarm)
        pool.stop()

    def test_a_half_open_socket_is_noticed(self) -> None:
        """Three missed pings, then it is cut and dialled again."""
        pool = self.full()
        pool.exchange.faults.half_open(session=pool.session_of(5).id)
        pool.step(25)
        self.assertEqual(pool.markers("session_down"), [])
        pool.step(15)
        self.assertIn("no ping for 30.0 s", pool.markers("session_down")[0].facts["reason"])
        self.assert_converged(pool, pool.tickers)

    def test_a_terminal_error_without_an_id(self) -> None:
        """Code 25 or 10: the subscription is made again on the same socket, marked, and no gap is seen."""
        for code in (25, 10):
            pool = self.full(books=2)
            pool.exchange.faults.terminate(code, session=pool.session_of(4).id)
            pool.step(10)
            self.assert_converged(pool, pool.tickers)
            self.assertEqual([m.facts["code"] for m in pool.markers("terminal_error")], [code])
            self.assertEqual((pool.markers("session_down"), pool.gaps()), ([], []))

    def test_an_unasked_unsubscribed(self) -> None:
        """The same as a terminal error; global channels too."""
        pool = self.full(books=1)
        pool.exchange.faults.unsubscribed(session=pool.session_of(4).id)
        pool.exchange.faults.unsubscribed(session=pool.session_of(3).id, channel="market_lifecycle_v2")
        pool.step()
        self.assertFalse(pool.manager.connections()[2].is_live)
        pool.step(5)
        self.assertTrue(pool.manager.connections()[2].is_live)
        self.assertEqual(pool.registry.missed, 1)
        self.assert_converged(pool, pool.tickers)

    def test_a_lost_reply_leaves_exactly_one_subscription(self) -> None:
        """The command took effect, its answer did not come: it is repeated, not forgotten."""
        pool = self.pool(books=2)
        pool.exchange.faults.lose_replies(2)
        pool.add(pool.tickers)
        pool.step(20)
        self.assert_converged(pool, pool.tickers)
        self.assertEqual(pool.gaps(), [])

    def test_a_late_reply_is_a_stray(self) -> None:
        """The acknowledgement comes after the timeout: counted, and still one subscription each."""
        pool = self.pool(books=1)
        pool.exchange.faults.late_replies(1, seconds=7.0)
        pool.add(pool.tickers)
        pool.step(30)
        self.assert_converged(pool, pool.tickers)
        self.assertEqual(pool.sums()["strays"], 1)

    def test_an_exchange_that_answers_nothing_is_left(self) -> None:
        """A minute without a reply to any command: a new session."""
        pool = self.pool(books=1)
        pool.exchange.faults.lose_replies(50)
        pool.add(pool.tickers)
        pool.step(59)
        self.assertEqual(pool.markers("session_down"), [])
        pool.step(6)
        self.assertEqual(len(pool.markers("session_down")), 1)
        pool.exchange.faults.clear()
        pool.step(70)
        self.assert_converged(pool, pool.tickers)

    def test_slow_is_not_dead(self) -> None:
        """Every reply takes longer than `command_timeout`. No socket is lost, and every market is held with its book.
        The deadline follows what is measured, so at last every reply is in time."""
        for delay in (5.1, 6.0, 12.0, 40.0):
            pool = Pool(books=2, batch_size=4)
            pool.exchange.faults.reply_delay(delay)
            pool.start()
            pool.add(pool.tickers)
            pool.step(delay * 30)
            self.assertEqual(pool.markers("session_down"), [])
            self.assert_converged(pool, pool.tickers)
            strays = pool.sums()["strays"]
            pool.remove(pool.tickers[:4])
            pool.add(pool.tickers[:4])
            pool.step(delay * 6)
            self.assertEqual(pool.sums()["strays"], strays)
            pool.stop()

    def test_a_slow_delete_says_since_when(self) -> None:
        """The exchange stopped sending before its answer came. The marker has the moment of the command."""
        pool = self.full(books=1)
        pool.exchange.faults.reply_delay(4.0)
        at = int(pool.clock.seconds() * 1e9)
        pool.remove(pool.tickers[:2])
        pool.step(5)
        (marker,) = pool.markers("markets_removed")
        self.assertEqual((marker.facts["since"], marker.at - at), (at, 4_000_000_000))

    def test_a_market_that_may_be_held_is_marked_at_the_end(self) -> None:
        """Its add was never answered, and it is not wanted any more. When the socket goes, the capture says that it is
        not carried: its book may have come."""
        pool = self.full(books=1)
        over = pool.tickers[0]
        pool.remove([over])
        pool.step(1)
        pool.exchange.faults.lose_replies(50)
        pool.add([over])
        pool.step(6)
        pool.remove([over])
        pool.router.records.clear()
        pool.exchange.faults.cut(session=pool.session_of(4).id)
        pool.step(0)
        self.assertEqual([m.facts["tickers"] for m in pool.markers("markets_removed")], [[over]])

    def test_books_that_never_come(self) -> None:
        """The markets are held without their book: a figure, a marker that names them, no `recovered`. When the books
        come at last, all of it ends."""
        pool = self.full(books=1)
        pool.exchange.faults.lose_books(10_000)
        pool.exchange.faults.skip_seq()
        pool.exchange.emit(20)
        pool.step(29)
        self.assertEqual((pool.manager.status().without_book, pool.markers("without_book")), (0, []))
        pool.step(2)
        marker = pool.markers("without_book")[0]
        self.assertEqual((marker.facts["count"], set(marker.facts["tickers"])), (30, set(pool.tickers)))
        pool.step(7200)
        self.assertEqual(pool.manager.status().without_book, 30)
        self.assertEqual((pool.markers("recovered"), pool.markers("session_down")), ([], []))
        self.assertEqual([gap["outcome"] for gap in pool.manager.connections()[3].gaps(0)], ["waiting"])
        pool.exchange.faults.clear()
        pool.step(700)
        self.assertEqual((pool.manager.status().without_book, len(pool.markers("recovered"))), (0, 1))
        self.assertEqual((pool.markers("without_book")[-1].facts), {"sid": 0, "count": 0, "tickers": []})
        self.assert_converged(pool, pool.tickers)

    def test_numbers_that_start_again(self) -> None:
        """The sid goes on counting from 1 without a word. That is a gap, with its marker and fresh books."""
        pool = self.full(books=1)
        pool.exchange.faults.restart_seq()
        pool.exchange.emit(40)
        pool.step(5)
        self.assertEqual((pool.gaps(), len(pool.markers("gap")), len(pool.markers("recovered"))), ([1], 1, 1))

    def test_every_error_code_ends_well(self) -> None:
        """Applied or not, known or retired or unknown: once errors stop, every market is there."""
        for code in (1, 2, 5, 7, 8, 9, 10, 11, 13, 14, 16, 17, 18, 25, 26, 27, 99):
            for applied in (False, True):
                pool = Pool(books=2, batch_size=8)
                pool.start()
                pool.exchange.faults.error(code, times=3, applied=applied)
                pool.add(pool.tickers)
                pool.step(300)
                pool.remove(pool.tickers[:4])
                pool.step(60)
                self.assertEqual(pool.subscribed(), dict.fromkeys(pool.tickers[4:], 1), (code, applied))
                self.assert_converged(pool, pool.tickers[4:])
                pool.stop()

    def test_a_market_limit_moves_the_surplus(self) -> None:
        """Code 26: the connection keeps what it has, the rest goes elsewhere."""
        pool = self.pool(books=2, batch_size=5)
        pool.add(pool.tickers[:10])
        pool.step()
        pool.exchange.faults.error(26)
        pool.add(pool.tickers[10:20])
        pool.step(30)
        self.assert_converged(pool, pool.tickers[:20])
        self.assertEqual(sorted(c.status().held for c in pool.manager.connections()[3:]), [5, 15])

    def test_skipped_numbers_are_told_once_each(self) -> None:
        """Size and number of the gaps are exact; each message that reveals one says so."""
        pool = self.full(books=1)
        pool.exchange.faults.skip_seq(times=2, count=5)
        for _ in range(20):
            pool.exchange.emit(10)
            pool.step()
        self.assertEqual(pool.gaps(), [5, 5])
        self.assertEqual([m.facts["size"] for m in pool.markers("gap")], [5, 5])
        revealing = [m for m in pool.messages() if m.seq_gap]
        self.assertTrue(all(isinstance(m, RawMessage) and b'"seq"' in m.data for m in revealing))

    def test_a_gap_brings_fresh_books_and_an_end(self) -> None:
        """Every market of the sid sends its snapshot again; then the marker says recovered."""
        pool = self.full(books=2)
        before = len(pool.messages())
        pool.exchange.faults.skip_seq()
        while not pool.markers("gap"):
            pool.exchange.emit(5)
            pool.step()
        pool.step(5)
        gap, recovered = pool.markers("gap")[0], pool.markers("recovered")[0]
        self.assertEqual((gap.conn_id, gap.facts["sid"]), (recovered.conn_id, recovered.facts["sid"]))
        fresh = [m for m in pool.messages()[before:] if b"orderbook_snapshot" in m.data]
        if gap.conn_id > 3:
            self.assertEqual(len(fresh), 15)

    def test_replies_and_recoveries_are_measured(self) -> None:
        """How long answers and recoveries took is there for the metrics."""
        pool = self.full(books=1)
        pool.exchange.faults.skip_seq()
        pool.exchange.emit(20)
        pool.step(5)
        books = pool.manager.connections()[3].status()
        self.assertGreaterEqual(books.replies, 1)
        self.assertEqual(sum(c.recoveries for c in pool.manager.status().connections), len(pool.markers("recovered")))

    def test_meters_and_a_sample_of_the_messages(self) -> None:
        """Replies and reads are in the shared buckets, and each connection shows one message with its time."""
        pool = self.full(books=1)
        self.assertEqual([each.latest_read() is None for each in pool.manager.connections()], [False] * 4)
        pool.exchange.emit(50)
        pool.step()
        statuses = [each.status() for each in pool.manager.connections()]
        self.assertEqual(pool.meters.reply_latency.buckets()[-1][1], sum(each.replies for each in statuses))
        self.assertEqual(sum(each.snapshots for each in statuses), len(pool.tickers))
        self.assertGreater(pool.meters.batch_buckets()[-1][1], 4)
        read, received_at = pool.manager.connections()[0].latest_read() or ([b""], 0)
        self.assertEqual((decode_time(read[0]), received_at), (pool.exchange.now, int(pool.clock.seconds() * 1e9)))

    def test_on_gap_log_only_marks(self) -> None:
        """No snapshot is asked for."""
        pool = self.full(books=1, on_gap="log")
        commands = len(pool.clients[4].commands)
        pool.exchange.faults.skip_seq(times=3)
        for _ in range(10):
            pool.exchange.emit(10)
            pool.step()
        self.assertEqual(len(pool.gaps()), 3)
        self.assertEqual(len(pool.clients[4].commands), commands)

    def test_repeated_numbers_are_not_gaps(self) -> None:
        """Counted apart; nothing is asked again."""
        pool = self.full(books=1)
        pool.exchange.faults.repeat_seq(times=4)
        for _ in range(10):
            pool.exchange.emit(10)
            pool.step()
        self.assertEqual((pool.gaps(), pool.sums()["repeats"]), ([], 4))

    def test_a_lost_lifecycle_message_brings_a_reconciliation(self) -> None:
        """A gap on the channel, and a time without any leg, both mean that events were missed."""
        pool = self.full(pairs=2)
        pool.step(100)
        pool.exchange.faults.cut(session=pool.session_of(5).id)
        pool.step(5)
        self.assertEqual(pool.registry.missed, 0)
        for conn_id in (5, 6):
            pool.exchange.faults.cut(session=pool.session_of(conn_id).id)
        pool.step(5)
        self.assertEqual(pool.registry.missed, 1)

    def test_a_leg_that_was_dead_unnoticed_brings_a_reconciliation(self) -> None:
        """One leg is half-open, the other reconnects: what came in between was not received."""
        pool = self.full(pairs=2)
        pool.step(100)
        pool.exchange.faults.half_open(session=pool.session_of(5).id)
        pool.exchange.faults.cut(session=pool.session_of(6).id)
        pool.exchange.create_market()
        pool.step(5)
        self.assertEqual((pool.registry.missed, pool.registry.lifecycle), (0, []))
        pool.step(40)
        self.assertEqual(pool.registry.missed, 1)

    def test_lifecycle_messages_go_to_registry_and_capture(self) -> None:
        """From both legs, byte for byte."""
        pool = self.pool(pairs=2)
        pool.exchange.create_market()
        pool.step()
        captured = [m.data for m in pool.messages() if m.conn_id in (5, 6)]
        self.assertEqual(pool.registry.lifecycle, captured)
        self.assertGreaterEqual(len(captured), 2)

    def test_nonsense_costs_nothing_but_a_line(self) -> None:
        """Invalid JSON, unknown types and replies, odd fields: counted, kept, and the connection lives."""
        pool = self.full(books=1)
        client = pool.clients[4]
        odd = [
            b'{"type":"orderbook_delta","sid":', b'{"type":"surprise","msg":{"a":1}}',
            b'{"type":"ok","id":999,"msg":{}}', b'{"type":"error","id":998,"msg":{"code":8,"msg":"?"}}',
            b'{"type":"error","msg":"text"}', b"[1,2]", b"null",
            b'{"type":7,"seq":"x"}', b'{"sid":1}', b'{"type":"ok","sid":1,"seq":-5,"msg":[{"sid":1}]}', b"",
            b'{"type":"orderbook_snapshot","sid":1,"msg":{"market_ticker":5}}',
            b'{"type":"trade","msg":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        ]  # fmt: skip
        before = len(pool.messages())
        client._listener.received(odd, 1)
        pool.exchange.emit(50)
        pool.step(60)
        kept = [m.data for m in pool.messages()[before:]]
        self.assertEqual([data for data in odd if data in kept], [odd[1], *odd[5:9], odd[11]])
        self.assertEqual(len(pool.markers("undecodable")), 3)
        self.assertEqual((pool.markers("session_down"), pool.gaps()), ([], []))
        self.assert_converged(pool, pool.tickers)
