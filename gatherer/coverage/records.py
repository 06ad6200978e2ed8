"""From a line of a capture to the few fields that completeness is decided by."""

from collections.abc import Callable
from typing import Any

import msgspec


class Body(msgspec.Struct, frozen=True, gc=False):
    """The `msg` of a message about a book."""

    market_ticker: str = ""


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message of the exchange."""

    type: str = ""
    id: int = 0
    sid: int = 0
    msg: Body = Body()


class Record(msgspec.Struct, frozen=True, gc=False):
    """One line (see `docs/capture.md`)."""

    received_at: int
    conn_id: int
    marker: str = ""
    facts: msgspec.Raw = msgspec.Raw(b"{}")
    data: msgspec.Raw = msgspec.Raw(b"null")


class Start(msgspec.Struct, frozen=True):
    """Facts of `segment_start`."""

    run: str = ""
    number: int = 0


class Facts(msgspec.Struct, gc=False):
    """Facts of all markers that matter here; what a kind does not have keeps its default."""

    sid: int = 0
    ended: int = 0
    since: int = 0
    until: int = 0
    size: int = 0
    count: int = 0
    seconds: float = 0.0
    first_at: int = 0
    last_at: int = 0
    code: int = 0
    ping_timeout: float = 30.0
    channel: str = ""
    role: str = ""
    reason: str = ""
    text: str = ""
    stopped: bool = False
    moved: bool = False
    tickers: list[str] = msgspec.field(default_factory=list)
    conn_ids: list[int] = msgspec.field(default_factory=list)
    markers: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict)
    segment: str = ""


decode_record: Callable[[bytes], Record] = msgspec.json.Decoder(Record).decode
decode_start: Callable[[Any], Start] = msgspec.json.Decoder(Start).decode
decode_facts: Callable[[Any], Facts] = msgspec.json.Decoder(Facts).decode
_decode_message: Callable[[Any], Message] = msgspec.json.Decoder(Message).decode
NOTHING = Message()


def message_of(record: Record) -> Message:
    """The message of a record; an empty one for a shape that nobody knows, which is not a snapshot."""
    try:
        return _decode_message(record.data)
    except msgspec.DecodeError:
        return NOTHING
