"""The timer that looks: lateness, ages, and the verdict as it changes."""

from typing import Any

import msgspec
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from gatherer.core.histograms import Measurements
from gatherer.interfaces import IConnectionManager
from gatherer.log.observer import format_text
from gatherer.ops.health import AGE_MEMORY, MAX_SAMPLE, PROBE_SECONDS, HealthService
from gatherer.values import Role
from tests.ops.support import Remembering, StubManager, StubRegistry, StubRouter
from tests.support.wall import wall_of

NOW = 1_791_849_600.0


class Sampled:
    """A connection that shows what the test wants."""

    def __init__(self, conn_id: int, role: Role) -> None:
        self.conn_id = conn_id
        self.role = role
        self.message: tuple[bytes, int] | None = None

    def latest_read(self) -> tuple[list[bytes], int] | None:
        """See `IConnection`."""
        return None if self.message is None else ([self.message[0]], self.message[1])


@implementer(IConnectionManager)
class SampledManager(StubManager):
    """With two such connections."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [Sampled(1, Role.TICKER), Sampled(7, Role.ORDERBOOK)]


class HealthServiceTests(SynchronousTestCase):
    """HealthService."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = NOW
        self.monotonic = 0.0
        self.meters = Measurements()
        self.manager, self.registry, self.router = SampledManager(), StubRegistry(), StubRouter()
        self.registry.figures.update(trading_active=True, last_sync=NOW)
        self.router.figures["dropped"] = 0
        parts = (self.manager, self.registry, self.router)
        self.health = HealthService(self.clock, wall_of(self.clock), lambda: self.monotonic, self.meters, *parts, 120.0)
        self.health.startService()
        self.addCleanup(self.finish)

    def finish(self) -> None:
        """No timer is left."""
        self.health.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def wait(self, seconds: float, late: float = 0.0) -> None:
        """Let probes happen, each late by so much."""
        for _ in range(round(seconds / PROBE_SECONDS)):
            self.monotonic += PROBE_SECONDS + late
            self.clock.advance(PROBE_SECONDS)

    def age(self, conn_id: int) -> float | None:
        """As it would be shown."""
        return self.health.ages().get(conn_id)

    def receive(self, conn_id: int, sent: float | None, at: float, more: bytes = b"") -> None:
        """A message read at `at` that was sent at `sent`; Unix seconds."""
        stamp = b"" if sent is None else b'"ts_ms":%d' % round(sent * 1000)
        part = next(each for each in self.manager.parts if each.conn_id == conn_id)
        part.message = (b'{"type":"ticker","msg":{%s}%s}' % (stamp, more), int(at * 1e9))

    def test_lateness_is_measured(self) -> None:
        """A timer on time is in the lowest bucket. One that was 0.3 s late is in its own, and reported for a minute."""
        self.wait(1.0)
        self.assertEqual(self.meters.reactor_lag.buckets()[0], (0.001, 10))
        self.wait(PROBE_SECONDS, late=0.3)
        self.assertEqual(dict(self.meters.reactor_lag.buckets())[0.25], 10)
        self.assertEqual(dict(self.meters.reactor_lag.buckets())[0.5], 11)
        self.assertAlmostEqual(self.health.observations().lag_seconds, 0.3)
        self.wait(61.0)
        self.assertAlmostEqual(self.health.observations().lag_seconds, 0.0)

    def test_a_clock_that_is_set_is_no_lateness(self) -> None:
        """An NTP step of an hour moves the wall clock, not the measure."""
        self.clock.advance(3600.0)
        self.monotonic += PROBE_SECONDS
        self.wait(1.0)
        self.assertLess(self.health.observations().lag_seconds, PROBE_SECONDS + 0.001)

    def test_ages_are_sampled_once_a_second(self) -> None:
        """Each message that is seen counts once, by role; the latest of a connection is shown."""
        self.receive(1, NOW - 0.04, NOW)
        self.receive(7, NOW - 3.0, NOW)
        self.wait(5.0)
        self.assertEqual(self.meters.message_age[Role.TICKER].buckets()[-1][1], 1)
        self.assertEqual(dict(self.meters.message_age[Role.ORDERBOOK].buckets())[5.0], 1)
        self.assertAlmostEqual(self.age(1) or 0, 0.04, places=3)
        self.receive(1, NOW + 4.9, NOW + 5.0)
        self.wait(1.0)
        self.assertEqual(self.meters.message_age[Role.TICKER].buckets()[-1][1], 2)
        self.assertAlmostEqual(self.age(1) or 0, 0.1, places=3)

    def test_clock_skew_is_a_negative_age(self) -> None:
        """A message from the future is in the lowest bucket."""
        self.receive(1, NOW + 2.0, NOW)
        self.wait(1.0)
        self.assertEqual(self.meters.message_age[Role.TICKER].buckets()[0], (0.0, 1))
        self.assertAlmostEqual(self.age(1) or 0, -2.0, places=3)

    def test_what_has_no_time_is_left_out(self) -> None:
        """Replies, books, what is no message at all and what is too long to read."""
        for sent, more in ((None, b""), (NOW, b"x"), (NOW, b',"a":"%s"' % (b"x" * MAX_SAMPLE)), (0, b"")):
            self.receive(1, sent, self.clock.seconds(), more)
            self.wait(1.0)
        self.assertEqual(self.meters.message_age[Role.TICKER].buckets()[-1][1], 0)
        self.assertIsNone(self.age(1))

    def test_an_old_sample_is_not_shown(self) -> None:
        """A connection that brings nothing any more has no age."""
        self.receive(1, NOW - 0.04, NOW)
        self.wait(1.0)
        self.assertIsNotNone(self.age(1))
        self.wait(AGE_MEMORY)
        self.assertIsNone(self.age(1))

    def test_each_change_is_one_line(self) -> None:
        """Ok, frozen, ok again: three lines in an hour, with the reason."""
        events: list[dict[str, Any]] = []
        observer = Remembering(events)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.manager.figures["divergence"] = 0
        self.wait(1800.0)
        self.registry.figures["last_sync"] = self.clock.seconds()
        for each in self.manager.figures["connections"]:
            each["forwarded"] += 1
        self.wait(10.0)
        lines = [format_text(event)[25:] for event in events]
        self.assertEqual(len(lines), 3, lines)
        self.assertIn("health was starting, is ok: all is well", lines[0])
        self.assertTrue(lines[1].startswith("error"), lines)
        self.assertIn("health was ok, is failing: the feed is frozen", lines[1])
        self.assertIn("health was failing, is ok", lines[2])

    def test_a_bug_in_a_status_does_not_stop_the_timer(self) -> None:
        """It is logged, and the next look is taken."""
        good, self.manager.figures = self.manager.figures, {}
        self.wait(5.0)
        self.assertEqual(len(self.flushLoggedErrors(msgspec.ValidationError)), 1)
        self.manager.figures = good
        self.wait(5.0)
        self.assertIsNotNone(self.health.observations().feed)
