"""One open socket: what comes in is checked, counted and forwarded.

Born when the socket opens, discarded when it closes, and everything that depends on the socket with it.
"""

from base64 import b64encode
from collections.abc import Callable
from itertools import repeat
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from gatherer.core.layout import Role, Slot
from gatherer.core.messages import Marker, RawMessage
from gatherer.core.subscriptions.held import Holding
from gatherer.core.subscriptions.sequence import WAITING, SequenceTracker
from gatherer.core.wire.codec import (
    CONTROL_TYPES,
    KNOWN_TYPES,
    NOT_READABLE,
    SHORTEST_RUN,
    Envelope,
    decode_envelope,
    decode_run,
    decode_ticker,
    is_json,
)
from gatherer.errors import GathererError, RemoteProtocolError
from gatherer.exchange.command_queue import CommandQueue, Plan
from gatherer.exchange.context import SessionContext
from gatherer.exchange.counters import Counters
from gatherer.exchange.inspection import MarketInspector
from gatherer.exchange.interfaces import ISession, ISessionOwner
from gatherer.exchange.resync import ResyncTimer
from gatherer.interfaces import IMessageRouter, ISequenceTracker


@implementer(ISession)
class Session:
    """The hot path is `received`: no Deferred, no log line and no call of a listener per message in it."""

    _log = Logger()

    def __init__(
        self,
        slot: Slot,
        plan: Plan,
        send: Callable[[bytes], None],
        owner: Any,
        counters: Counters,
        tools: SessionContext,
    ) -> None:
        self._slot = slot
        self._plan = plan
        self._owner = ISessionOwner(owner)
        self._counters = counters
        self._tools = tools
        self._router = IMessageRouter(tools.router)
        self._sequence = ISequenceTracker(SequenceTracker())
        self._carried: dict[int, int] = {}
        """Gaps that a consumed message revealed, by sid: the next message forwarded tells of them."""
        self._batch: list[RawMessage] = []
        self._batches = tools.meters.batches
        self._up_at = tools.wall()
        self._heard: dict[int, int] = {}
        """When the latest message of a sid was read, Unix ns: until then its books are surely complete."""
        self._watching = MarketInspector(tools.clock)
        self._amends = ResyncTimer(tools.clock, slot.conn_id, self._ask_for_books)
        self.commander = CommandQueue(
            slot.name, plan, send, owner, counters, self._mark, tools.clock, tools.commands, tools.meters.reply_latency
        )  # fmt: skip
        self._mark("session_up", role=slot.role.value, ping_timeout=tools.ping_timeout)
        self.commander.wake()

    @property
    def repeats(self) -> int:
        """Sequence numbers seen again, or lower than the last."""
        return int(self._sequence.repeats)

    # -- messages -----------------------------------------------------------------------------

    def received(self, payloads: list[bytes], received_at: int) -> None:
        """All messages of one socket read, in order."""
        counters, count = self._counters, len(payloads)
        counters.received += count
        counters.last_message = received_at
        counters.sample = payloads[0]
        self._batches[count.bit_length()] += 1
        if count < SHORTEST_RUN or not self._take_run(payloads, received_at):
            self._take_each(payloads, received_at)

    def _take_run(self, payloads: list[bytes], received_at: int) -> bool:
        """Forward a read of one kind of data of one sid, in order; leave any other read untouched. Under load nearly
        every read is like that, and it costs half of what the loop over single messages does."""
        run = None if self._carried else decode_run(payloads)
        if run is None:
            return False
        sid, numbers = run
        if any(numbers):
            if not self._sequence.advance(sid, numbers):
                return False
            self._heard[sid] = received_at
        self._counters.bytes_received += sum(map(len, payloads))
        self._forward(list(map(RawMessage, payloads, repeat(self._slot.conn_id), repeat(received_at))))
        return True

    def _take_each(self, payloads: list[bytes], received_at: int) -> None:
        conn_id, counters, heard_sid = self._slot.conn_id, self._counters, -1
        for data in payloads:
            counters.bytes_received += len(data)
            try:
                envelope = decode_envelope(data)
            except NOT_READABLE as error:
                self._odd(data, str(error), received_at)
                continue
            kind, gap = envelope.type, 0
            if envelope.seq:
                gap = self._sequence.observe(envelope.sid, envelope.seq)
                if gap:
                    self._gap(envelope, gap)
                if envelope.sid != heard_sid:  # once per read: a store per message would cost more than the rest
                    heard_sid = envelope.sid
                    self._heard[heard_sid] = received_at
            if kind in CONTROL_TYPES:
                self._control(envelope, data, gap)
                continue
            if self._carried:
                gap += self._carried.pop(envelope.sid, 0)
            self._batch.append(RawMessage(data, conn_id, received_at, gap > 0, gap))
            if kind == "orderbook_snapshot":
                self._snapshot(envelope, data, received_at)
            elif kind not in KNOWN_TYPES:
                self._unknown(kind)
        self._hand_over()

    def undecodable(self, payload: bytes, reason: str, received_at: int) -> None:
        """Bytes that are no JSON text are kept too, in a marker."""
        self._counters.received += 1
        self._counters.bytes_received += len(payload)
        self._batches[1] += 1
        self._keep(payload, reason, reason, received_at)

    # -- ISession -----------------------------------------------------------------------------

    def want(self, ticker: str) -> None:
        """See `ISession`."""
        self._plan.want(ticker)
        self.commander.wake()

    def unwant(self, ticker: str) -> None:
        """See `ISession`."""
        self._plan.unwant(ticker)
        self.commander.wake()

    def refresh(self, ticker: str) -> None:
        """See `ISession`."""
        self._plan.refresh((ticker,))
        self.commander.wake()

    def fresh_book(self, ticker: str) -> Deferred[dict[str, Any]]:
        """See `ISession`."""
        self.refresh(ticker)
        return self._watching.books.wait(ticker)

    def close(self, reason: GathererError, stopped: bool = False) -> None:
        """See `ISession`."""
        self._amends.close()
        self.commander.close(reason)
        self._watching.books.fail_all(reason)
        self._counters.journal.over("session lost")
        self.commander.tell_removed(self._plan.unwanted(self._plan.held))
        self._mark("session_down", reason=str(reason), since=self._last_heard(), stopped=stopped)

    def describe(self, ticker: str) -> dict[str, Any]:
        """See `ISession`. Times are Unix seconds, None for what has not happened. Whoever asks about a market has its
        deltas watched from then on."""
        plan = self._plan
        held = plan.held.get(ticker) or Holding(0)
        return {
            "session_since": self._up_at / 1e9, "held": bool(held.sid), "sid": held.sid,
            "command_id": held.command_id or None, "acknowledged_at": held.acknowledged_at or None,
            "book_at": held.book_at or None, "owed": ticker in plan.owed,
            "last_seq": self._sequence.last(held.sid), "heard_at": self._heard.get(held.sid, 0) / 1e9 or None,
            "pending": self.commander.in_flight(), **plan.standing(ticker), **self._watching.look(ticker),
        }  # fmt: skip

    # -- the unusual --------------------------------------------------------------------------

    def _control(self, envelope: Envelope, data: bytes, gap: int) -> None:
        if gap:
            self._carried[envelope.sid] = self._carried.get(envelope.sid, 0) + gap
        try:
            over = self.commander.control(envelope, data)
        except RemoteProtocolError as error:
            self._trouble("control", str(error))
            return
        except Exception:  # a bug of ours: the messages behind this one must not be lost with it
            self._log.failure("{name}: bug while handling a reply", name=self._slot.name)
            self._counters.ws_errors["internal"] += 1
            return
        if over:
            self._sequence.forget(over)
            self._carried.pop(over, None)  # its marker tells of it; the next to get this sid lost nothing

    def _gap(self, envelope: Envelope, size: int) -> None:
        sid, counters = envelope.sid, self._counters
        counters.gaps += 1
        counters.skipped += size
        self._mark("gap", sid=sid, size=size, seq=envelope.seq, since=self._heard.get(sid, self._up_at))
        self._tools.trouble.report("gap", self._slot.name, f"sid {sid} skipped {size} numbers before {envelope.seq}")
        now, outcome = self._tools.clock.seconds(), "not repaired"
        if self._tools.recover_gaps:
            self._plan.gap(sid, now)
            self.commander.wake()
            outcome = WAITING if self._plan.recoveries.waits(sid) else outcome
        counters.journal.opened(now, sid, size, outcome)
        self._owner.gap(size)

    def _snapshot(self, envelope: Envelope, data: bytes, received_at: int) -> None:
        self._counters.snapshots += 1
        ticker = decode_ticker(data)
        self._plan.snapshot(ticker, envelope.sid, received_at // 1_000_000_000)
        if ticker in self._watching.books:
            self._watching.snapshot(ticker, envelope, data, received_at / 1e9)
        if envelope.id:
            self.commander.answered(envelope.id)
        self.commander.wake()

    def _odd(self, data: bytes, error: str, received_at: int) -> None:
        """Not the envelope we know. If it is JSON it is forwarded all the same: a field that changed its
        type must not make messages vanish."""
        if is_json(data):
            self._trouble("envelope", error)
            self._batch.append(RawMessage(data, self._slot.conn_id, received_at))
        else:
            self._keep(data, "json", error, received_at)

    def _keep(self, payload: bytes, kind: str, detail: str, received_at: int) -> None:
        self._hand_over()
        self._trouble(kind, detail)
        facts = {"reason": kind, "base64": b64encode(payload).decode()}
        self._router.mark(Marker("undecodable", self._slot.conn_id, received_at, facts))
        self._amends.lost()

    def _unknown(self, kind: str) -> None:
        self._counters.unknown(kind)
        self._tools.trouble.report("unknown type", self._slot.name, repr(kind[:100]))

    def _trouble(self, kind: str, detail: str) -> None:
        self._counters.ws_errors[kind] += 1
        self._tools.trouble.report(kind, self._slot.name, detail)

    def _hand_over(self) -> None:
        if self._batch:
            batch, self._batch = self._batch, []
            self._forward(batch)

    def _forward(self, batch: list[RawMessage]) -> None:
        self._counters.forwarded += len(batch)
        if self._watching.deltas:
            self._watching.read(batch)
        if self._router.deliver(batch):
            self._amends.lost()
        if self._slot.role is Role.LIFECYCLE:
            self._owner.lifecycle([message.data for message in batch])

    def _ask_for_books(self) -> None:
        if self._tools.recover_gaps:
            for sid in self._plan.held.sids() or [0]:  # with none held, books may still have come early
                self._plan.gap(sid, self._tools.clock.seconds())
            self.commander.wake()

    def _last_heard(self) -> int:
        """Unix ns of the latest sign of life. TCP keeps the order: all that was sent before it is here."""
        counters = self._counters
        return max(self._up_at, counters.last_message or 0, int((counters.last_ping or 0.0) * 1e9))

    def _mark(self, kind: str, **facts: Any) -> None:
        self._hand_over()  # what came before it in the same read comes before it in the capture
        self._router.mark(Marker(kind, self._slot.conn_id, self._tools.wall(), facts))
