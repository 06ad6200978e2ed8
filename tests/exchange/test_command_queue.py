"""Tests for the states of `gatherer.exchange.command_queue`: running, paused, closed, and any inputs in any order."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from gatherer.core.backoff import Backoff
from gatherer.core.histograms import Measurements
from gatherer.core.subscriptions.book_planner import BookPlanner
from gatherer.core.subscriptions.channel_planner import ChannelPlanner
from gatherer.core.wire.codec import decode_envelope
from gatherer.errors import SessionLost
from gatherer.exchange.command_queue import CommandQueue
from gatherer.exchange.context import CommandSettings
from gatherer.exchange.counters import Counters
from gatherer.exchange.interfaces import ISessionOwner
from gatherer.exchange.reports import Planner
from tests.support.wall import wall_of

INPUTS = (
    "want", "unwant", "reply", "reply late", "reply without sid", "reject", "book", "end", "gap", "wait", "wait long",
    "wake", "pause", "resume", "stop", "close",
)  # fmt: skip


@implementer(ISessionOwner)
class RecordingOwner:
    """Keeps the name of every call."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def changed(self) -> None:
        self.calls.append("changed")

    def lifecycle(self, payloads: list[bytes]) -> None:
        self.calls.append("lifecycle")

    def gap(self, size: int) -> None:
        self.calls.append("gap")

    def silent(self, tickers: list[str]) -> None:
        self.calls.append("silent")

    def over_limit(self, tickers: list[str], capacity: int) -> None:
        self.calls.append("over_limit")

    def restart(self, reason: str) -> None:
        self.calls.append("restart")


class Desk:
    """A queue with a planner for order books; the test plays the exchange and the connection."""

    def __init__(self, planner: Planner | None = None) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000.0)
        self.owner = RecordingOwner()
        self.wanted: dict[str, None] = {}
        self.sent: list[dict[str, Any]] = []
        self.marks: list[str] = []
        backoff = Backoff(1.0, 60.0, 2.0, 0.0, lambda: 0.5)
        self.planner = planner or BookPlanner(self.wanted.keys(), 2, 30.0, backoff)
        self.queue = CommandQueue(
            "orderbook_delta-1", self.planner, lambda data: self.sent.append(json.loads(data)), self.owner, Counters(),
            lambda kind, **facts: self.marks.append(kind), self.clock, wall_of(self.clock), CommandSettings(5.0),
            Measurements().reply_latency,
        )  # fmt: skip

    def happen(self, event: str, ticker: str = "A") -> None:
        """One input of the queue."""
        match event:
            case "want":
                self.wanted[ticker] = None
                self.planner.want(ticker)
                self.queue.wake()
            case "unwant":
                self.wanted.pop(ticker, None)
                self.planner.unwant(ticker)
                self.queue.wake()
            case "wait" | "wait long":
                self.clock.advance(0 if event == "wait" else 6.0)
            case "wake":
                self.queue.wake()
            case "pause" | "resume":
                self.queue.pause(event == "pause")
            case "stop":
                self.queue.stop()
            case "gap":
                self.planner.gap(1, self.clock.seconds())
                self.queue.wake()
            case "book":
                self.planner.snapshot(ticker, 1, int(self.clock.seconds()))
                self.queue.wake()
            case "close":
                self.queue.close(SessionLost("gone"))
            case _:
                self._control(event)

    def _control(self, event: str) -> None:
        """A message of the exchange: an answer to the last command, whether it still waits or not, or an end."""
        command_id = self.sent[-1]["id"] if self.sent else 1
        if event == "reply late":
            command_id = max(1, command_id - 1)
        text = {
            "reply": b'{"type":"ok","id":%d,"sid":1}' % command_id,
            "reply late": b'{"type":"ok","id":%d,"sid":1}' % command_id,
            "reply without sid": b'{"type":"subscribed","id":%d,"msg":{}}' % command_id,
            "reject": b'{"type":"error","id":%d,"msg":{"code":8,"msg":"no"}}' % command_id,
            "end": b'{"type":"unsubscribed","sid":1}',
        }[event]
        self.queue.control(decode_envelope(text), text)


class QueueStateTests(SynchronousTestCase):
    """Every input is answered in every state."""

    def test_the_owner_is_one(self) -> None:
        """The contract holds for the fake."""
        verifyObject(ISessionOwner, RecordingOwner())

    @given(st.lists(st.tuples(st.sampled_from(INPUTS), st.sampled_from("ABC")), min_size=5, max_size=40))
    def test_any_inputs_in_any_order(self, inputs: list[tuple[str, str]]) -> None:
        """A paused queue sends nothing, and a closed one neither sends nor leaves a timer, whatever comes later."""
        desk, state = Desk(), "resume"
        for event, ticker in inputs:
            before = len(desk.sent)
            desk.happen(event, ticker)
            if event == "close" or (event in ("pause", "resume", "stop") and state not in ("stop", "close")):
                state = event
            if state != "resume":
                self.assertEqual(len(desk.sent), before)
            if state == "close":
                self.assertEqual((desk.queue.pending, desk.clock.getDelayedCalls()), (0, []))
        if state in ("pause", "resume"):
            self.finish(desk)
        self.assertEqual(self.flushLoggedErrors(), [])

    def finish(self, desk: Desk) -> None:
        """Once it may send and every command is acknowledged, it comes to rest with everything held."""
        desk.happen("resume")
        for _ in range(200):
            desk.happen("wait long")
            desk.happen("reply")
            for ticker in list(desk.wanted):
                desk.happen("book", ticker)
        desk.happen("wait")
        self.assertEqual(len(desk.planner.owed), 0)
        self.assertTrue(desk.planner.is_settled)
        self.assertEqual(set(desk.planner.held), set(desk.wanted))
        desk.happen("close")
        self.assertEqual(desk.clock.getDelayedCalls(), [])

    def test_an_acknowledgement_without_a_sid_is_not_one(self) -> None:
        """A subscribe makes a sid. Without it nothing is held, and the subscribe is repeated after growing pauses.
        Without a pause both sides would be busy with nothing else."""
        for wanted in (["A"], []):
            desk = Desk() if wanted else Desk(ChannelPlanner("trade", Backoff(1.0, 60.0, 2.0, 0.0, lambda: 0.5)))
            for ticker in wanted:
                desk.happen("want", ticker)
            desk.queue.wake()
            times = []
            for _ in range(5):
                before = len(desk.sent)
                while len(desk.sent) == before:
                    desk.clock.advance(0.25)
                times.append(desk.clock.seconds())
                desk.happen("reply without sid")
            self.assertEqual([after - before for before, after in pairwise(times)], [1, 2, 4, 8])
            self.assertEqual(desk.marks, [])
            desk.happen("close")

    def test_a_late_acknowledgement_is_marked(self) -> None:
        """The capture says that the markets were added, when the acknowledgement came."""
        desk = Desk()
        desk.happen("want", "A")
        desk.happen("wait")
        desk.clock.advance(5.0)
        self.assertEqual((desk.marks, desk.queue.pending), ([], 0))
        desk.clock.advance(0.5)
        desk.happen("reply")
        self.assertEqual((desk.marks, set(desk.planner.held)), (["markets_added"], {"A"}))
        desk.clock.advance(5.0)
        self.assertEqual(len(desk.sent), 1)
        desk.happen("reply")
        self.assertEqual(desk.marks, ["markets_added"])
        desk.happen("close")

    def test_a_late_acknowledgement_does_not_revive_what_has_ended(self) -> None:
        """The subscription ended while its command waited. The late answer is older than the end."""
        desk = Desk()
        desk.happen("want", "A")
        desk.happen("wait")
        desk.happen("end")
        desk.clock.advance(5.0)
        desk.clock.advance(0.1)
        desk.happen("reply")
        self.assertEqual((desk.marks, set(desk.planner.held)), (["terminal_error"], set()))
        desk.happen("wait long")
        desk.happen("reply")
        self.assertEqual(set(desk.planner.held), {"A"})
        desk.happen("close")

    def test_a_stopped_queue_only_closes(self) -> None:
        """Nothing is sent after it, neither for a reply nor after a resume."""
        desk = Desk()
        desk.happen("want", "A")
        desk.happen("wait")
        desk.happen("stop")
        for event in ("want", "reply", "resume", "wait long", "gap", "wait long"):
            desk.happen(event, "B")
        self.assertEqual(len(desk.sent), 1)
        desk.happen("close")
        self.assertEqual(desk.clock.getDelayedCalls(), [])

    def test_a_close_is_final(self) -> None:
        """A pause or a resume after it changes nothing."""
        for event in ("pause", "resume", "wake", "close"):
            desk = Desk()
            desk.happen("close")
            desk.happen(event)
            desk.happen("want")
            self.assertEqual((desk.sent, desk.clock.getDelayedCalls()), ([], []))
