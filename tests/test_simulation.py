"""Short days of `tests.simulation`, and proof that their checks can fail."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.interfaces import IExchangeRest, IMarketChangeListener, IMessageRouter
from gatherer.simulator.exchange import Exchange
from gatherer.values import Change, Marker, MarketChange, RawMessage
from tests.simulation.__main__ import options
from tests.simulation.day import Day, Outcome
from tests.simulation.fault_schedule import maintenance
from tests.support.audit import Auditor
from tests.support.catalogue_rest import CatalogueRest, ListingRest
from tests.support.heap_clock import HeapClock
from tests.support.pool import FakeRegistry, Pool
from tests.support.recording import ChangeRecorder, PlannedFailure

DELTA = b'{"type":"orderbook_delta","sid":1,"seq":%d,"msg":{}}'
OK = b'{"type":"ok","id":3,"sid":1,"seq":%d,"msg":{}}'


def day(seed: int, hours: float) -> Outcome:
    """The first hours of a day, the last two of them quiet."""
    return Day(seed, hours).run_all()


class DayTests(SynchronousTestCase):
    """150 connections, 2,500 markets, some forty faults each."""

    def tearDown(self) -> None:
        """The pool may fail where a day plans it."""
        self.flushLoggedErrors(PlannedFailure)

    def test_an_ordinary_night(self) -> None:
        """The day passes, and its faults had effects."""
        outcome = day(1, 7.0)
        self.assertEqual(outcome.faults, [])
        figures = outcome.figures
        for name in ("messages", "adds", "sockets lost", "ends", "short-lived markets in time"):
            self.assertGreater(figures[name], 0, name)

    def test_a_night_with_maintenance(self) -> None:
        """Thursday, 03:00 to 05:00 in New York, costs only the subscriptions of the sockets that were cut."""
        subject = Day(2, 8.0)
        self.assertIsNotNone(maintenance(subject.size.start))
        self.assertEqual(subject.run_all().faults, [])

    def test_a_seed_is_a_day(self) -> None:
        """The same seed gives the same bytes and markers in the same order. Another seed does not."""
        digests = [day(seed, 2.5).digest for seed in (5, 5, 6)]
        self.assertEqual(digests[0], digests[1])
        self.assertNotEqual(digests[0], digests[2])

    def test_options(self) -> None:
        """The command line of `tox -e simulate`."""
        self.assertEqual(options(["--seeds", "500"]).seeds, 500)
        self.assertEqual((options(["--seed", "17", "--trace"]).seed, options([]).trace), (17, False))


class AuditorTests(SynchronousTestCase):
    """The judge of the capture: each thing that can be wrong with it is found."""

    def setUp(self) -> None:
        self.auditor = Auditor()
        self.auditor.mark(Marker("session_up", 7, 0))

    def bring(self, *payloads: bytes) -> None:
        """Over the socket."""
        for payload in payloads:
            self.auditor.delivery(7, payload)

    def capture(self, payload: bytes, gap: int = 0, flag: bool | None = None) -> None:
        """Into the router."""
        self.auditor.deliver([RawMessage(payload, 7, 0, gap > 0 if flag is None else flag, gap)])

    def verdict(self) -> int:
        """How many faults were found."""
        self.auditor.check_all()
        return len(self.auditor.faults)

    def test_all_is_well(self) -> None:
        """Replies take numbers, and holes before them are told by the next message of the sid."""
        self.bring(DELTA % 1, OK % 2, DELTA % 3, OK % 5, DELTA % 6, DELTA % 6)
        for number, gap in ((1, 0), (3, 0), (6, 1), (6, 0)):
            self.capture(DELTA % number, gap)
        self.auditor.mark(Marker("gap", 7, 0, {"size": 1}))
        self.assertEqual(self.verdict(), 0)

    def test_each_fault_is_found(self) -> None:
        """Lost, changed, or out of order; a hole not told, told without need, or told wrong; a marker left out."""
        wrong: list[Callable[[], None]] = [
            lambda: None,
            lambda: self.capture(DELTA % 2),
            lambda: self.capture(DELTA % 1, 1),
            lambda: self.capture(DELTA % 1, 0, True),
            self._capture_twice,
        ]
        for act in wrong:
            self.setUp()
            self.bring(DELTA % 1)
            act()
            self.assertGreater(self.verdict(), 0)
        self.setUp()
        self.bring(DELTA % 3)
        self.capture(DELTA % 3, 2)
        self.assertEqual(self.verdict(), 1)

    def _capture_twice(self) -> None:
        for _ in range(2):
            self.capture(DELTA % 1)


class TapTests(SynchronousTestCase):
    """What the registry tells is held against what it says is active."""

    def test_each_fault_is_found(self) -> None:
        """Added but not active; removed but never added."""
        for change in (Change.ADD, Change.REMOVE, Change.REFRESH):
            pool = Pool()
            recorder = ChangeRecorder(pool.manager, FakeRegistry())
            recorder.markets_changed([MarketChange("A", change)])
            self.assertEqual(bool(recorder.faults), True, change)


class HeapClockTests(SynchronousTestCase):
    """The same as `task.Clock`, faster."""

    def told(self, clock: Clock | HeapClock, run: Callable[[float], None]) -> list[tuple[str, float]]:
        """What a few calls do that are moved, cancelled and ask for others."""
        told: list[tuple[str, float]] = []

        def tell(name: str) -> None:
            told.append((name, clock.seconds()))
            if name == "again":
                clock.callLater(0, tell, "at once")

        calls = {name: clock.callLater(number, tell, name) for number, name in enumerate("abcde")}
        clock.callLater(2.5, tell, "again")
        calls["a"].reset(4.5)
        calls["d"].reset(0.5)
        calls["b"].cancel()
        calls["c"].delay(1.0)
        calls["c"].reset(0.25)
        self.assertEqual(len(clock.getDelayedCalls()), 5)
        for _ in range(8):
            run(0.75)
        self.assertEqual([calls["a"].active(), clock.getDelayedCalls()], [False, []])
        return told

    def test_it_does_what_task_clock_does(self) -> None:
        """The same calls in the same order."""
        clock, heap = Clock(), HeapClock(0.0)
        expected = [name for name, _ in self.told(clock, clock.advance)]
        seen = self.told(heap, lambda seconds: heap.run_until(heap.seconds() + seconds))
        self.assertEqual([name for name, _ in seen], expected)
        self.assertEqual(dict(seen)["again"], 2.5)

    def test_contracts(self) -> None:
        """Of the clock and of all the fakes."""
        clock = HeapClock(0.0)
        verifyObject(IReactorTime, clock)
        verifyObject(IDelayedCall, clock.callLater(1, lambda: None))
        exchange = Exchange(3)
        for rest in (CatalogueRest(exchange, clock, 0.1, 5), ListingRest(exchange, clock, 0.1, 5)):
            verifyObject(IExchangeRest, rest)
        verifyObject(IMessageRouter, Auditor())
        verifyObject(IMarketChangeListener, ChangeRecorder(Pool().manager, FakeRegistry()))

    def test_both_kinds_of_rest_say_the_same(self) -> None:
        """Rows straight from the listing are those of the JSON."""
        clock, exchange = HeapClock(0.0), Exchange(12, unopened=4, multivariate=3)
        exchange.pause_market(exchange.active_tickers()[0])
        query = {"limit": ["5"], "status": ["open"], "mve_filter": ["exclude"]}
        pages = [kind(exchange, clock, 0.1, 5)._page(dict(query)) for kind in (CatalogueRest, ListingRest)]
        self.assertEqual(pages[0], pages[1])
        self.assertEqual(len(pages[0].rows), 5)
