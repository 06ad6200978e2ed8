"""Tests for `gatherer.exchange.error_log`."""

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gatherer.exchange.error_log import INTERVAL, MAX_PLACES, ErrorLog

HAPPENINGS = st.lists(
    st.tuples(st.sampled_from(["gap", "json"]), st.integers(1, 30), st.integers(0, 9), st.floats(0, 90)), max_size=40
)


class ErrorLogTests(SynchronousTestCase):
    """One line a minute and kind, and nothing is lost."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.log = ErrorLog(self.clock)
        self.log.hold()
        self.lines: list[str] = []
        self.events: list[dict[str, Any]] = []
        observer = cast(ILogObserver, self.observe)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def observe(self, event: dict[str, Any]) -> None:
        """Keep each line."""
        self.lines.append(formatEvent(event))
        self.events.append(event)

    def gap(self, conn_id: int, size: int) -> None:
        """A gap on a connection."""
        self.log.report("gap", f"orderbook_delta-{conn_id}", f"sid 1 skipped {size} numbers", size, "numbers skipped")

    def test_the_first_has_its_line_and_the_others_share_one(self) -> None:
        """The second line says how many, how much and where, and it comes although no error follows."""
        for conn_id, size in ((7, 1), (7, 2), (8, 3), (7, 4), (9, 5), (7, 6)):
            self.gap(conn_id, size)
        self.assertEqual(self.lines, ["orderbook_delta-7: gap: sid 1 skipped 1 numbers"])
        self.clock.advance(INTERVAL)
        self.assertEqual(
            self.lines[1:],
            [
                "gap: 5 more since the last line of this kind, 20 numbers skipped, on orderbook_delta-7 (3), "
                "orderbook_delta-8, orderbook_delta-9; the last on orderbook_delta-7: sid 1 skipped 6 numbers"
            ],
        )
        self.clock.advance(INTERVAL)
        self.gap(8, 1)
        self.assertEqual((len(self.lines), len(self.clock.getDelayedCalls())), (3, 1))
        self.log.release()

    def test_the_places_are_bounded(self) -> None:
        """A storm on every connection names some and counts the others."""
        for conn_id in range(1, 151):
            self.gap(conn_id, 1)
        self.clock.advance(INTERVAL)
        self.assertIn(f" and {149 - MAX_PLACES} more; the last on", self.lines[1])
        self.assertLess(len(self.lines[1]), 600)
        self.log.release()

    def test_a_stop_leaves_neither_a_line_nor_a_timer(self) -> None:
        """What waits is written when the last connection has stopped. Errors after that have their own lines."""
        self.log.hold()
        self.gap(7, 1)
        self.gap(7, 2)
        self.log.release()
        self.assertEqual(len(self.lines), 1)
        self.log.release()
        self.assertEqual(len(self.lines), 2)
        self.gap(7, 3)
        self.gap(7, 4)
        self.assertEqual((len(self.lines), self.clock.getDelayedCalls()), (4, []))

    @given(HAPPENINGS)
    def test_no_error_is_lost(self, happenings: list[tuple[str, int, int, float]]) -> None:
        """The lines of a kind add up to its errors, and there is at most one a minute after the first."""
        clock = Clock()
        log, self.events = ErrorLog(clock), []
        log.hold()
        at = []
        for kind, conn_id, amount, pause in happenings:
            before = len(self.events)
            log.report(kind, f"trade-{conn_id}", "odd", amount, "bytes")
            clock.advance(pause)
            at += [(event["kind"], clock.seconds()) for event in self.events[before:]]
        log.release()
        for kind in ("gap", "json"):
            told = sum(int(str(event.get("times", 1))) for event in self.events if event["kind"] == kind)
            self.assertEqual(told, sum(each[0] == kind for each in happenings))
        self.assertEqual(clock.getDelayedCalls(), [])
