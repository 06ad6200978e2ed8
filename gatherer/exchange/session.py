"""One open socket: its messages are checked, counted and forwarded.

A session is made when the socket opens and dropped when it closes, with everything that depends on the socket.
"""

from base64 import b64encode
from collections.abc import Callable
from itertools import repeat

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from gatherer.core.layout import Slot
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
from gatherer.exchange.command_queue import CommandQueue
from gatherer.exchange.context import SessionContext
from gatherer.exchange.counters import Counters
from gatherer.exchange.inspection import MarketInspector
from gatherer.exchange.interfaces import ISessionOwner
from gatherer.exchange.reports import Planner
from gatherer.exchange.resync import ResyncTimer
from gatherer.interfaces import IMessageRouter
from gatherer.values import Facts, Marker, RawMessage, Role


class Session:
    """Everything that dies with one socket: sids, numbers, pending commands, held markets.

    The hot path is `received`. It makes no Deferred, no log line and no call of a listener for a single message.
    """

    _log = Logger()

    def __init__(
        self,
        slot: Slot,
        planner: Planner,
        send: Callable[[bytes], None],
        owner: ISessionOwner,
        counters: Counters,
        context: SessionContext,
    ) -> None:
        self._slot = slot
        self._planner = planner
        self._owner = ISessionOwner(owner)
        self._counters = counters
        self._context = context
        self._router = IMessageRouter(context.router)
        self._sequence = SequenceTracker()
        self._unreported_gaps: dict[int, int] = {}
        """By sid, the size of gaps that a reply revealed. Replies are not forwarded; the next forwarded message carries
        the gap."""
        self._batch: list[RawMessage] = []
        self._batches = context.measurements.batches
        self._up_at = context.wall()
        self._earlier_signs = counters.signs_of_life()
        self._last_read: dict[int, int] = {}
        """By sid, when its latest message was read, Unix ns. Its books are surely complete until then."""
        self._inspector = MarketInspector(context.clock, context.wall)
        self._resync = ResyncTimer(context.clock, slot.conn_id, self._ask_for_books)
        self.commands = CommandQueue(
            slot.name, planner, send, owner, counters, self._mark, context.clock, context.wall,
            context.command_settings, context.measurements.reply_latency,
        )  # fmt: skip
        self._mark("session_up", role=slot.role.value, ping_timeout=context.ping_timeout)
        self.commands.wake()

    @property
    def repeats(self) -> int:
        """How many sequence numbers were seen again, or were lower than the last."""
        return int(self._sequence.repeats)

    # -- messages -----------------------------------------------------------------------------

    def received(self, payloads: list[bytes], received_at: int) -> None:
        """All messages of one socket read, in order."""
        counters, count = self._counters, len(payloads)
        counters.received += count
        counters.last_message = received_at
        counters.latest_read = payloads
        self._batches[count.bit_length()] += 1
        if count < SHORTEST_RUN or not self._take_run(payloads, received_at):
            self._take_each(payloads, received_at)

    def _take_run(self, payloads: list[bytes], received_at: int) -> bool:
        """Forward a read of one kind of data of one sid, in order. Any other read is left untouched. Under load nearly
        every read is like that, and this costs half of what the loop over single messages costs."""
        run = None if self._unreported_gaps else decode_run(payloads)
        if run is None:
            return False
        sid, numbers = run
        if any(numbers):
            if not self._sequence.advance(sid, numbers):
                return False
            self._last_read[sid] = received_at
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
                self._unexpected(data, str(error), received_at)
                continue
            kind, gap = envelope.type, 0
            if envelope.seq:
                gap = self._sequence.observe(envelope.sid, envelope.seq)
                if gap:
                    self._gap(envelope, gap)
                # Once per read: a store per message would cost more than the rest. A repeat shows nothing.
                if envelope.sid != heard_sid and envelope.seq == self._sequence.last(envelope.sid):
                    heard_sid = envelope.sid
                    self._last_read[heard_sid] = received_at
            if kind in CONTROL_TYPES:
                self._control(envelope, data, gap)
                continue
            if self._unreported_gaps:
                gap += self._unreported_gaps.pop(envelope.sid, 0)
            self._batch.append(RawMessage(data, conn_id, received_at, gap > 0, gap))
            if kind == "orderbook_snapshot":
                self._snapshot(envelope, data, received_at)
            elif kind not in KNOWN_TYPES:
                self._unknown(kind)
        self._flush()

    def undecodable(self, payload: bytes, reason: str, received_at: int) -> None:
        """Bytes that are not JSON text are kept too, in a marker."""
        self._counters.received += 1
        self._counters.bytes_received += len(payload)
        self._batches[1] += 1
        self._mark_undecodable(payload, reason, reason, received_at)

    # -- the connection calls these -----------------------------------------------------------

    def want(self, ticker: str) -> None:
        """The connection's wanted set has a new market."""
        self._planner.want(ticker)
        self.commands.wake()

    def unwant(self, ticker: str) -> None:
        """The connection's wanted set has lost a market."""
        self._planner.unwant(ticker)
        self.commands.wake()

    def refresh(self, ticker: str) -> None:
        """Ask for a fresh snapshot of a market, if it is held."""
        self._planner.refresh((ticker,))
        self.commands.wake()

    def fresh_book(self, ticker: str) -> Deferred[Facts]:
        """See `IConnection`."""
        self.refresh(ticker)
        return self._inspector.books.wait(ticker)

    def close(self, reason: GathererError, stopped: bool = False) -> None:
        """The socket is gone; `stopped` when we closed it. Pending commands fail, and every timer is cancelled."""
        self.commands.close(reason)
        self._inspector.books.fail_all(reason)
        self._counters.gap_log.over("session lost")
        self.commands.mark_removed(sorted(self._planner.unwanted(self._planner.perhaps_held())))
        self._mark("session_down", reason=str(reason), since=self._last_sign_of_life(), stopped=stopped)
        self._resync.close()

    def describe(self, ticker: str) -> Facts:
        """What this session knows of a market, JSON-ready. Times are Unix seconds, None for what has not happened. From
        the first call on the deltas of the market are watched, until a minute after the last."""
        planner = self._planner
        held, standing = planner.held.get(ticker) or Holding(0), planner.standing(ticker)
        return {
            "session_since": self._up_at / 1e9, "held": bool(held.sid), "sid": held.sid,
            "command_id": held.command_id or None, "acknowledged_at": self._unix(held.acknowledged_at or None),
            "book_at": held.book_at or None, "owed": ticker in planner.owed,
            "asked_in_vain": planner.owed.tries(ticker),
            "last_seq": self._sequence.last(held.sid), "heard_at": self._last_read.get(held.sid, 0) / 1e9 or None,
            "pending": self.commands.in_flight(), **standing, "retry_at": self._unix(standing["retry_at"]),
            **self._inspector.look(ticker),
        }  # fmt: skip

    # -- anything but data --------------------------------------------------------------------

    def _control(self, envelope: Envelope, data: bytes, gap: int) -> None:
        if gap:
            self._unreported_gaps[envelope.sid] = self._unreported_gaps.get(envelope.sid, 0) + gap
        try:
            over = self.commands.control(envelope, data)
        except RemoteProtocolError as error:
            self._count_error("control", str(error))
            return
        except Exception:  # our bug must not lose the messages behind this one
            self._log.failure("{name}: bug while handling a reply", name=self._slot.name)
            self._counters.ws_errors["internal"] += 1
            return
        if over:
            self._sequence.forget(over)
            # The gap's marker is written; the next subscription of this number lost nothing.
            self._unreported_gaps.pop(over, None)

    def _gap(self, envelope: Envelope, size: int) -> None:
        sid, counters = envelope.sid, self._counters
        counters.gaps += 1
        counters.skipped += size
        self._mark("gap", sid=sid, size=size, seq=envelope.seq, since=self._last_read.get(sid, self._up_at))
        detail = f"sid {sid} skipped {size} numbers before {envelope.seq}"
        self._context.error_log.report("gap", self._slot.name, detail, size, "numbers skipped")
        now, outcome = self._context.clock.seconds(), "not repaired"
        if self._context.recover_gaps:
            self._planner.gap(sid, now)
            self.commands.wake()
            outcome = WAITING if self._planner.recoveries.waits(sid) else outcome
        counters.gap_log.opened(self._context.wall() / 1e9, now, sid, size, outcome)
        self._owner.gap(size)

    def _snapshot(self, envelope: Envelope, data: bytes, received_at: int) -> None:
        self._counters.snapshots += 1
        ticker = decode_ticker(data)
        self._planner.snapshot(ticker, envelope.sid, received_at // 1_000_000_000)
        if ticker in self._inspector.books:
            self._inspector.snapshot(ticker, envelope, data, received_at / 1e9)
        if envelope.id:
            self.commands.answered(envelope.id)
        self.commands.wake()

    def _unexpected(self, data: bytes, error: str, received_at: int) -> None:
        """The envelope has an unknown shape. JSON is forwarded nonetheless: a field that changed its type must not
        make messages vanish."""
        if is_json(data):
            self._count_error("envelope", error)
            self._batch.append(RawMessage(data, self._slot.conn_id, received_at))
        else:
            self._mark_undecodable(data, "json", error, received_at)

    def _mark_undecodable(self, payload: bytes, kind: str, detail: str, received_at: int) -> None:
        self._flush()
        self._count_error(kind, f"{detail}, {len(payload)} bytes", len(payload), "bytes")
        facts = {"reason": kind, "base64": b64encode(payload).decode()}
        self._router.mark(Marker("undecodable", self._slot.conn_id, received_at, facts))
        self._resync.lost()

    def _unknown(self, kind: str) -> None:
        self._counters.unknown(kind)
        self._context.error_log.report("unknown type", self._slot.name, repr(kind[:100]))

    def _count_error(self, kind: str, detail: str, amount: int = 0, unit: str = "") -> None:
        self._counters.ws_errors[kind] += 1
        self._context.error_log.report(kind, self._slot.name, detail, amount, unit)

    def _flush(self) -> None:
        if self._batch:
            batch, self._batch = self._batch, []
            self._forward(batch)

    def _forward(self, batch: list[RawMessage]) -> None:
        self._counters.forwarded += len(batch)
        if self._inspector.deltas:
            self._inspector.read(batch)
        if self._router.deliver(batch):
            self._resync.lost()
        if self._slot.role is Role.LIFECYCLE:
            self._owner.lifecycle([message.data for message in batch])

    def _ask_for_books(self) -> None:
        if self._context.recover_gaps:
            for sid in self._planner.held.sids() or [0]:  # no market is held yet, but books may have come early
                self._planner.gap(sid, self._context.clock.seconds(), 0)
            self.commands.wake()

    def _last_sign_of_life(self) -> int:
        """Unix ns of the latest message or ping. TCP keeps the order: everything sent before it has arrived."""
        counters = self._counters
        return self._up_at if counters.signs_of_life() == self._earlier_signs else counters.last_sign_of_life()

    def _unix(self, at: float | None) -> float | None:
        """A time of the timers' clock as Unix seconds, for people."""
        context = self._context
        return None if at is None else context.wall() / 1e9 - (context.clock.seconds() - at)

    def _mark(self, kind: str, **facts: object) -> None:
        self._flush()  # earlier messages of the same read come before the marker in the capture
        if self._router.mark(Marker(kind, self._slot.conn_id, self._context.wall(), facts)):
            self._resync.lost()  # the `local_drop` that counts it makes every book of the connection suspect
