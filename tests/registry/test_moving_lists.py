"""Markets move while the pages of a walk are read: none slips through."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.interfaces import IExchangeRest
from gatherer.registry.registry import MIN_GAP, MarketRegistry
from tests.registry.moving_rest import INDEX, POSITION, TICKER, MovingExchange, MovingRest
from tests.registry.test_registry import START, Recorder
from tests.support.wall import wall_of

OLD = ("A", "B", "C", "D", "E", "F", "G", "H")
NEW = ("a", "K", "X")
VERBS = ("create", "pause", "resume", "resume", "close", "reopen", "settle")
SECONDS = st.integers(1, 12).map(float)
LISTED = st.lists(st.tuples(st.sampled_from(("initialized", "active", "inactive")), SECONDS), max_size=len(OLD))
MOVES = st.lists(
    st.lists(st.tuples(st.sampled_from(VERBS), st.sampled_from(OLD + NEW), SECONDS), max_size=3), max_size=14
)


class MovingRig:
    """A registry, and an exchange whose markets move between two pages."""

    def __init__(self, case: SynchronousTestCase, cursor: str, page_size: int, interval: float = 300.0) -> None:
        self.case = case
        self.clock = Clock()
        self.clock.advance(START)
        self.exchange = MovingExchange(self.clock, self.announce)
        self.rest = MovingRest(self.exchange, cursor, page_size)
        self.registry = MarketRegistry(
            self.rest, self.clock, wall_of(self.clock), reconcile_interval=interval, random=lambda: 0.5
        )
        self.recorder = Recorder(case)

    def announce(self, kind: str, ticker: str, **times: float) -> None:
        """Deliver an event at once."""
        body = {"market_ticker": ticker, "event_type": kind, **times}
        message = json.dumps({"type": "market_lifecycle_v2", "sid": 1, "seq": 1, "msg": body}).encode()
        self.registry.lifecycle_messages([message])

    def run(self, seconds: float) -> None:
        """Let time pass. What is known and has been open for a second is carried, at every moment."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            self.clock.advance(0.5)
            while any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
                self.clock.advance(0)
            self.check_openings()

    def check_openings(self) -> None:
        """No market waits for its opening longer than a second."""
        for ticker in self.exchange.markets:
            facts: Any = self.registry.describe(ticker)
            if facts and facts["status"] == "unopened" and facts["open_ts"] + 1.0 <= self.clock.seconds():
                self.case.assertTrue(facts["carried"], ticker)

    def walk(self) -> None:
        """The first walk, with its moves, and the look-ups that follow; not the next walk."""
        walked = self.registry.start(self.recorder)
        while not walked.called:
            self.run(1)
        self.rest.moves.clear()
        self.run(MIN_GAP - 2)

    def missing(self) -> set[str]:
        """Markets that trade and are not carried."""
        self.exchange.pass_time()
        self.case.assertEqual(self.recorder.carrying, self.registry.active())
        return self.exchange.trading() - self.registry.active()

    def stop(self) -> None:
        """No timer is left."""
        self.case.successResultOf(self.registry.stop())
        self.case.assertEqual(self.clock.getDelayedCalls(), [])


class MovingListTests(SynchronousTestCase):
    """The exchange has up to eight markets before the walk, and moves and adds some between any two pages."""

    def rig(self, listed: list[tuple[str, float]], moves: Any, cursor: str, page_size: int) -> MovingRig:
        """A registry that has made its first walk."""
        rig = MovingRig(self, cursor, page_size)
        for ticker, (status, opens_in) in zip(OLD, listed, strict=False):
            rig.exchange.add(ticker, status, opens_in if status == "initialized" else -3600.0)
        rig.rest.moves = [list(between) for between in moves]
        rig.walk()
        return rig

    def test_interface(self) -> None:
        """The moving lists are what the registry asks for."""
        verifyObject(IExchangeRest, MovingRig(self, INDEX, 2).rest)

    @settings(max_examples=300, deadline=None)
    @given(LISTED, MOVES, st.sampled_from((INDEX, TICKER)), st.integers(1, 3))
    def test_none_slips_through(self, listed: list[tuple[str, float]], moves: Any, cursor: str, page_size: int) -> None:
        """Whichever way markets move, the walk and the events of its time together miss none."""
        rig = self.rig(listed, moves, cursor, page_size)
        self.assertEqual(rig.missing(), set())
        rig.stop()

    @settings(max_examples=150, deadline=None)
    @given(LISTED, MOVES, MOVES, st.sampled_from((INDEX, TICKER, POSITION)), st.integers(1, 3))
    def test_known_markets_stay(self, listed: Any, moves: Any, later: Any, cursor: str, page_size: int) -> None:
        """A later walk loses no market that was known before, though settlements shift the pages."""
        rig = self.rig(listed, moves, cursor, page_size)
        known = set(rig.registry.active())
        rig.rest.moves = [list(between) for between in later]
        rig.run(330)
        self.assertEqual(rig.missing() & known, set())
        rig.stop()

    @settings(max_examples=100, deadline=None)
    @given(st.integers(1, 3), st.integers(0, 7), st.integers(0, 24), st.sampled_from(("settle", "pause", "close")))
    def test_one_shift_hides_none(self, page_size: int, leaving: int, at: int, verb: str) -> None:
        """Pages by position: one market leaves between any two pages of the first walk, and no other is missed."""
        moves: list[Any] = [[] for _ in range(at)] + [[(verb, OLD[leaving], 1.0)]]
        rig = self.rig([("active", 1.0)] * 8, moves, POSITION, page_size)
        self.assertEqual(rig.missing(), set())
        rig.stop()

    @settings(max_examples=150, deadline=None)
    @given(LISTED, MOVES, st.integers(1, 3))
    def test_shifts_are_made_good(self, listed: list[tuple[str, float]], moves: Any, page_size: int) -> None:
        """Pages by position: what any number of shifts hides from a walk is found by the next one in peace."""
        rig = self.rig(listed, moves, POSITION, page_size)
        rig.run(330)
        self.assertEqual(rig.missing(), set())
        rig.stop()

    @example(opens_in=1.0)
    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 80).map(lambda quarters: quarters / 4))
    def test_opening_during_a_later_walk(self, opens_in: float) -> None:
        """A market that no event announced opens at any moment of a walk: that walk has it."""
        rig = self.rig([("active", 1.0)] * 8, [], INDEX, 1)
        rig.run(300 - MIN_GAP)
        rig.exchange.add("X", "initialized", opens_in)
        rig.run(40)
        self.assertEqual(rig.missing(), set())
        rig.stop()
