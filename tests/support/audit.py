"""Compares the capture with what the sockets brought: every message, in order, and every hole in its numbers."""

from base64 import b64decode
from collections import Counter, deque
from dataclasses import dataclass, field

import msgspec
from twisted.internet.defer import Deferred
from zope.interface import implementer

from gatherer.interfaces import IMessageRouter, RouterStatus
from gatherer.router.memory import MemoryRouter
from gatherer.values import Marker, RawMessage

CONTROL = ("ok", "subscribed", "unsubscribed", "error")


class _Body(msgspec.Struct):
    market_ticker: str = ""
    code: int = 0


class _Message(msgspec.Struct):
    type: str = ""
    id: int = 0
    sid: int = 0
    seq: int = 0
    msg: _Body = msgspec.field(default_factory=_Body)


_decode = msgspec.json.Decoder(_Message).decode


@dataclass(slots=True)
class Account:
    """What one socket brought, counted without the code under test.

    The numbers of a sid begin at 1. A number is missing if neither a data message nor a control message brought
    it. The next data message of the sid must say how many are missing. The capture has no control messages, so
    it does not show which numbers they used. This account does.
    """

    last: dict[int, int] = field(default_factory=dict)
    lower: dict[int, list[int]] = field(default_factory=dict)
    """The number of the latest message of a sid, and the highest before it, if it was not higher."""
    owing: Counter[int] = field(default_factory=Counter)
    """Missing numbers that a control message revealed, by sid."""
    due: deque[tuple[bytes, int]] = field(default_factory=deque)
    """What must reach the router next: payload and missing numbers; -1 for bytes that are not a message."""
    books: dict[str, int] = field(default_factory=dict)
    """Markets whose book came, each with the sid of the latest."""
    suspect: set[str] = field(default_factory=set)
    """Those whose book came before the latest gap, and not again after it."""
    missing: int = 0
    marked: int = 0
    """Missing numbers in gap markers."""

    def came(self, payload: bytes) -> None:
        """The socket brought a text message."""
        try:
            message = _decode(payload)
        except msgspec.DecodeError:
            self.due.append((payload, -1))
            return
        missing = self._number(message)
        if message.type not in CONTROL:
            self.due.append((payload, missing + self.owing.pop(message.sid, 0)))
            if message.type == "orderbook_snapshot":
                self.books[message.msg.market_ticker] = message.sid
                self.suspect.discard(message.msg.market_ticker)
            return
        self.owing[message.sid] += missing
        if message.type == "unsubscribed" or (message.type == "error" and message.msg.code in (10, 25)):
            self.last.pop(message.sid, None)
            self.lower.pop(message.sid, None)
            self.owing.pop(message.sid, None)

    def _number(self, message: _Message) -> int:
        if not message.seq:
            return 0
        sid, seq, last = message.sid, message.seq, self.last.get(message.sid, 0)
        before = self.lower.pop(sid, None)
        self.last[sid] = max(last, seq)
        missing = max(0, seq - last - 1)
        if seq <= last and before == [seq - 1, last]:  # the sid counts anew: what it lost before that is unknown
            self.last[sid], missing = seq, max(1, seq - 2)
        elif seq <= last:
            self.lower[sid] = [seq, last]
        self.missing += missing
        if missing:
            self.suspect |= {ticker for ticker, on in self.books.items() if on == sid}
        return missing


@implementer(IMessageRouter)
class Auditor:
    """A router that compares what it is given, and gives it to another router, `keep`."""

    def __init__(self, keep: IMessageRouter | None = None) -> None:
        self._keep: IMessageRouter = IMessageRouter(MemoryRouter() if keep is None else keep)
        self._accounts: dict[int, Account] = {}
        self.messages = 0
        self.gaps = 0
        self.markers: Counter[str] = Counter()
        self.faults: list[str] = []
        """Errors of the capture; empty if there are none."""

    def account(self, conn_id: int) -> Account:
        """The account of the latest socket of a connection."""
        return self._accounts[conn_id]

    def delivery(self, conn_id: int, payload: bytes) -> None:
        """The exchange's message reaches the connection."""
        self._accounts[conn_id].came(payload)

    # -- IMessageRouter ------------------------------------------------------------------------

    def start(self) -> None:
        self._keep.start()

    def deliver(self, batch: list[RawMessage]) -> int:
        self.messages += len(batch)
        for record in batch:
            due = self._accounts[record.conn_id].due
            expected = due.popleft() if due else (b"nothing", 0)
            if expected != (record.data, record.gap_size) or record.seq_gap != (record.gap_size > 0):
                self._fault(f"conn {record.conn_id}: captured {record}, not {expected}")
            self.gaps += record.seq_gap
        return self._keep.deliver(batch)

    def mark(self, marker: Marker) -> int:
        self.markers[marker.kind] += 1
        if marker.kind == "session_up":
            self._accounts[marker.conn_id] = Account()
        elif marker.kind == "gap":
            self._accounts[marker.conn_id].marked += marker.facts["size"]
        elif marker.kind == "undecodable":
            self._undecodable(marker)
        elif marker.kind == "session_down":
            self.check(marker.conn_id)
        return self._keep.mark(marker)

    def backlog(self) -> int:
        return 0

    def status(self) -> RouterStatus:
        return RouterStatus(kind="audit", received=self.messages, written=self.messages, dropped=0, backlog=0)

    def close(self) -> Deferred[None]:
        return self._keep.close()

    # -- the verdict ---------------------------------------------------------------------------

    def check(self, conn_id: int) -> None:
        """Between two reads the capture must have everything."""
        account = self._accounts[conn_id]
        if account.due:
            self._fault(f"conn {conn_id}: not captured: {list(account.due)[:3]}")
        if account.missing != account.marked:
            self._fault(f"conn {conn_id}: {account.missing} numbers missing, {account.marked} in markers")

    def check_all(self) -> None:
        """The same for every connection."""
        for conn_id in self._accounts:
            self.check(conn_id)

    def _undecodable(self, marker: Marker) -> None:
        payload = b64decode(marker.facts["base64"])
        if marker.facts["reason"] != "binary" and self._accounts[marker.conn_id].due.popleft() != (payload, -1):
            self._fault(f"conn {marker.conn_id}: {payload!r} was not what came")

    def _fault(self, text: str) -> None:
        self.faults.append(text)
