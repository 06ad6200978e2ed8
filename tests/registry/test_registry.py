"""The registry: walks, events, timers and look-ups around the table, on a clock the test moves."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import msgspec
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from gatherer.errors import LocalProtocolError
from gatherer.interfaces import IExchangeRest, IMarketChangeListener, IMarketRegistry
from gatherer.interfaces.status import ShardActivity
from gatherer.registry import walk
from gatherer.registry.registry import MarketRegistry
from gatherer.values import Change, ExchangeStatus, MarketChange, MarketRow, ShardStatus
from tests.support.fake_rest import FakeRest

START = 1_792_072_800.0


def make_row(ticker: str, status: str = "active", opens: float = -3600, closes: float = 86_400) -> MarketRow:
    """A REST row; times are relative to START."""
    return MarketRow(ticker, status, *(datetime.fromtimestamp(START + offset, UTC) for offset in (opens, closes)))


def message(kind: str, ticker: str = "A", **times: float) -> bytes:
    """A lifecycle message; times are relative to START."""
    body = {"market_ticker": ticker, "event_type": kind, **{name: START + offset for name, offset in times.items()}}
    return json.dumps({"type": "market_lifecycle_v2", "sid": 1, "seq": 1, "msg": body}).encode()


@implementer(IMarketChangeListener)
class Recorder:
    """Carries out the changes, and complains about changes that make no sense."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self.case = case
        self.carrying: set[str] = set()
        self.log: list[str] = []
        self.batches: list[int] = []
        self.broken = False

    def markets_changed(self, changes: Any) -> None:
        """Apply the changes in order."""
        self.batches.append(len(changes))
        for change in changes:
            self.apply(change)
        if self.broken:
            raise ZeroDivisionError

    def carries(self, ticker: str) -> bool:
        return ticker in self.carrying

    def carried(self) -> Iterator[str]:
        return iter(set(self.carrying))

    def apply(self, change: MarketChange) -> None:
        """ADD only what is not carried, the rest only what is."""
        self.case.assertEqual(change.ticker in self.carrying, change.change is not Change.ADD, change)
        (self.carrying.discard if change.change is Change.REMOVE else self.carrying.add)(change.ticker)
        self.log.append(f"{change.change.value} {change.ticker}")


class RegistryRig:
    """A registry between a fake REST side and a recorder."""

    def __init__(self, case: SynchronousTestCase, *rows: MarketRow, page_size: int = 2, **settings: Any) -> None:
        self.case = case
        self.clock = Clock()
        self.clock.advance(START)
        self.rest = FakeRest(*rows, page_size=page_size)
        self.recorder = Recorder(case)
        self.gained = 0.0
        """Seconds by which the wall clock is ahead of the reactor's."""
        self.registry = MarketRegistry(self.rest, self.clock, self.wall, random=lambda: 0.5, **settings)
        case.addCleanup(self.finish)

    def wall(self) -> int:
        """Unix time in ns."""
        return int((self.clock.seconds() + self.gained) * 1e9)

    def start(self) -> Any:
        """Start, and let what is due happen."""
        started = self.registry.start(self.recorder)
        started.addErrback(lambda failure: failure.trap(CancelledError))
        self.settle()
        return started

    def settle(self) -> None:
        """Let everything happen that is due now."""
        while any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
            self.clock.advance(0)

    def wait(self, seconds: float) -> None:
        """Let time pass, one second after the other."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            self.settle()

    def got(self, *expected: str) -> None:
        """The listener got exactly this since the last look, and carries what the registry says."""
        log, self.recorder.log = self.recorder.log, []
        self.case.assertEqual(log, list(expected))
        self.case.assertEqual(self.recorder.carrying, self.registry.active())

    def asked(self) -> list[str]:
        """What REST was asked since the last look, status polls left out."""
        asked, self.rest.asked = self.rest.asked, []
        return [what for what in asked if what != "status"]

    def finish(self) -> None:
        """After stop no timer is left."""
        self.case.successResultOf(self.registry.stop())
        self.case.assertEqual(self.clock.getDelayedCalls(), [])


class StartTests(SynchronousTestCase):
    """The first walk, and the end."""

    def test_interfaces(self) -> None:
        """The registry and the fakes around it are what they say."""
        rig = RegistryRig(self)
        verifyObject(IMarketRegistry, rig.registry)
        verifyObject(IExchangeRest, rig.rest)
        verifyObject(IMarketChangeListener, rig.recorder)

    def test_collaborators_are_checked(self) -> None:
        """A swapped argument dies at once, not in the first walk."""
        self.assertRaises(TypeError, MarketRegistry, object(), Clock())
        self.assertRaises(TypeError, RegistryRig(self).registry.start, object())

    def test_first_walk(self) -> None:
        """`start` fires with the number of active markets, and the listener knows each of them by then."""
        rig = RegistryRig(self, make_row("A"), make_row("B"), make_row("C"), make_row("D", "initialized", opens=60))
        self.assertEqual(self.successResultOf(rig.start()), 3)
        rig.got("add A", "add B", "add C")
        self.assertEqual(rig.asked(), ["open", "open", "unopened", "open", "open"])

    def test_empty_exchange(self) -> None:
        """An exchange without an open market is no error."""
        self.assertEqual(self.successResultOf(RegistryRig(self).start()), 0)

    def test_pages_are_told_as_they_come(self) -> None:
        """Markets of the first page are passed on while the second is still on its way."""
        rig = RegistryRig(self, make_row("A"), make_row("B"), make_row("C"))
        rig.rest.held = []
        started = rig.start()
        held = list(rig.rest.held)
        for deferred in held:
            deferred.callback(None)
        rig.settle()
        rig.got("add A", "add B")
        self.assertNoResult(started)

    def test_failing_exchange_is_tried_again(self) -> None:
        """`start` does not fail while the exchange does; waits grow, and a page that came counts."""
        rig = RegistryRig(self, make_row("A"), make_row("B"), make_row("C"))
        rig.rest.failing_from_page = 1
        started = rig.start()
        rig.got("add A", "add B")
        rig.wait(16)
        self.assertEqual(rig.asked(), ["open", "open", "unopened", "open", "open"] * 3)
        rig.rest.failing_from_page = None
        self.assertNoResult(started)
        rig.wait(20)
        self.assertEqual(self.successResultOf(started), 3)
        rig.got("add C")
        self.assertEqual(rig.registry.status().rest_errors, {"open": 6})

    def test_stop_cancels_start(self) -> None:
        """Stopped during the first walk, `start`'s Deferred is cancelled and no request is left."""
        rig = RegistryRig(self, make_row("A"))
        rig.rest.held = []
        started = rig.registry.start(rig.recorder)
        rig.settle()
        self.successResultOf(rig.registry.stop())
        self.failureResultOf(started, CancelledError)
        self.assertEqual(rig.clock.getDelayedCalls(), [])

    def test_after_stop_nothing_is_told(self) -> None:
        """Messages and missed markets after the stop change nothing and arm nothing."""
        rig = RegistryRig(self, make_row("A"))
        rig.start()
        rig.got("add A")
        self.successResultOf(rig.registry.stop())
        rig.registry.lifecycle_messages([message("determined")])
        rig.registry.lifecycle_missed()
        rig.registry.market_missed("A")
        rig.got()
        self.assertEqual(rig.clock.getDelayedCalls(), [])

    def test_started_once(self) -> None:
        """A second start, or one after the stop, is our own bug."""
        rig = RegistryRig(self)
        rig.start()
        self.assertRaises(LocalProtocolError, rig.registry.start, rig.recorder)
        stopped = RegistryRig(self)
        self.successResultOf(stopped.registry.stop())
        self.assertRaises(LocalProtocolError, stopped.registry.start, stopped.recorder)

    def test_events_before_the_start(self) -> None:
        """What lifecycle messages brought before `start` is passed on at `start`, before any walk."""
        rig = RegistryRig(self, make_row("A"))
        rig.registry.lifecycle_messages([message("activated", "B"), message("created", "C", open_ts=5, close_ts=900)])
        rig.rest.failing = True
        rig.start()
        rig.got("add B")
        rig.wait(5)
        rig.got("add C")

    def test_large_pages_are_told_in_pieces(self) -> None:
        """A page larger than a reactor turn should carry is passed on over several turns."""
        rig = RegistryRig(self, *(make_row(f"B{n}") for n in range(1200)), page_size=1000)
        turns = iter(range(1000))
        batches: list[tuple[int, int]] = []
        breathe = walk.breathe
        self.patch(walk, "breathe", lambda clock: (next(turns), breathe(clock))[1])
        take = rig.recorder.markets_changed

        def note(changes: Any) -> None:
            batches.append((next(turns), len(changes)))
            take(changes)

        self.patch(rig.recorder, "markets_changed", note)
        self.assertEqual(self.successResultOf(rig.start()), 1200)
        self.assertEqual(batches, [(1, walk.CHUNK), (3, walk.CHUNK), (5, 200)])

    def test_progress(self) -> None:
        """A long walk says how far it is every ten seconds, not with every page."""
        rig = RegistryRig(self, *(make_row(f"B{n}") for n in range(100)))
        rig.rest.held = []
        with mock.patch.object(walk.ListReader, "_log") as log:
            rig.start()
            for _ in range(51):
                rig.clock.advance(1)
                held, rig.rest.held = rig.rest.held, []
                for deferred in held:
                    deferred.callback(None)
                rig.settle()
        lines = [call for call in log.info.call_args_list if call.args[0].startswith("walking")]
        self.assertEqual(len(lines), 5)
        self.assertGreater(lines[0].kwargs["rows"], 0)


class EventTests(SynchronousTestCase):
    """Lifecycle messages after the first walk."""

    def setUp(self) -> None:
        """Market A is carried."""
        self.rig = RegistryRig(self, make_row("A"))
        self.rig.start()
        self.rig.got("add A")
        self.rig.asked()

    def test_pair(self) -> None:
        """Both connections deliver everything; the listener hears it once."""
        batch = [message("activated", "B"), message("deactivated"), message("activated"), message("determined")]
        self.rig.registry.lifecycle_messages(batch)
        self.rig.registry.lifecycle_messages(batch[3:])
        self.rig.got("add B", "refresh A", "remove A")

    def test_counted_by_type(self) -> None:
        """Every message is counted by its kind, garbage and unknown kinds included, and garbage costs nothing else."""
        other = b'{"type": "event_lifecycle", "sid": 1, "seq": 2, "msg": {}}'
        self.rig.registry.lifecycle_messages([b"nonsense", other, message("brand_new"), message("settled")])
        self.assertEqual(
            self.rig.registry.status().lifecycle_events,
            {"undecodable": 1, "event_lifecycle": 1, "brand_new": 1, "settled": 1},
        )
        self.rig.got("remove A")

    def test_kinds_are_bounded(self) -> None:
        """A thousand made-up kinds do not become a thousand metric labels."""
        self.rig.registry.lifecycle_messages([message(f"odd{n}") for n in range(1000)])
        counted = self.rig.registry.status().lifecycle_events
        self.assertEqual((len(counted), sum(counted.values())), (51, 1000))

    def test_combos_are_left_out(self) -> None:
        """With multivariate markets excluded, their events are counted and nothing more."""
        self.rig.registry.lifecycle_messages([message("activated", "KXMVE-1")])
        self.rig.got()
        including = RegistryRig(self, multivariate="include")
        including.start()
        including.registry.lifecycle_messages([message("activated", "KXMVE-1")])
        including.got("add KXMVE-1")

    def test_only_combos(self) -> None:
        """With multivariate markets only, the events of ordinary markets are left out, as they are by the walks."""
        only = RegistryRig(self, multivariate="only")
        only.start()
        only.registry.lifecycle_messages([message("activated", "B"), message("activated", "KXMVE-1")])
        only.got("add KXMVE-1")

    def test_opens_by_a_wall_clock_that_drifts(self) -> None:
        """The wall clock gains 10 s in small steps that nobody reports. A market still opens at its time by it."""
        self.rig.rest.put(make_row("B", "initialized", opens=3600))
        self.rig.registry.lifecycle_messages([message("created", "B", open_ts=3600, close_ts=7200)])
        for _ in range(100):
            self.rig.wait(30)
            self.rig.gained += 0.1
        self.rig.wait(589)
        self.rig.got()
        self.rig.wait(2)
        self.rig.got("add B")

    def test_opens_while_a_walk_is_under_way(self) -> None:
        """A market opens by its time within a second while the pages of a walk are read."""
        self.rig.registry.lifecycle_messages([message("created", "B", open_ts=400.5, close_ts=1300)])
        self.rig.wait(299)
        self.rig.rest.held = []
        self.rig.wait(101)
        self.assertEqual(self.rig.asked(), ["unopened"])
        self.rig.got()
        self.rig.wait(1)
        self.rig.got("add B")

    def test_opens_by_the_clock(self) -> None:
        """A created market is added at its open time though no event comes, also when it is moved nearer."""
        self.rig.registry.lifecycle_messages([message("created", "B", open_ts=100, close_ts=900)])
        self.rig.registry.lifecycle_messages([message("created", "C", open_ts=50, close_ts=900)])
        self.rig.wait(49)
        self.rig.got()
        self.rig.wait(1)
        self.rig.got("add C")
        self.rig.wait(50)
        self.rig.got("add B")

    def test_closes_after_confirmation(self) -> None:
        """Two minutes after the close time REST is asked, and its answer removes the market."""
        self.rig.registry.lifecycle_messages([message("close_date_updated", close_ts=10)])
        self.rig.rest.put(make_row("A", "closed", closes=10))
        self.rig.wait(129)
        self.assertEqual(self.rig.asked(), [])
        self.rig.wait(3)
        self.assertEqual(self.rig.asked(), ["tickers A"])
        self.rig.got("remove A")

    def test_listener_that_fails(self) -> None:
        """A listener's error is logged; the registry goes on."""
        self.rig.recorder.broken = True
        self.rig.registry.lifecycle_messages([message("activated", "B")])
        self.rig.registry.lifecycle_messages([message("activated", "C")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.rig.got("add B", "add C")


class ReconcileTests(SynchronousTestCase):
    """What keeps the registry true when events are lost."""

    def setUp(self) -> None:
        """Markets A and B are carried."""
        self.rig = RegistryRig(self, make_row("A"), make_row("B"))
        self.rig.start()
        self.rig.got("add A", "add B")
        self.rig.asked()

    def test_every_interval(self) -> None:
        """A walk every five minutes finds what no event reported."""
        self.rig.rest.put(make_row("C"))
        self.rig.wait(299)
        self.assertEqual(self.rig.asked(), [])
        self.rig.wait(1)
        self.rig.got("add C")

    def test_vanished_market_is_gone_after_one_reconciliation(self) -> None:
        """A market that settled unnoticed, and one REST no longer knows, are removed after one walk."""
        self.rig.rest.put(make_row("A", "finalized"))
        del self.rig.rest.rows["B"]
        self.rig.wait(302)
        self.rig.got("remove A", "remove B")
        asked = self.rig.asked()
        self.assertIn(asked.pop(2), ("tickers A,B", "tickers B,A"))
        self.assertEqual(asked, ["unopened", "open", "market B"])

    def test_row_that_cannot_be_read_is_not_gone(self) -> None:
        """A market whose row has an unexpected shape is missing everywhere, and stays; it holds up no other."""
        self.rig.rest.unreadable.add("A")
        del self.rig.rest.rows["B"]
        self.rig.wait(302)
        self.rig.got("remove B")
        self.rig.wait(600)
        self.rig.got()
        self.assertEqual(self.rig.asked().count("market A"), 3)

    def test_failed_walk_makes_nothing_vanish(self) -> None:
        """While walks fail everything stays; the next success sorts it out."""
        del self.rig.rest.rows["A"]
        self.rig.rest.failing = True
        self.rig.wait(900)
        self.rig.got()
        self.rig.rest.failing = False
        self.rig.wait(125)
        self.rig.got("remove A")

    def test_failed_look_up_is_repeated(self) -> None:
        """A look-up that fails is asked again after a wait, and forgets no market."""
        del self.rig.rest.rows["A"]
        self.rig.wait(300)
        self.rig.rest.failing = True
        self.rig.wait(2)
        self.assertEqual(self.rig.asked()[-1:], ["tickers A"])
        self.rig.got()
        self.rig.rest.failing = False
        self.rig.wait(5)
        self.rig.got("remove A")

    def test_wait_after_a_failed_look_up_is_kept(self) -> None:
        """More questions do not shorten the wait after a failure."""
        self.rig.rest.failing = True
        self.rig.registry.market_missed("A")
        self.rig.wait(2)
        self.rig.registry.market_missed("B")
        self.rig.wait(3)
        self.assertEqual(self.rig.asked(), ["tickers A"])
        self.rig.wait(1)
        self.assertEqual(self.rig.asked(), ["tickers A,B"])

    def test_missed_events_bring_the_walk_forward(self) -> None:
        """Lost lifecycle messages cause a walk at once, but never two within half a minute."""
        self.rig.wait(40)
        self.rig.registry.lifecycle_missed()
        self.rig.registry.lifecycle_missed()
        self.rig.settle()
        self.assertEqual(self.rig.asked(), ["unopened", "open"])
        self.rig.registry.lifecycle_missed()
        self.rig.wait(29)
        self.assertEqual(self.rig.asked(), [])
        self.rig.wait(1)
        self.assertEqual(self.rig.asked(), ["unopened", "open"])

    def test_events_missed_during_a_walk(self) -> None:
        """Events lost while a walk is under way cause another afterwards: its first pages may be out of date."""
        self.rig.rest.held = []
        self.rig.wait(300)
        self.rig.registry.lifecycle_missed()
        self.rig.wait(100)
        self.assertEqual(self.rig.asked(), ["unopened"])
        held, self.rig.rest.held = self.rig.rest.held, None
        for deferred in held:
            deferred.callback(None)
        self.rig.settle()
        self.assertEqual(self.rig.asked(), ["open"])
        self.rig.wait(30)
        self.assertEqual(self.rig.asked(), ["unopened", "open"])
        self.rig.wait(299)
        self.assertEqual(self.rig.asked(), [])

    def test_market_without_a_book(self) -> None:
        """Markets that never sent a book are looked up together; those that are over are removed, others stay."""
        self.rig.rest.put(make_row("A", "determined"))
        for ticker in ("A", "B", "never heard of"):
            self.rig.registry.market_missed(ticker)
        self.rig.wait(2)
        self.assertEqual(self.rig.asked(), ["tickers A,B"])
        self.rig.got("remove A")

    def test_look_ups_in_batches(self) -> None:
        """More markets than one request may name are asked about in several."""
        rig = RegistryRig(self, *(make_row(f"B{n}") for n in range(700)), page_size=1000)
        rig.start()
        rig.asked()
        for ticker in list(rig.rest.rows):
            rig.rest.put(make_row(ticker, "finalized"))
        rig.wait(303)
        sizes = [len(what.split(",")) for what in rig.asked() if what.startswith("tickers")]
        self.assertEqual((sizes, len(rig.registry.active())), ([300, 300, 100], 0))

    def test_overlooked_market_brings_the_walk_forward(self) -> None:
        """An open market that the last walk should have listed shows that more may be missing: a walk follows soon."""
        self.rig.rest.put(make_row("C"), make_row("D", opens=250))
        self.rig.wait(300)
        self.rig.got("add C", "add D")
        self.assertEqual(self.rig.registry.status().overlooked, 1)
        self.rig.asked()
        self.rig.wait(30)
        self.assertEqual(self.rig.asked(), ["unopened", "open", "open"])
        self.rig.wait(299)
        self.assertEqual(self.rig.asked(), [])


class ReportTests(SynchronousTestCase):
    """What the operator sees."""

    def test_status(self) -> None:
        """The figures of the metrics, JSON-ready."""
        rig = RegistryRig(self, make_row("A"), make_row("B", "initialized", opens=60))
        self.assertIsNone(rig.registry.status().exchange_active)
        rig.start()
        status = msgspec.to_builtins(rig.registry.status())
        for name, value in {
            "markets_total": 2,
            "active_markets": 1,
            "reconcile_duration": 0.0,
            "last_sync": START,
            "rest_errors": {},
            "exchange_active": True,
            "trading_active": True,
            "shards": [],
        }.items():
            self.assertEqual(status[name], value, name)

    def test_exchange_status_is_polled(self) -> None:
        """Every minute, shards included; a failure keeps the last answer and is counted."""
        rig = RegistryRig(self)
        rig.start()
        rig.rest.status = ExchangeStatus(True, False, None, [ShardStatus(2, True, False)])
        rig.wait(60)
        self.assertFalse(rig.registry.status().trading_active)
        self.assertEqual(rig.registry.status().shards, [ShardActivity(2, exchange_active=True, trading_active=False)])
        rig.rest.failing = True
        rig.wait(60)
        self.assertFalse(rig.registry.status().trading_active)
        self.assertEqual(rig.registry.status().rest_errors, {"status": 1})

    def test_describe(self) -> None:
        """All that is known of a market, JSON-ready; None for one never heard of."""
        rig = RegistryRig(self, make_row("A"))
        rig.start()
        rig.registry.lifecycle_messages([message("deactivated")])
        known = json.loads(json.dumps(rig.registry.describe("A")))
        self.assertEqual(
            (known["status"], known["carried"], known["close_ts"], known["last_event"]),
            ("paused", True, START + 86_400, "deactivated"),
        )
        self.assertIsNone(rig.registry.describe("B"))
