"""From a line of the capture to the event it is for one market's book."""

from collections.abc import Callable
from typing import Any

import msgspec

from gatherer.coverage.coverage import Coverage
from gatherer.coverage.scan import Line, decode_line


class _Body(msgspec.Struct, frozen=True, gc=False):
    market_ticker: str = ""


class _Message(msgspec.Struct, gc=False):
    type: str = ""
    id: int = 0
    sid: int = 0
    msg: _Body = _Body()


class Facts(msgspec.Struct, gc=False):
    """Facts of all markers that matter here; what a kind does not have keeps its default."""

    sid: int = 0
    since: int = 0
    size: int = 0
    count: int = 0
    first_at: int = 0
    code: int = 0
    ping_timeout: float = 30.0
    reason: str = ""
    text: str = ""
    stopped: bool = False
    moved: bool = False
    tickers: list[str] = msgspec.field(default_factory=list)


_decode_message: Callable[[msgspec.Raw], _Message] = msgspec.json.Decoder(_Message).decode
_decode_facts: Callable[[msgspec.Raw], Facts] = msgspec.json.Decoder(Facts).decode


def apply(line: bytes, ticker: str, coverage: Coverage) -> None:
    """Tell a record. Raises `msgspec.DecodeError` for a line that is no record of a capture."""
    record = decode_line(line)
    if not record.marker:
        _message(record, ticker, coverage)
        return
    tell = _MARKERS.get(record.marker)
    if tell is not None:
        facts = _decode_facts(record.facts)
        if not record.marker.startswith("markets_") or ticker in facts.tickers:
            tell(coverage, record.conn_id, record.received_at, facts)


def _message(record: Line, ticker: str, coverage: Coverage) -> None:
    try:
        message = _decode_message(record.data)
    except msgspec.DecodeError:
        return  # a shape nobody knows is no snapshot
    if message.msg.market_ticker != ticker:
        return
    if message.type == "orderbook_snapshot":
        coverage.snapshot(record.conn_id, record.received_at, message.sid, message.id != 0)
    elif message.type == "orderbook_delta":
        coverage.delta(record.conn_id, record.received_at, message.sid)


def _session_up(coverage: Coverage, conn_id: int, at: int, facts: Facts) -> None:
    coverage.session_up(conn_id, at, facts.ping_timeout)


def _session_down(coverage: Coverage, conn_id: int, at: int, facts: Facts) -> None:
    coverage.session_down(conn_id, at, facts.since or at, facts.reason, facts.stopped)


def _added(coverage: Coverage, conn_id: int, at: int, facts: Facts) -> None:
    coverage.added(conn_id, at, facts.sid)


def _removed(coverage: Coverage, conn_id: int, at: int, facts: Facts) -> None:
    coverage.removed(conn_id, at, facts.since or None, facts.moved)


def _gap(coverage: Coverage, conn_id: int, at: int, facts: Facts) -> None:
    coverage.gap(conn_id, at, facts.since, facts.sid, facts.size)


def _terminal(coverage: Coverage, conn_id: int, at: int, facts: Facts) -> None:
    coverage.terminal(conn_id, at, facts.sid, f"code {facts.code}, {facts.text}")


def _dropped(coverage: Coverage, conn_id: int, at: int, facts: Facts) -> None:
    coverage.dropped(conn_id, at, facts.first_at, facts.count)


def _unreadable(coverage: Coverage, conn_id: int, at: int, facts: Facts) -> None:
    coverage.unreadable(conn_id, at, facts.reason)


_MARKERS: dict[str, Callable[[Coverage, int, int, Any], None]] = {
    "session_up": _session_up,
    "session_down": _session_down,
    "markets_added": _added,
    "markets_removed": _removed,
    "gap": _gap,
    "terminal_error": _terminal,
    "local_drop": _dropped,
    "undecodable": _unreadable,
}
"""`recovered` is not among them: a book is complete again with its own snapshot. `segment_start` is about the run."""
