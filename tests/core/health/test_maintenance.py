"""The exchange's weekly window, and how long something holds."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.health.monitor import NEW_YORK, ConditionTimers, in_maintenance


def unix(text: str) -> float:
    """Unix time of a UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class MaintenanceTests(SynchronousTestCase):
    """in_maintenance."""

    def test_summer_and_winter(self) -> None:
        """The same hours in New York are other hours in UTC, and both ends are exact."""
        for begin in ("2026-07-16T07:00:00", "2026-12-17T08:00:00"):
            found = [in_maintenance(unix(begin) + seconds) for seconds in (-1, 0, 7199, 7200)]
            self.assertEqual(found, [False, True, True, False], begin)

    @given(st.integers(0, 4_000_000_000))
    def test_two_hours_of_each_week(self, at: int) -> None:
        """In any week that begins anywhere there is a Thursday with it, and no other day has it."""
        begin = datetime.fromtimestamp(at, NEW_YORK)
        hours = [begin.replace(minute=30) + timedelta(hours=n) for n in range(168)]
        found = {(hour.weekday(), hour.hour) for hour in hours if in_maintenance(hour.timestamp())}
        self.assertEqual(found, {(3, 3), (3, 4)})


class LastingTests(SynchronousTestCase):
    """Lasting."""

    def test_a_break_begins_anew(self) -> None:
        """Seconds count from the first look at which it held, until a look at which it did not."""
        lasting = ConditionTimers()
        for now, holds in ((0, True), (10, True), (20, False), (30, True)):
            lasting.note("low", holds, now)
        self.assertEqual(lasting.seconds(45), {"low": 15})
        self.assertEqual(lasting.seconds(20), {"low": 0})
