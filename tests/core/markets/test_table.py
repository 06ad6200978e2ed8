"""The table of markets, rule by rule (protocol section 7), and against a model of the exchange."""

import gc
import random
import tracemalloc
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.markets.market import Market
from gatherer.core.markets.table import MarketTable
from gatherer.values import Change, LifecycleEvent, MarketChange, MarketRow
from tests.core.markets.exchange_model import ExchangeModel
from tests.strategies import market_steps

START = 1_792_072_800.0
DAY = 86_400.0


def make_row(ticker: str, status: str = "active", opens: float = -DAY, closes: float = DAY) -> MarketRow:
    """A REST row; times are relative to START."""
    moments = [datetime.fromtimestamp(START + offset, UTC) for offset in (opens, closes)]
    return MarketRow(ticker, status, *moments)


class TableRig:
    """A table, a clock that only the test moves, and a listener that checks the changes."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self.case = case
        self.now = self.monotonic = START
        self.table = MarketTable()
        self.carried: set[str] = set()
        self.log: list[str] = []

    def apply(self, changes: list[MarketChange]) -> None:
        """Apply changes as a listener does; refuse wrong ones."""
        for change in changes:
            self.log.append(f"{change.change.value} {change.ticker}")
            self.case.assertEqual(change.ticker in self.carried, change.change is not Change.ADD, change)
            if change.change is Change.ADD:
                self.carried.add(change.ticker)
            elif change.change is Change.REMOVE:
                self.carried.remove(change.ticker)
        self.case.assertEqual(self.carried, self.table.active())

    def event(self, kind: str, ticker: str = "A", opens: float | None = None, closes: float | None = None) -> None:
        """A lifecycle event; times are relative to START."""
        open_ts, close_ts = (None if t is None else START + t for t in (opens, closes))
        self.apply(self.table.lifecycle(LifecycleEvent(ticker, kind, open_ts, close_ts), self.now, self.monotonic))

    def walk(self, *rows: MarketRow) -> None:
        """A complete walk within one moment."""
        self.table.walk_started(self.monotonic, self.now)
        self.apply(self.table.rows(rows, self.now))
        for _ in self.table.walk_finished():
            self.case.assertEqual(self.carried, self.table.active())

    def at(self, seconds: float) -> None:
        """Let time pass until START + seconds and act at each due time."""
        while (due := self.table.next_due()) is not None and due <= START + seconds:
            self.now = self.monotonic = max(self.now, due)
            self.apply(self.table.tick(self.now))
        self.now = self.monotonic = START + seconds

    def answer(self, **rows: MarketRow | None) -> None:
        """Check that exactly these look-ups are queued, and answer them."""
        self.case.assertEqual(sorted(self.table.take_lookups(1000)), sorted(rows))
        for ticker, row in rows.items():
            self.apply(self.table.looked_up(ticker, row, self.monotonic, self.now))

    def expect(self, *expected: str) -> None:
        """Check that exactly these changes came since the last check."""
        log, self.log = self.log, []
        self.case.assertEqual(log, list(expected))


class WalkTests(SynchronousTestCase):
    """Rows of REST."""

    def setUp(self) -> None:
        """A table with market A carried."""
        self.rig = TableRig(self)
        self.rig.walk(make_row("A"))
        self.rig.expect("add A")

    def test_only_open_markets_are_carried(self) -> None:
        """Of all statuses of a row only `active` is carried at once, and it makes one change."""
        statuses = ("initialized", "inactive", "closed", "determined", "disputed", "amended", "finalized", "active")
        rows = [make_row(status, status, opens=10.0 if status == "initialized" else -10.0) for status in statuses]
        self.rig.walk(make_row("A"), *rows, *rows)
        self.rig.expect("add active")

    def test_page_of_open_markets_with_a_closed_one(self) -> None:
        """The row's own status counts, not the filter's."""
        self.rig.walk(make_row("A", "closed"))
        self.rig.expect("remove A")

    def test_unknown_status_changes_nothing_and_is_counted(self) -> None:
        """An unknown status adds nothing and removes nothing."""
        self.rig.walk(make_row("A", "frozen"), make_row("B", "frozen"))
        self.rig.expect()
        self.assertEqual(self.rig.table.unknown_statuses, {"frozen": 2})
        self.assertEqual(self.rig.table.take_lookups(10), [])

    def test_unknown_statuses_are_bounded(self) -> None:
        """A thousand different unknown statuses do not fill the memory."""
        self.rig.walk(*(make_row("B", f"odd-{number}") for number in range(1000)))
        self.assertLessEqual(len(self.rig.table.unknown_statuses), 21)
        self.assertEqual(sum(self.rig.table.unknown_statuses.values()), 1000)

    def test_vanished_market_is_confirmed_first(self) -> None:
        """A carried market that a walk lacks is looked up, and removed when REST answers closed or unknown."""
        for answer in (make_row("A", "finalized"), None):
            rig = TableRig(self)
            rig.walk(make_row("A"))
            rig.walk()
            rig.expect("add A")
            rig.answer(A=answer)
            rig.expect("remove A")

    def test_vanished_but_alive(self) -> None:
        """A market that is missing from a walk stays if its look-up finds it active or inactive."""
        for status in ("active", "inactive"):
            self.rig.walk()
            self.rig.answer(A=make_row("A", status))
        self.rig.expect()

    def test_partial_walk_makes_nothing_vanish(self) -> None:
        """A walk without an end looks up no market, but its rows count."""
        self.rig.table.walk_started(self.rig.monotonic, self.rig.now)
        self.rig.apply(self.rig.table.rows([make_row("B")], self.rig.now))
        self.rig.expect("add B")
        self.assertEqual(self.rig.table.take_lookups(10), [])

    def test_vanished_unopened_market(self) -> None:
        """A provisional market that disappears before it opens is never added."""
        self.rig.walk(make_row("A"), make_row("B", "initialized", opens=600.0))
        self.rig.walk(make_row("A"))
        self.rig.answer(B=None)
        self.rig.at(900)
        self.rig.expect()

    def test_lookups_are_handed_out_once_and_can_come_back(self) -> None:
        """A failed look-up is queued again; no market has two look-ups at a time."""
        self.rig.walk(make_row("A"), make_row("B"))
        self.rig.walk()
        first, second = self.rig.table.take_lookups(1), self.rig.table.take_lookups(9)
        self.assertEqual(sorted(first + second), ["A", "B"])
        self.rig.table.look_up([*second, "never heard of"])
        self.assertEqual(self.rig.table.take_lookups(9), second)

    def test_overlooked_markets_are_counted(self) -> None:
        """An open market that the last walk should have listed counts. Markets that opened since do not."""
        self.rig.at(300)
        rows = [make_row("A"), make_row("B"), make_row("C", opens=100.0), make_row("D", "initialized", opens=400.0)]
        self.rig.walk(*rows)
        self.rig.walk(*rows)
        self.assertEqual(self.rig.table.overlooked, 1)

    def test_postponed_opening(self) -> None:
        """When REST moves the opening of a carried market, it is removed and added again at the new time."""
        self.rig.walk(make_row("A"), make_row("B", "initialized", opens=10.0))
        self.rig.at(20)
        self.rig.expect("add B")
        self.rig.walk(make_row("A"), make_row("B", "initialized", opens=100.0))
        self.rig.expect("remove B")
        self.rig.at(100)
        self.rig.expect("add B")

    def test_pause_that_ended_unnoticed(self) -> None:
        """When a walk finds a paused market active again, its book is refreshed: the pause emptied it."""
        self.rig.event("deactivated")
        self.rig.at(60)
        self.rig.walk(make_row("A"))
        self.rig.expect("refresh A")


class EventTests(SynchronousTestCase):
    """Lifecycle events."""

    def setUp(self) -> None:
        """A table with market A carried."""
        self.rig = TableRig(self)
        self.rig.walk(make_row("A"))
        self.rig.expect("add A")

    def test_created_waits_for_its_open_time(self) -> None:
        """A created market is added at its open time, not before."""
        self.rig.event("created", "B", opens=600, closes=1200)
        self.rig.at(599)
        self.rig.expect()
        self.rig.at(600)
        self.rig.expect("add B")

    def test_created_already_open(self) -> None:
        """A market whose open time has passed is added at once."""
        self.rig.event("created", "B", opens=-5, closes=1200)
        self.rig.expect("add B")

    def test_created_without_times(self) -> None:
        """After a created event without times, a row of REST of any age fills them in."""
        self.rig.table.walk_started(self.rig.monotonic, self.rig.now)
        self.rig.event("created", "B")
        self.rig.expect()
        self.rig.apply(self.rig.table.rows([make_row("B", "initialized", opens=50.0)], self.rig.now))
        self.rig.at(50)
        self.rig.expect("add B")

    def test_activated_adds_what_is_not_held(self) -> None:
        """An unknown or unopened market is added when it is activated."""
        self.rig.event("created", "B", opens=600, closes=1200)
        self.rig.event("activated", "B")
        self.rig.event("activated", "C")
        self.rig.expect("add B", "add C")

    def test_activated_refreshes_what_is_held(self) -> None:
        """A carried market is refreshed when it is activated: its book was emptied."""
        self.rig.event("activated")
        self.rig.expect("refresh A")

    def test_activated_by_the_pair_refreshes_once(self) -> None:
        """A second copy within seconds changes nothing; the same event a minute later is a new event."""
        self.rig.event("activated")
        self.rig.event("activated")
        self.rig.expect("refresh A")
        self.rig.at(60)
        self.rig.event("activated")
        self.rig.expect("refresh A")

    def test_activated_after_opening_by_time(self) -> None:
        """A market that was added at its open time is refreshed when it is activated afterwards."""
        self.rig.event("created", "B", opens=10, closes=1200)
        self.rig.at(20)
        self.rig.event("activated", "B")
        self.rig.expect("add B", "refresh B")

    def test_deactivated_is_a_pause(self) -> None:
        """A deactivated market stays. When it is activated again, it is refreshed once for the pair of connections."""
        for kind in ("deactivated", "deactivated", "activated", "activated"):
            self.rig.event(kind)
        self.rig.expect("refresh A")

    def test_deactivated_market_that_is_not_held(self) -> None:
        """A pause does not add a market."""
        self.rig.event("deactivated", "B")
        self.rig.expect()
        self.rig.event("activated", "B")
        self.rig.expect("add B")

    def test_end(self) -> None:
        """`determined` removes, `settled` removes too without it, and copies do nothing."""
        self.rig.walk(make_row("A"), make_row("B"))
        for kind in ("determined", "determined", "settled", "settled"):
            self.rig.event(kind)
        self.rig.event("settled", "B")
        self.rig.event("settled", "never heard of")
        self.rig.expect("add B", "remove A", "remove B")

    def test_events_that_change_no_market(self) -> None:
        """Metadata, tick sizes and unknown kinds change nothing."""
        before = self.rig.table.describe("A")
        for kind in ("metadata_updated", "price_level_structure_updated", "something_new"):
            self.rig.event(kind, closes=5.0)
            self.rig.event(kind, "B")
        self.assertEqual((self.rig.table.describe("A"), self.rig.table.describe("B")), (before, None))

    def test_event_wins_over_a_row_read_before(self) -> None:
        """A row of a walk that began before the event does not undo it. A row from REST's cache does not either."""
        self.rig.table.walk_started(self.rig.monotonic, self.rig.now)
        self.rig.at(30)
        self.rig.event("determined")
        self.rig.apply(self.rig.table.rows([make_row("A")], self.rig.now))
        self.rig.at(44)
        self.rig.walk(make_row("A"))
        self.rig.expect("remove A")

    def test_later_row_wins_over_the_event(self) -> None:
        """A walk that began long enough after an event wins over it."""
        self.rig.event("determined")
        self.rig.at(16)
        self.rig.walk(make_row("A"))
        self.rig.expect("remove A", "add A")

    def test_event_during_a_walk_is_no_vanishing(self) -> None:
        """A market that is activated during a walk is not looked up because it is missing in the walk."""
        self.rig.table.walk_started(self.rig.monotonic, self.rig.now)
        self.rig.event("activated", "B")
        list(self.rig.table.walk_finished())
        self.assertEqual(self.rig.table.take_lookups(10), ["A"])

    def test_look_up_older_than_the_event(self) -> None:
        """An answer to a look-up from before an event does not undo the event."""
        self.rig.walk()
        self.assertEqual(self.rig.table.take_lookups(10), ["A"])
        asked_at = self.rig.monotonic
        self.rig.at(3)
        self.rig.event("activated")
        self.rig.apply(self.rig.table.looked_up("A", None, asked_at, self.rig.now))
        self.rig.expect("refresh A")

    def test_late_copy_does_not_revive(self) -> None:
        """Late copies of old events do not revive a market that is over."""
        self.rig.event("determined")
        for kind in ("created", "deactivated", "activated", "close_date_updated"):
            self.rig.event(kind, opens=-100, closes=500)
        self.rig.expect("remove A")
        self.rig.at(15)
        self.rig.answer(A=make_row("A", "determined"))
        self.rig.expect()

    def test_real_revival_is_confirmed(self) -> None:
        """A market that is over and is activated comes back when REST confirms it."""
        self.rig.event("determined")
        self.rig.event("activated")
        self.rig.at(15)
        self.rig.answer(A=make_row("A"))
        self.rig.expect("remove A", "add A")

    def test_clock_set_back(self) -> None:
        """When our clock is set back an hour, earlier events do not win over REST for an hour."""
        self.rig.event("activated")
        self.rig.now -= 3600
        self.rig.monotonic += 20
        self.rig.walk(make_row("A", "closed"))
        self.rig.expect("refresh A", "remove A")


class CloseTests(SynchronousTestCase):
    """No event reports that a market closes."""

    def setUp(self) -> None:
        """Market A is carried and closes after 100 s."""
        self.rig = TableRig(self)
        self.rig.walk(make_row("A", closes=100.0))
        self.rig.expect("add A")

    def test_confirmed_after_the_grace_time(self) -> None:
        """Two minutes after the close time the market is looked up; only the answer removes it."""
        self.rig.at(219)
        self.assertEqual(self.rig.table.take_lookups(10), [])
        self.rig.at(220)
        self.rig.expect()
        self.rig.answer(A=make_row("A", "closed", closes=100.0))
        self.rig.expect("remove A")

    def test_not_confirmed_is_asked_again(self) -> None:
        """While REST answers active or inactive, or does not answer, the look-up is repeated after each grace time."""
        for seconds, status in ((220, "active"), (340, "inactive")):
            self.rig.at(seconds)
            self.rig.answer(A=make_row("A", status, closes=100.0))
        self.rig.at(460)
        self.assertEqual(self.rig.table.take_lookups(10), ["A"])
        self.rig.at(580)
        self.rig.answer(A=None)
        self.rig.expect("remove A")

    def test_close_moved_later(self) -> None:
        """A later close time delays the look-up."""
        self.rig.event("close_date_updated", closes=1000)
        self.rig.at(1119)
        self.assertEqual(self.rig.table.take_lookups(10), [])
        self.rig.at(1120)
        self.assertEqual(self.rig.table.take_lookups(10), ["A"])

    def test_close_moved_earlier(self) -> None:
        """An earlier close time brings the look-up forward: early determination starts with it."""
        self.rig.event("close_date_updated", closes=10)
        self.rig.at(130)
        self.rig.answer(A=make_row("A", "closed", closes=10.0))
        self.rig.expect("remove A")

    def test_reopened(self) -> None:
        """A closed market is added again when its close time moves into the future."""
        self.rig.at(220)
        self.rig.answer(A=make_row("A", "closed", closes=100.0))
        self.rig.event("close_date_updated", closes=1000)
        self.rig.event("close_date_updated", closes=1000)
        self.rig.expect("remove A", "add A")
        self.rig.at(1120)
        self.assertEqual(self.rig.table.take_lookups(10), ["A"])

    def test_close_moved_within_the_past(self) -> None:
        """A closed market is not added when its new close time is in the past."""
        self.rig.at(220)
        self.rig.answer(A=make_row("A", "closed", closes=100.0))
        self.rig.event("close_date_updated", closes=50)
        self.rig.expect("remove A")

    def test_reopened_market_nobody_remembers(self) -> None:
        """After a new close time an unknown market is looked up, and the answer decides."""
        self.rig.event("close_date_updated", "B", closes=1000)
        self.rig.event("close_date_updated", "C", closes=-1000)
        self.rig.at(15)
        self.rig.answer(B=make_row("B"))
        self.rig.expect("add B")

    def test_forgotten_in_the_end(self) -> None:
        """An hour after its end a market is forgotten: 74,000 settle each day."""
        self.rig.event("settled")
        self.rig.at(3599)
        self.assertEqual(len(self.rig.table), 1)
        self.rig.at(3600)
        self.assertEqual((len(self.rig.table), self.rig.table.next_due()), (0, None))

    def test_tick_is_bounded(self) -> None:
        """Many markets that open in the same second come in pieces of limited size, and none is lost."""
        self.rig.walk(make_row("A"), *(make_row(f"B{n}", "initialized", opens=10.0) for n in range(2500)))
        self.rig.now = START + 10
        sizes = []
        while (due := self.rig.table.next_due()) is not None and due <= self.rig.now:
            changes = self.rig.table.tick(self.rig.now, 1000)
            self.rig.apply(changes)
            sizes.append(len(changes))
        self.assertEqual(sizes, [1000, 1000, 500])


class ActiveTests(SynchronousTestCase):
    """The view of the carried markets behaves like a set."""

    def test_set_operations(self) -> None:
        """It follows changes, it compares like a set, and `&` and `-` make new sets."""
        table = MarketTable()
        active = table.active()
        table.rows([make_row("A"), make_row("B"), make_row("C", "finalized")], START)
        self.assertEqual((active, len(active)), ({"A", "B"}, 2))
        self.assertEqual([thing in active for thing in ("A", "C", "never heard of")], [True, False, False])
        others = {"B", "X"}
        self.assertEqual((active - others, others ^ active, active | others), ({"A"}, {"A", "X"}, {"A", "B", "X"}))
        rest = active & {"A"}
        table.rows([make_row("A", "finalized")], START)
        self.assertEqual((rest, active, sorted(active)), ({"A"}, {"B"}, ["B"]))


class SizeTests(SynchronousTestCase):
    """A million markets must fit into memory."""

    def test_slim(self) -> None:
        """A market costs at most 190 bytes besides its ticker, and the garbage collector does not track it."""
        count = 20_000
        rows = [make_row(f"B{n}", closes=DAY + n % 97) for n in range(count)]
        table = MarketTable()
        tracemalloc.start()
        table.walk_started(START, START)
        table.rows(rows, START)
        total = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        self.assertLessEqual(total / count, 190)
        self.assertFalse(hasattr(Market("x"), "__dict__"))
        self.assertFalse(gc.is_tracked(Market("x", due={})))

    def test_walks_over_unchanged_markets_cost_nothing(self) -> None:
        """A day of walks over the same markets does not grow the table."""
        table, rows = MarketTable(), [make_row(f"B{n}") for n in range(100)]
        table.walk_started(START, START)
        table.rows(rows, START)
        tracemalloc.start()
        for number in range(288):
            table.walk_started(START + number, START + number)
            table.rows(rows, START + number)
            list(table.walk_finished())
        grown = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        self.assertLess(grown, 20_000)


class ModelTests(SynchronousTestCase):
    """Events come late, twice or never: in the end the table has the truth."""

    @settings(max_examples=300, deadline=None)
    @given(market_steps(), st.integers(0, 2**32))
    def test_ends_in_the_truth(self, steps: list[tuple[str, str, float]], seed: int) -> None:
        """After events stop and walks succeed, exactly the open markets are carried. A paused one may be."""
        rig = TableRig(self)
        model = ExchangeModel(START, random.Random(seed))
        for verb, ticker, number in steps:
            model.do(verb, ticker, number, rig)
        model.come_to_rest(rig)
        self.assertLessEqual(model.tickers("active"), rig.carried)
        self.assertLessEqual(rig.carried, model.tickers("active", "inactive"))
