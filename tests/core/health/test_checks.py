"""Healthy, degraded, failing, starting; ready or not. Whole days on a clock that a test moves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.health import checks
from gatherer.core.health.checks import Observations, health, readiness
from gatherer.core.health.monitor import HealthMonitor
from gatherer.interfaces import PoolStatus, Readiness, RegistryStatus, RouterStatus
from tests.ops.support import (
    StubManager,
    StubRegistry,
    StubRouter,
    connection,
    pool_status,
    registry_status,
    router_status,
)

LOOK = 5.0
FROZEN_AFTER = 120.0
TUESDAY = datetime(2026, 10, 13, tzinfo=UTC).timestamp()
"""00:00 UTC, 20:00 of the day before in New York."""
HOUR = 3600.0


class Feed:
    """A gatherer by its figures: pairs, and four connections with 25,000 markets each. `run` looks every 5 s."""

    def __init__(self, now: float = TUESDAY) -> None:
        self.now = now
        manager, registry, router = StubManager(), StubRegistry(), StubRouter()
        self.manager, self.registry, self.router = manager.figures, registry.figures, router.figures
        roles = ["ticker"] * 2 + ["trade"] * 2 + ["market_lifecycle"] * 2 + ["orderbook_delta"] * 4
        self.connections = [connection(conn_id, role, forwarded=0) for conn_id, role in enumerate(roles, 1)]
        self.manager.update(connections=self.connections, markets=100_000, min_healthy=7, divergence=0)
        for each in self.books:
            each.update(held=25_000, wanted=25_000)
        self.registry.update(last_sync=now, trading_active=True, reconcile_interval=300.0)
        self.router.update(buffer_messages=1000, dropped=0)
        self.monitor = HealthMonitor(FROZEN_AFTER)
        self.rate = {"ticker": 20.0, "trade": 2.0, "orderbook_delta": 100.0}
        self.mute: set[int] = set()
        """Connections whose heartbeats are all there is."""
        self._carry = dict.fromkeys(range(1, 11), 0.0)

    @property
    def books(self) -> list[dict[str, Any]]:
        """Connections with order books."""
        return [each for each in self.connections if each["role"] == "orderbook_delta"]

    def statuses(self) -> tuple[PoolStatus, RegistryStatus, RouterStatus]:
        """Of now."""
        return pool_status(self.manager), registry_status(self.registry), router_status(self.router)

    def verdict(self) -> dict[str, Any]:
        """Of now, as JSON has it."""
        return dict(msgspec.to_builtins(health(*self.statuses(), self.monitor.report())))

    def step(self, seconds: float = LOOK) -> str:
        """One look later, with the messages of the time between and a walk every five minutes; the status."""
        self.now += seconds
        for each in self.connections:
            due = self._carry[each["conn_id"]] + seconds * self.rate.get(each["role"], 0.0)
            if each["state"] == "live" and each["conn_id"] not in self.mute:
                each["forwarded"] += int(due)
            self._carry[each["conn_id"]] = due % 1
        if self.registry["last_sync"] is not None and self.now - self.registry["last_sync"] >= 300:
            self.registry["last_sync"] = self.now
        self.monitor.look(self.now, self.now, *self.statuses())
        return str(self.verdict()["status"])

    def run(self, seconds: float) -> list[str]:
        """Each status of that time, repetitions left out."""
        seen: list[str] = []
        end = self.now + seconds
        while self.now < end:
            status = self.step()
            if not seen or seen[-1] != status:
                seen.append(status)
        return seen

    def until(self, status: str, most: float = HOUR) -> float:
        """Seconds until a look gives that status."""
        begin = self.now
        while self.now - begin < most:
            if self.step() == status:
                return self.now - begin
        raise AssertionError(f"never {status}: {self.verdict()}")

    def freeze(self) -> None:
        """Nothing flows any more; heartbeats go on, they are in none of these figures."""
        self.rate = {}


class DayTests(SynchronousTestCase):
    """What an operator lives through."""

    def test_a_quiet_night_stays_green(self) -> None:
        """From busy to one ticker in 45 s and a delta in 90 s over the whole exchange, and back: 24 hours of green."""
        feed = Feed()
        self.assertEqual(feed.run(8 * HOUR), ["ok"])
        feed.rate = {"ticker": 1 / 45, "orderbook_delta": 1 / 360, "trade": 1 / 1200}
        self.assertEqual(feed.run(8 * HOUR), ["ok"])
        feed.rate = {"ticker": 20.0, "trade": 2.0, "orderbook_delta": 100.0}
        self.assertEqual(feed.run(8 * HOUR), ["ok"])

    def test_maintenance_stays_green(self) -> None:
        """Two silent hours of a Thursday morning are a pause, even when the status still says that trading is on;
        what lasts longer is one when the status says so."""
        feed = Feed(TUESDAY + 2 * 24 * HOUR)  # Thursday 00:00 UTC
        self.assertEqual(feed.run(7 * HOUR), ["ok"])
        feed.freeze()
        self.assertEqual(feed.run(HOUR), ["ok"])
        self.assertEqual(feed.verdict()["pause"], "weekly maintenance")
        feed.registry["trading_active"] = False
        self.assertEqual(feed.run(3 * HOUR), ["ok"])
        self.assertEqual(feed.verdict()["pause"], "trading is not active")
        feed.registry["trading_active"] = True
        feed.rate = {"ticker": 20.0, "trade": 2.0, "orderbook_delta": 100.0}
        self.assertEqual(feed.run(HOUR), ["ok"])

    def test_the_same_silence_on_a_wednesday_is_red(self) -> None:
        """Within frozen_after and two looks, and green with the first look after the messages are back."""
        feed = Feed(TUESDAY + 24 * HOUR)
        self.assertEqual(feed.run(7 * HOUR), ["ok"])
        feed.freeze()
        self.assertTrue(FROZEN_AFTER <= feed.until("failing") <= FROZEN_AFTER + 2 * LOOK)
        verdict = feed.verdict()
        self.assertFalse(verdict["ok"])
        self.assertIn("the feed is frozen", verdict["problems"][0])
        self.assertEqual(verdict["components"]["feed"]["status"], "failing")
        self.assertEqual(feed.run(HOUR), ["failing"])
        feed.rate = {"ticker": 20.0, "orderbook_delta": 100.0}
        self.assertLessEqual(feed.until("ok"), LOOK)

    def test_a_start_is_starting(self) -> None:
        """Connections and markets that are not there yet are no fault of a start; a start that takes too long is."""
        feed = Feed()
        feed.registry["last_sync"] = None
        feed.manager["divergence"] = 100_000
        for each in feed.connections:
            each.update(state="dialing", held=0)
        feed.freeze()
        self.assertEqual(feed.verdict()["status"], "starting")
        self.assertEqual(feed.run(checks.MAX_STARTING - LOOK), ["starting"])
        self.assertTrue(feed.verdict()["ok"])
        self.assertTrue(any("connections are live" in each for each in feed.verdict()["warnings"]))
        self.assertEqual(feed.run(3 * LOOK), ["starting", "failing"])

    def test_a_good_start_is_over_when_it_is_ready(self) -> None:
        """What fails after that is no start any more."""
        feed = Feed()
        self.assertEqual(feed.run(LOOK), ["ok"])
        for each in feed.connections:
            each["state"] = "backoff"
        self.assertEqual(feed.run(2 * HOUR), ["degraded", "failing"])

    def test_a_start_with_a_full_disk_is_red(self) -> None:
        """The capture must work from the beginning."""
        feed = Feed()
        feed.registry["last_sync"] = None
        feed.router["trouble"] = "[Errno 28] No space left on device"
        self.assertEqual(feed.step(), "failing")

    def test_a_storm_that_is_back_in_time(self) -> None:
        """All sockets cut and back within a minute: degraded, never red."""
        feed = Feed()
        feed.run(60)
        for each in feed.connections:
            each["state"] = "backoff"
        self.assertEqual(feed.run(checks.GRACE - LOOK), ["degraded"])
        for each in feed.connections:
            each["state"] = "live"
        self.assertEqual(feed.run(60), ["ok"])


class HealthTests(SynchronousTestCase):
    """Each reason alone."""

    def setUp(self) -> None:
        self.feed = Feed()
        self.assertEqual(self.feed.run(60), ["ok"])

    def lose(self, *roles: str) -> None:
        """No connection of these roles is live."""
        for each in self.feed.connections:
            if each["role"] in roles:
                each["state"] = "backoff"

    def test_a_role_without_a_connection(self) -> None:
        """A channel without a live connection is red after the grace, though the minimum is met."""
        self.feed.manager["min_healthy"] = 2
        self.lose("market_lifecycle")
        self.assertEqual(self.feed.run(checks.GRACE + 2 * LOOK), ["degraded", "failing"])
        self.assertEqual(self.feed.verdict()["problems"], ["no connection for market_lifecycle is live, for 65 s"])

    def test_an_exchange_that_is_down_is_none_of_ours(self) -> None:
        """Without any connection, while the exchange says that it is not active: degraded at most, and a pause."""
        self.lose("ticker", "trade", "market_lifecycle", "orderbook_delta")
        self.feed.registry.update(exchange_active=False, trading_active=False)
        self.assertEqual(self.feed.run(HOUR), ["degraded"])
        self.assertEqual(self.feed.verdict()["pause"], "the exchange is not active")

    def test_refused_keys(self) -> None:
        """The alarm is a warning while old sockets live and a problem at once when none does."""
        self.feed.manager["alarm"] = "3 upgrades in a row refused with HTTP 401"
        self.assertEqual(self.feed.step(), "degraded")
        self.lose("ticker", "trade", "market_lifecycle", "orderbook_delta")
        self.assertEqual(self.feed.step(), "failing")

    def test_a_silent_twin(self) -> None:
        """One of a pair that hears nothing is a warning that names it."""
        self.feed.mute.add(2)
        self.assertEqual(self.feed.run(300), ["ok", "degraded"])
        self.assertIn("ticker-2 sent nothing", self.feed.verdict()["warnings"][0])

    def test_books_we_asked_for_are_no_feed(self) -> None:
        """Snapshots that we fetch ourselves do not make a frozen feed look alive."""
        self.feed.freeze()
        for _ in range(30):
            for each in self.feed.books:
                each["forwarded"] += 10
                each["snapshots"] = each.get("snapshots", 0) + 10
            self.feed.step()
        self.assertEqual(self.feed.step(), "failing")

    def test_markets(self) -> None:
        """Differences that stay, markets without room, and walks that do not end well are warnings."""
        self.feed.manager["divergence"] = 5
        self.assertEqual(self.feed.run(checks.DIVERGING - LOOK), ["ok"])
        self.assertEqual(self.feed.run(3 * LOOK)[-1], "degraded")
        self.feed.manager["divergence"] = 0
        self.assertEqual(self.feed.step(), "ok")
        self.feed.books[0]["owed"] = 20_000
        self.assertEqual(self.feed.run(checks.DIVERGING + 2 * LOOK), ["ok", "degraded"])
        self.feed.books[0]["owed"] = 0
        self.feed.manager["unplaced"] = 7
        self.assertEqual(self.feed.step(), "degraded")
        self.assertEqual(self.feed.verdict()["warnings"], ["7 markets find no connection with room"])
        self.feed.manager["unplaced"] = 0
        self.assertEqual(self.feed.step(), "ok")
        self.feed.manager["paused_since"] = self.feed.now
        self.assertEqual(self.feed.step(), "degraded")
        self.assertIn("resume()", self.feed.verdict()["warnings"][0])
        self.feed.manager["paused_since"] = None
        self.feed.registry["last_sync"] = self.feed.now - 1e6
        self.feed.monitor.look(self.feed.now, self.feed.now, *self.feed.statuses())
        self.assertIn("no complete walk", self.feed.verdict()["warnings"][0])

    def test_the_capture(self) -> None:
        """A disk that refuses is red at once and green again at once. A recent drop is red, a full buffer a warning."""
        self.feed.router["trouble"] = "[Errno 28] No space left on device"
        self.assertEqual(self.feed.verdict()["status"], "failing")
        self.feed.router["trouble"] = None
        self.assertEqual(self.feed.verdict()["status"], "ok")
        self.feed.router["backlog"] = 900
        self.assertEqual(self.feed.verdict()["status"], "degraded")
        self.feed.router["backlog"] = 0
        self.feed.router.update(buffer_bytes=1000, backlog_bytes=601)
        self.assertEqual(self.feed.verdict()["warnings"], ["601 bytes wait for the disk, 1000 is the most"])
        self.feed.router["backlog_bytes"] = 0
        self.feed.router["dropped"] = 17
        self.assertEqual(self.feed.run(checks.RECENT - LOOK), ["failing"])
        self.feed.router["dropped_markers"] = 2
        self.assertEqual(self.feed.verdict()["problems"], [
            "19 records were dropped within the last 300 s (17 messages and 2 markers since the start): "
            "the disk or the processor was too slow",
        ])  # fmt: skip
        self.assertEqual(self.feed.run(3 * LOOK), ["failing"])
        self.assertIn("2 records were dropped", self.feed.verdict()["problems"][0])
        self.assertEqual(self.feed.run(checks.RECENT)[-1], "ok")
        self.feed.router["sync_failures"] = 1
        self.assertIn("1 segments may have lost records", self.feed.verdict()["warnings"][0])

    def test_a_blocked_reactor(self) -> None:
        """More than a second without an answer is a warning."""
        verdict = health(*self.feed.statuses(), replace(self.feed.monitor.report(), lag_seconds=2.5))
        self.assertEqual(verdict.warnings, ["the reactor did not answer for 2.5 s within the last minute"])

    def test_before_the_first_look(self) -> None:
        """The page is there from the beginning: starting, with every component."""
        verdict = health(*self.feed.statuses(), Observations())
        self.assertEqual((verdict.status, verdict.ok), ("starting", True))
        self.assertEqual(list(verdict.components.by_name()), ["connections", "feed", "markets", "capture", "process"])

    def test_figures_that_decide_are_there(self) -> None:
        """Each component shows what it was judged by."""
        components = self.feed.verdict()["components"]
        self.assertEqual(components["connections"]["live"], 10)
        self.assertEqual(components["connections"]["least"], 7)
        self.assertEqual(components["markets"]["held"], 100_000)
        self.assertEqual(components["feed"]["quiet_seconds"]["ticker"], 0.0)
        self.assertEqual(components["capture"]["backlog"], 6)
        self.assertGreaterEqual(components["process"]["uptime_seconds"], 0)


class ReadinessTests(SynchronousTestCase):
    """readiness."""

    def setUp(self) -> None:
        self.manager = StubManager().figures
        self.registry = StubRegistry().figures
        self.router = {**StubRouter().figures, "dropped": 0}

    def readiness(self, losses_before: int = 0) -> Readiness:
        """Of these figures."""
        parts = (pool_status(self.manager), registry_status(self.registry), router_status(self.router))
        return readiness(*parts, Observations(losses_before=losses_before))

    def test_ready_needs_connections_and_the_first_walk(self) -> None:
        """Everything that is missing is named, not only the first."""
        self.manager["connections"][0]["state"] = "waiting"
        self.registry["last_sync"] = None
        verdict = self.readiness()
        self.assertFalse(verdict.ok)
        self.assertEqual(len(verdict.missing), 2)
        self.assertEqual((verdict.connections_live, verdict.connections_least), (1, 2))

    def test_a_market_without_its_book_is_not_held(self) -> None:
        """An acknowledged subscription whose snapshot is owed does not count."""
        self.manager["connections"][1]["owed"] = 100
        self.assertFalse(self.readiness().ok)

    def test_losses_of_the_last_minutes(self) -> None:
        """They are named with their number and their cause, and older ones are not."""
        self.router.update(dropped=80_000, trouble="/capture: [Errno 28] No space left on device")
        verdict = self.readiness(losses_before=20_000)
        self.assertFalse(verdict.ok)
        self.assertEqual(
            verdict.missing,
            [
                "the capture cannot be written: /capture: [Errno 28] No space left on device",
                "60000 records were dropped within the last 300 s (80000 messages and 0 markers since the start): "
                "the disk refuses",
            ],
        )
        self.router["trouble"] = None
        self.assertTrue(self.readiness(losses_before=80_000).ok)

    def test_few_new_markets_do_not_make_it_flap(self) -> None:
        """One of 200 markets on its way leaves it ready."""
        self.assertTrue(self.readiness().ok)


class ClockTests(SynchronousTestCase):
    """The dates above."""

    def test_tuesday(self) -> None:
        """Two days later the weekly window begins at 07:00 UTC: New York is four hours behind in October."""
        self.assertEqual(datetime.fromtimestamp(TUESDAY, UTC).weekday(), 1)
        self.assertEqual((datetime.fromtimestamp(TUESDAY, UTC) + timedelta(days=2)).weekday(), 3)
