"""What operators do to a running pool, and what becomes of it."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from zope.interface.verify import verifyObject

from gatherer.errors import AdminError
from gatherer.interfaces import IPoolAdmin
from tests.pool.test_manager import PoolTestCase
from tests.support.pool import Pool

BY = "manhole user ada from 127.0.0.1"


class SteeringTestCase(PoolTestCase):
    """A pool of three order book connections, ids 4 to 6, that carries everything."""

    def full(self, **options: Any) -> Pool:
        """Every active market is held and has its book."""
        pool = self.pool(**options)
        pool.add(pool.tickers)
        pool.step()
        return pool

    def refused(self, call: Any, *arguments: Any) -> str:
        """The text of the SteeringError."""
        return str(self.assertRaises(AdminError, call, *arguments))

    def kick(self, pool: Pool, conn_id: int) -> Any:
        """Cut a socket; what the caller gets."""
        return self.successResultOf(pool.manager.admin.kick(conn_id, BY))

    def logged(self, call: Any, *arguments: Any) -> list[str]:
        """The lines a call brings."""
        with capturedLogs() as events:
            call(*arguments)
        return [formatEvent(event) for event in events if "gatherer.pool.admin" in event["log_namespace"]]


class KickTests(SteeringTestCase):
    """kick."""

    def test_keeps_the_contract(self) -> None:
        """Steering provides ISteering."""
        verifyObject(IPoolAdmin, self.pool().manager.admin)

    def test_comes_back_with_everything(self) -> None:
        """The Deferred fires when every market is held again, not when the socket opens; the others see nothing."""
        pool = self.full()
        self.assertEqual(self.kick(pool, 5), {"conn_id": 5, "next_dial_in": 1.0})
        self.assertEqual(pool.manager.connections()[4].status().state, "backoff")
        back = pool.manager.admin.when_back(5)
        pool.step(0.9)
        self.assertNoResult(back)
        pool.step(0.2)
        self.assertEqual(self.successResultOf(back), {"conn_id": 5, "held": 10, "wanted": 10})
        self.assertEqual([c.reconnects for c in pool.manager.status().connections], [0, 0, 0, 0, 1, 0])
        self.assert_converged(pool, pool.tickers)

    def test_the_capture_says_why(self) -> None:
        """The marker of the lost session names the operator, and so does one line of the log."""
        pool = self.full()
        lines = self.logged(pool.manager.admin.kick, 5, BY)
        self.assertEqual(lines, [f"{BY}: kick 5"])
        (down,) = pool.markers("session_down")
        self.assertEqual((down.conn_id, down.facts["reason"], down.facts["stopped"]), (5, "kicked by operator", False))
        self.assertEqual(pool.manager.status().connections[4].ws_errors, {"CutByOperator": 1})
        pool.step(2)

    def test_a_global_channel_comes_back_too(self) -> None:
        """Back means that its channel is subscribed again."""
        pool = self.full()
        self.kick(pool, 1)
        back = pool.manager.admin.when_back(1)
        self.assertNoResult(back)
        pool.step(1.1)
        self.assertEqual(self.successResultOf(back)["conn_id"], 1)

    def test_one_that_is_there_is_back(self) -> None:
        """What has happened already is answered at once; each caller gets an answer, unless it cancelled."""
        pool = self.full()
        admin = pool.manager.admin
        self.assertEqual(self.successResultOf(admin.when_back(5))["held"], 10)
        self.kick(pool, 5)
        first, second = admin.when_back(5), admin.when_back(5)
        second.cancel()
        self.failureResultOf(second)
        pool.step(1.1)
        self.successResultOf(first)

    def test_nothing_to_cut(self) -> None:
        """A connection without a socket says when it dials next; wrong ids say which there are."""
        pool = self.full()
        self.kick(pool, 5)
        text = self.refused(pool.manager.admin.kick, 5, BY)
        self.assertEqual(text, "connection 5 has no socket to cut: it is in state backoff, next dial in 1.0 s")
        for wrong in (0, 7, 171, "5", None, True, 5.0, [5]):
            for method in (pool.manager.admin.kick, pool.manager.admin.drain):
                self.assertEqual(self.refused(method, wrong, BY), f"no connection {wrong!r}: ids are 1 to 6")
        pool.step(2)

    def test_one_that_does_not_come_back(self) -> None:
        """After a minute the Deferred fails with where it stands; the connection goes on dialling."""
        pool = self.full()
        pool.exchange.faults.refuse_upgrade(503, times=10)
        self.kick(pool, 5)
        back: Deferred[Any] = pool.manager.admin.when_back(5)
        pool.step(61)
        text = self.failureResultOf(back, AdminError).getErrorMessage()
        self.assertEqual(text, "connection 5 is not back after 60 s: backoff, 0 of 10 markets held; it goes on trying")
        pool.step(2000)
        self.assert_converged(pool, pool.tickers)

    def test_the_stop_leaves_nobody_waiting(self) -> None:
        """Each caller who waits gets the error that the gatherer stops, and no timer is left."""
        pool = Pool().start()
        self.kick(pool, 5)
        back: Deferred[Any] = pool.manager.admin.when_back(5)
        pool.stop()
        self.assertIn("stops", self.failureResultOf(back, AdminError).getErrorMessage())


class DrainTests(SteeringTestCase):
    """drain and undrain."""

    def test_every_market_moves_and_none_comes(self) -> None:
        """The others carry all of them, each once; new ones go elsewhere even after a reconnect."""
        pool = self.full(markets=40)
        tickers = pool.tickers
        pool.remove(tickers[30:])
        pool.step()
        facts = pool.manager.admin.drain(5, BY)
        self.assertEqual((facts["left"], pool.manager.status().markets), (0, 30))
        pool.step(1)
        self.assertEqual(pool.manager.connections()[4].wanted, set())
        self.assert_converged(pool, tickers[:30])
        pool.manager.admin.kick(5, BY)
        pool.step(5)
        pool.add(tickers[30:])
        pool.step(1)
        self.assert_converged(pool, tickers)
        self.assertEqual([c.wanted for c in pool.manager.status().connections[3:]], [20, 0, 20])
        self.assertEqual(pool.manager.status().draining, [5])
        self.assertEqual([c.draining for c in pool.manager.status().connections[3:]], [False, True, False])

    def test_the_moves_are_told(self) -> None:
        """In the story of each market, in the capture and once in the log."""
        pool = self.full()
        ticker = next(iter(pool.manager.connections()[4].wanted))
        lines = self.logged(pool.manager.admin.drain, 5, BY)
        self.assertEqual(lines, [f"{BY}: drain 5: 10 markets move, 0 stay"])
        pool.step(1)
        story = pool.manager.explain(ticker)
        self.assertEqual((story["why_there"], story["moves"][0]["from"]), ("connection 5 drained", 5))
        self.assertEqual(pool.manager.admin.where(ticker), story["moves"][0]["to"])
        removed = [m for m in pool.markers("markets_removed") if m.conn_id == 5]
        self.assertEqual(sorted(t for m in removed for t in m.facts["tickers"]).count(ticker), 1)

    def test_a_market_stays_until_it_has_its_book_elsewhere(self) -> None:
        """While commands are paused nothing leaves; one that is over meanwhile leaves both."""
        pool = self.full()
        pool.manager.admin.pause(BY)
        over, *others = list(pool.manager.connections()[4].wanted)
        pool.manager.admin.drain(5, BY)
        pool.step(5)
        self.assertEqual(set(pool.manager.connections()[4].wanted), {over, *others})
        self.assertEqual(pool.manager.explain(others[0])["still_on"], 5)
        pool.remove([over])
        pool.manager.admin.resume(BY)
        pool.step(1)
        self.assert_converged(pool, [ticker for ticker in pool.tickers if ticker != over])
        self.assertEqual(pool.manager.connections()[4].wanted, set())
        self.assertIsNone(pool.manager.explain(others[0])["still_on"])

    def test_a_move_ends_although_the_book_never_comes(self) -> None:
        """After a minute the old connection lets go: it must get empty. The new one goes on asking."""
        pool = self.full()
        pool.exchange.faults.lose_books(10_000)
        pool.manager.admin.drain(5, BY)
        pool.step(55)
        self.assertEqual(len(pool.manager.connections()[4].wanted), 10)
        pool.step(20)
        self.assertEqual(len(pool.manager.connections()[4].wanted), 0)
        self.assertEqual(pool.manager.status().without_book, 10)
        pool.exchange.faults.clear()
        pool.step(700)
        self.assert_converged(pool, pool.tickers)

    def test_a_socket_that_is_lost_while_drained(self) -> None:
        """It has nothing to keep then, and comes back empty."""
        pool = self.full()
        pool.manager.admin.pause(BY)
        pool.manager.admin.drain(5, BY)
        self.kick(pool, 5)
        pool.step(0.5)
        self.assertEqual(pool.manager.connections()[4].wanted, set())
        pool.manager.admin.resume(BY)
        pool.step(5)
        self.assert_converged(pool, pool.tickers)

    def test_drains_that_cross(self) -> None:
        """A market that moves on before it arrived, and one that comes back, are carried once in the end."""
        pool = self.full(books=2, markets=20)
        admin = pool.manager.admin
        pool.wire.latency = 0.1
        admin.drain(4, BY)
        pool.step(0.05)
        admin.undrain(4, BY)
        admin.drain(5, BY)
        pool.step(5)
        self.assert_converged(pool, pool.tickers)
        self.assertEqual([len(c.wanted) for c in pool.manager.connections()[3:]], [20, 0])
        self.assertEqual(pool.manager.status().markets, 20)

    def test_what_finds_no_room_moves_when_there_is_some(self) -> None:
        """It stays where it is, not nowhere, and goes as soon as the others have a place."""
        pool = self.full(books=3, markets=30, capacity=11)
        facts = pool.manager.admin.drain(5, BY)
        self.assertEqual((facts["moved"], facts["left"]), (2, 8))
        pool.step(1)
        self.assert_converged(pool, pool.tickers)
        gone = [t for t in pool.tickers if pool.manager.admin.where(t) == 4][:5]
        pool.remove(gone)
        pool.step(1)
        self.assertEqual(len(pool.manager.connections()[4].wanted), 3)

    def test_undrain_lets_it_take_new_ones(self) -> None:
        """The emptiest again, it gets what comes next, and at once what waited for room."""
        pool = self.full(books=2, markets=20, capacity=10)
        pool.manager.admin.drain(5, BY)
        pool.remove(list(pool.manager.connections()[4].wanted))
        pool.step(1)
        pool.add(pool.tickers)
        self.assertEqual(pool.manager.status().unplaced, 10)
        self.assertEqual(self.logged(pool.manager.admin.undrain, 5, BY), [f"{BY}: undrain 5"])
        pool.step(1)
        self.assert_converged(pool, pool.tickers)

    def test_what_cannot_be_drained(self) -> None:
        """Global channels, unknown ids, twice, and undrain without drain are errors that say so."""
        pool = self.full()
        admin = pool.manager.admin
        self.assertEqual(
            self.refused(admin.drain, 1, BY),
            "connection 1 takes the whole ticker channel: it has no markets to move",
        )
        self.assertEqual(self.refused(admin.drain, 99, BY), "no connection 99: ids are 1 to 6")
        self.assertEqual(self.refused(admin.undrain, 5, BY), "connection 5 is not being drained")
        admin.drain(5, BY)
        self.assertIn("already", self.refused(admin.drain, 5, BY))


class PauseTests(SteeringTestCase):
    """pause and resume."""

    def test_nothing_is_sent_and_nothing_forgotten(self) -> None:
        """Adds, deletes and refreshes wait until resume; the feed of what is held goes on."""
        pool = self.full(markets=40)
        tickers = pool.tickers
        pool.remove(tickers[30:])
        pool.step()
        self.assertEqual(self.logged(pool.manager.admin.pause, BY), [
            f"{BY}: pause: no commands for order books until resume; what is subscribed stays"
        ])  # fmt: skip
        sent = [len(client.commands) for client in pool.clients.values()]
        pool.add(tickers[30:])
        pool.remove(tickers[:5])
        pool.refresh(tickers[5:10])
        before = len(pool.messages())
        pool.exchange.emit(50)
        pool.step(300)
        self.assertEqual([len(client.commands) for client in pool.clients.values()], sent)
        self.assertGreater(len(pool.messages()), before)
        status = pool.manager.status()
        self.assertEqual((status.markets, status.divergence, status.paused_since is None), (35, 15, False))
        pool.manager.admin.resume(BY)
        pool.step(1)
        self.assert_converged(pool, tickers[5:])
        self.assertIsNone(pool.manager.status().paused_since)

    def test_a_socket_that_is_lost_meanwhile(self) -> None:
        """Its global channel is subscribed again at once, order books after resume; a kick does not wait for them."""
        pool = self.full()
        pool.manager.admin.pause(BY)
        self.kick(pool, 1)
        self.kick(pool, 5)
        ticker, books = pool.manager.admin.when_back(1), pool.manager.admin.when_back(5)
        pool.step(3)
        self.successResultOf(ticker)
        self.assertEqual(self.successResultOf(books)["held"], 0)
        self.assertEqual(len(pool.subscribed()), 20)
        pool.manager.admin.resume(BY)
        pool.step(1)
        self.assert_converged(pool, pool.tickers)

    def test_a_gap_meanwhile_is_repaired_afterwards(self) -> None:
        """The fresh books wait like everything else, and come."""
        pool = self.full(books=1)
        pool.manager.admin.pause(BY)
        pool.exchange.faults.skip_seq()
        pool.exchange.emit(200)
        pool.step(1)
        self.assertEqual([gap["outcome"] for gap in pool.manager.admin.gaps(0) if gap["conn_id"] == 4], ["waiting"])
        pool.manager.admin.resume(BY)
        pool.step(1)
        self.assertEqual([gap["outcome"] for gap in pool.manager.admin.gaps(0) if gap["conn_id"] == 4], ["recovered"])

    def test_twice_is_an_error(self) -> None:
        """So no operator ends the pause of another without knowing it."""
        admin = self.full().manager.admin
        self.assertEqual(self.refused(admin.resume, BY), "commands are not paused")
        admin.pause(BY)
        self.assertEqual(self.refused(admin.pause, BY), "commands are paused already: resume() ends it")


class SnapshotTests(SteeringTestCase):
    """snapshot."""

    def test_a_fresh_book_is_told(self) -> None:
        """With its sid, its number and how many levels it has."""
        pool = self.full()
        ticker = pool.tickers[0]
        book: Deferred[Any] = pool.manager.admin.snapshot(ticker, BY)
        self.assertNoResult(book)
        pool.step()
        facts = self.successResultOf(book)
        conn_id = pool.manager.admin.where(ticker)
        self.assertEqual((facts["conn_id"], facts["sid"]), (conn_id, pool.manager.explain(ticker)["connection"]["sid"]))
        self.assertEqual(facts["seq"], pool.manager.explain(ticker)["connection"]["last_seq"])
        self.assertGreater(facts["yes"] + facts["no"], 0)

    def test_without_an_answer_it_ends(self) -> None:
        """After 15 seconds, with a hint; and at once when the socket is lost."""
        pool = self.full()
        ticker = pool.tickers[0]
        conn_id = pool.manager.explain(ticker)["connection"]["conn_id"]
        pool.session_of(conn_id).go_half_open()
        book: Deferred[Any] = pool.manager.admin.snapshot(ticker, BY)
        pool.step(16)
        self.assertIn("no book of", self.failureResultOf(book, AdminError).getErrorMessage())
        other: Deferred[Any] = pool.manager.admin.snapshot(ticker, BY)
        pool.manager.admin.kick(conn_id, BY)
        text = self.failureResultOf(other, AdminError).getErrorMessage()
        self.assertIn("was lost before a book came: kicked by operator", text)
        pool.step(5)

    def test_markets_that_have_none_to_ask_for(self) -> None:
        """Unknown, not held, and paused have different errors."""
        pool = self.full()
        admin = pool.manager.admin
        self.assertEqual(self.refused(admin.snapshot, "NOPE", BY), "NOPE is on no connection: explain() says why")
        self.assertIn("on no connection", self.refused(admin.snapshot, None, BY))
        admin.kick(5, BY)
        down = next(t for t in pool.tickers if admin.where(t) == 5)
        self.assertIn("not held by connection 5", self.refused(admin.snapshot, down, BY))
        pool.step(2)
        admin.pause(BY)
        self.assertEqual(self.refused(admin.snapshot, down, BY), "commands are paused: resume() first")


class QuestionTests(SteeringTestCase):
    """pending, gaps, where, and what explain adds."""

    def test_pending(self) -> None:
        """A command without a reply is listed with its connection, kind, number of markets and age."""
        pool = self.full(books=1, markets=30)
        self.assertEqual(pool.manager.admin.pending(), [])
        pool.session_of(4).go_half_open()
        pool.remove(pool.tickers[:7])
        pool.step(2.5)
        (command,) = pool.manager.admin.pending()
        self.assertEqual(
            (command["conn_id"], command["action"], command["markets"], command["first"], command["age"]),
            (4, "delete_markets", 7, pool.tickers[0], 2.5),
        )

    def test_gaps(self) -> None:
        """Each with its connection, size and recovery; a socket that was lost before is marked as such."""
        pool = self.full(books=1)
        pool.exchange.faults.skip_seq()
        pool.exchange.emit(200)
        pool.step(1)
        gaps = pool.manager.admin.gaps(0)
        books = [gap for gap in gaps if gap["conn_id"] == 4]
        self.assertEqual([(gap["sid"], gap["outcome"]) for gap in books], [(1, "recovered")])
        self.assertGreaterEqual(books[0]["seconds"], 0.0)
        self.assertTrue({gap["outcome"] for gap in gaps if gap["conn_id"] < 4} <= {"not repaired"})
        self.assertEqual(pool.manager.admin.gaps(pool.clock.seconds() + 1), [])

    def test_a_gap_that_was_never_repaired(self) -> None:
        """When the socket is lost first, its gap says so."""
        pool = self.full(books=1)
        pool.manager.admin.pause(BY)
        pool.exchange.faults.skip_seq()
        pool.exchange.emit(200)
        pool.step()
        pool.manager.admin.kick(4, BY)
        self.assertEqual([g["outcome"] for g in pool.manager.admin.gaps(0) if g["conn_id"] == 4], ["session lost"])
        pool.step(3)

    def test_deltas_are_watched_once_somebody_asks(self) -> None:
        """The first explanation does not know of any; the next tells when the latest came."""
        pool = self.full()
        ticker = pool.tickers[0]
        self.assertIsNone(pool.manager.explain(ticker)["connection"]["delta_at"])
        pool.step(5)
        while not (known := pool.manager.explain(ticker)["connection"])["deltas"]:
            pool.exchange.emit(50)
            pool.step()
        self.assertEqual(known["delta_at"], pool.clock.seconds())
        self.assertLess(known["watched_since"], known["delta_at"])

    def test_standing(self) -> None:
        """Where a market is on its way to be held is part of its explanation."""
        pool = self.full(books=1, markets=30)
        tickers = pool.tickers
        pool.remove(tickers[:2])
        pool.step(1)

        def standing(ticker: str) -> Any:
            return pool.manager.explain(ticker)["connection"]["standing"]

        self.assertEqual(standing(tickers[9]), "held")
        pool.session_of(4).go_half_open()
        pool.add(tickers[:1])
        pool.step()
        self.assertEqual(standing(tickers[0]), "asked")
        pool.add(tickers[1:2])
        self.assertEqual(standing(tickers[1]), "queued")
        pool.step(5.5)
        self.assertEqual(standing(tickers[0]), "again")
