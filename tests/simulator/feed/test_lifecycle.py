"""Lifecycle changes, with and without a message (protocol section 7)."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.feed.lifecycle import LifecycleError
from tests.simulator.rig import NOW, Client, Replica


def event_types(messages: list[Any]) -> list[str]:
    """The event types; for messages about no market the message type."""
    return [message["msg"].get("event_type", message["type"]) for message in messages]


class LifecycleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange(markets=10, now=NOW, unopened=3, multivariate=1)
        self.ticker = self.exchange.active_tickers()[0]
        self.client = Client(self.exchange)
        self.client.ask("subscribe", channels=["market_lifecycle_v2"])

    def status(self, ticker: str | None = None) -> str:
        return self.exchange.market(ticker or self.ticker).status

    def test_opening_and_closing_at_their_time_say_nothing(self) -> None:
        """As time passes, `created` comes and then nothing: not for the opening, not for the close."""
        ticker = self.exchange.create_market(open_in=60, close_in=120)
        self.assertEqual(event_types(self.client.fresh()), ["created", "event_lifecycle"])
        found = []
        for second in (59, 60, 119, 120):
            self.exchange.advance(NOW + second)
            found.append(self.status(ticker))
        self.assertEqual(found, ["initialized", "active", "active", "closed"])
        self.assertEqual(self.client.fresh(), [])

    def test_unopened_markets_open_by_themselves(self) -> None:
        """Within six hours all of them trade."""
        before = len(self.exchange.active_tickers())
        self.exchange.advance(NOW + 6 * 3600)
        self.assertEqual(len(self.exchange.active_tickers()), before + 3)

    def test_pause_and_resume(self) -> None:
        """deactivated, activated; the book was emptied on the way, delta by delta."""
        replica, reader = Replica(), Client(self.exchange)
        messages = reader.books(self.ticker)
        self.exchange.pause_market(self.ticker)
        self.assertEqual((event_types(self.client.fresh()), self.status()), (["deactivated"], "inactive"))
        self.exchange.resume_market(self.ticker)
        self.assertEqual((event_types(self.client.fresh()), self.status()), (["activated"], "active"))
        for message in messages + reader.fresh():
            replica.apply(message)
        self.assertEqual(replica.book(self.ticker), ({}, {}))

    def test_nothing_trades_while_paused(self) -> None:
        """Not one delta of a paused market, though it is held."""
        reader = Client(self.exchange)
        reader.books(self.ticker)
        self.exchange.pause_market(self.ticker)
        reader.fresh()
        self.exchange.emit(300)
        self.assertEqual(reader.fresh(), [])

    def test_close_can_move_both_ways_and_reopen(self) -> None:
        """close_date_updated; a closed market moved into the future is activated after it."""
        self.exchange.move_close(self.ticker, NOW + 30)
        self.exchange.advance(NOW + 30)
        self.assertEqual((event_types(self.client.fresh()), self.status()), (["close_date_updated"], "closed"))
        self.exchange.move_close(self.ticker, NOW + 90)
        self.assertEqual(
            (event_types(self.client.fresh()), self.status()), (["close_date_updated", "activated"], "active")
        )
        self.exchange.advance(NOW + 90)
        self.assertEqual(self.status(), "closed")

    def test_old_close_time_is_forgotten(self) -> None:
        """A market whose close was moved later is still open at the old time."""
        ticker = self.exchange.create_market(close_in=60)
        self.exchange.move_close(ticker, NOW + 600)
        self.exchange.advance(NOW + 60)
        self.assertEqual(self.status(ticker), "active")

    def test_determination_of_a_trading_market_closes_it_first(self) -> None:
        """close_date_updated, determined, settled; the result is in the row."""
        self.exchange.determine_market(self.ticker, "yes")
        self.exchange.settle_market(self.ticker)
        messages = self.client.fresh()
        self.assertEqual(event_types(messages), ["close_date_updated", "determined", "settled"])
        self.assertEqual(messages[1]["msg"]["settlement_value"], "1.0000")
        self.assertEqual(self.status(), "finalized")

    def test_settled_without_determined(self) -> None:
        """It works, and sends only `settled`."""
        self.exchange.settle_market(self.ticker)
        self.assertEqual(event_types(self.client.fresh()), ["settled"])

    def test_combinations_have_their_own_channel(self) -> None:
        """Messages about KXMVE markets and their events go to multivariate_market_lifecycle only."""
        other = Client(self.exchange)
        other.ask("subscribe", channels=["multivariate_market_lifecycle"])
        ticker = self.exchange.create_market(multivariate=True)
        self.assertTrue(ticker.startswith("KXMVE"))
        self.assertEqual(self.client.fresh(), [])
        types = [one["type"] for one in other.fresh()]
        self.assertEqual(types, ["multivariate_market_lifecycle", "event_lifecycle"])

    def test_announcements_change_nothing(self) -> None:
        """Metadata, price levels and fees: a message each, for a market or an event that exists."""
        event = self.exchange.market(self.ticker).event.ticker
        self.exchange.announce_metadata(self.ticker)
        self.exchange.announce_price_levels(self.ticker)
        self.exchange.override_fee(event, 0.5)
        expected = ["metadata_updated", "price_level_structure_updated", "event_fee_update"]
        self.assertEqual((event_types(self.client.fresh()), self.status()), (expected, "active"))
        self.assertRaises(LifecycleError, self.exchange.announce_metadata, "KXNONE")
        self.assertRaises(LifecycleError, self.exchange.override_fee, "KXNONE", None)

    def test_impossible_changes_are_refused(self) -> None:
        """LifecycleError, and nothing changes."""
        exchange = self.exchange
        for change in (
            lambda: exchange.resume_market(self.ticker),
            lambda: exchange.open_market(self.ticker),
            lambda: exchange.pause_market("KXNONE"),
            lambda: exchange.create_market(ticker=self.ticker),
            lambda: exchange.create_market(ticker='KX"'),
            lambda: exchange.create_market(open_in=5, close_in=5),
        ):
            self.assertRaises(LifecycleError, change)
        self.assertEqual(self.status(), "active")
        self.assertEqual(self.client.fresh(), [])

    def test_open_market_now(self) -> None:
        """open_market opens at once and sends nothing."""
        ticker = self.exchange.create_market(open_in=600, ticker="KXOWN-26OCT31-X", event_ticker="KXOWN-26OCT31")
        self.client.fresh()
        self.exchange.open_market(ticker)
        self.assertEqual((self.status(ticker), self.client.fresh()), ("active", []))

    def test_churn_happens_at_its_rate(self) -> None:
        """About that many changes a second, of every kind, and no error on the way."""
        exchange = Exchange(markets=50, now=NOW, churn=10.0)
        client = Client(exchange)
        client.ask("subscribe", channels=["market_lifecycle_v2"])
        for second in range(1, 61):
            exchange.advance(NOW + second)
        kinds = event_types(client.fresh())
        self.assertEqual(
            set(kinds),
            {"created", "event_lifecycle", "deactivated", "activated", "close_date_updated", "determined", "settled"},
        )
        self.assertTrue(400 < len(kinds) - kinds.count("event_lifecycle") < 900, len(kinds))


class TrafficTests(SynchronousTestCase):
    def test_emit_counts_messages_to_sockets(self) -> None:
        """What emit returns is what on_sent saw, with the session's id."""
        exchange = Exchange(markets=10, now=NOW)
        seen: list[tuple[int, bytes]] = []
        first, second = Client(exchange), Client(exchange)
        first.books(*exchange.active_tickers())
        second.ask("subscribe", channels=["ticker", "trade"])
        exchange.on_sent = lambda session, payload: seen.append((session, payload))
        first.raw.clear()
        second.raw.clear()
        sent = exchange.emit(400)
        self.assertEqual(sent, len(seen))
        self.assertEqual([payload for session, payload in seen if session == 1], first.raw)
        self.assertEqual([payload for session, payload in seen if session == 2], second.raw)
        self.assertGreater(sent, 300)

    def test_no_data_while_trading_is_paused(self) -> None:
        """An exchange in maintenance sends no data, and its status says that trading is paused."""
        exchange = Exchange(markets=10, now=NOW)
        exchange.state.trading_active = False
        self.assertEqual(exchange.emit(100), 0)
        status = msgspec.json.decode(exchange.rest.get("/exchange/status", {}).body)
        self.assertFalse(status["exchange_index_statuses"][0]["trading_active"])

    def test_books_never_cross_or_empty_out(self) -> None:
        """Best yes bid plus best no bid stays under a dollar; counts stay positive."""
        exchange = Exchange(markets=5, now=NOW)
        exchange.emit(5_000)
        for ticker in exchange.active_tickers():
            yes, no = exchange.book(ticker)
            self.assertLess(max(yes, default=0) + max(no, default=0), 10_000)
            self.assertTrue(all(count > 0 for side in (yes, no) for count in side.values()))
