"""WebSocket messages: the envelope first, and a body only where it is needed (protocol sections 3 and 5)."""

import msgspec

from gatherer.core.subscriptions.commands import Action, Command
from gatherer.errors import LocalProtocolError, RemoteProtocolError

CONTROL_TYPES = frozenset({"subscribed", "ok", "unsubscribed", "error"})
"""Messages that answer a command or end a subscription. All others are market data, even those with an id."""
KNOWN_TYPES = frozenset(
    {
        "orderbook_snapshot", "orderbook_delta", "ticker", "trade", "market_lifecycle_v2",
        "event_lifecycle", "event_fee_update", "multivariate_market_lifecycle",
    }
)  # fmt: skip
SHORTEST_RUN = 8
"""From this many messages in a read on, it pays to test whether they are all alike."""

NOT_READABLE = (msgspec.DecodeError, RecursionError)
"""The errors of decoding. Brackets nested some thousand deep are legal JSON, but no parser here reads them."""


class Envelope(msgspec.Struct, gc=False):
    """The fields that all messages share. 0 and "" mean absent; the exchange counts from 1."""

    type: str = ""
    id: int = 0
    sid: int = 0
    seq: int = 0


class ControlBody(msgspec.Struct, frozen=True, gc=False):
    """The fields of a control message's `msg` that decide something."""

    sid: int = 0
    channel: str = ""
    code: int = 0
    msg: str = ""


class ControlMessage(msgspec.Struct, gc=False):
    """The rest of a control message. `msg` is an object, or a list after `list_subscriptions`."""

    msg: ControlBody | list[object] = ControlBody()


class _TickerBody(msgspec.Struct, gc=False):
    market_ticker: str = ""


class _TickerMessage(msgspec.Struct, gc=False):
    msg: _TickerBody


class _StampedBody(msgspec.Struct, gc=False):
    ts_ms: int = 0


class _StampedMessage(msgspec.Struct, gc=False):
    msg: _StampedBody


class _Book(msgspec.Struct, gc=False):
    yes_dollars_fp: list[msgspec.Raw] = []
    no_dollars_fp: list[msgspec.Raw] = []


class _BookMessage(msgspec.Struct, gc=False):
    msg: _Book


decode_envelope = msgspec.json.Decoder(Envelope).decode
"""Raises `msgspec.DecodeError` for bytes that are not JSON and its subclass `msgspec.ValidationError` for JSON of
another shape. It checks the skipped parts too, except UTF-8, which the WebSocket layer has checked."""

_decode_control = msgspec.json.Decoder(ControlMessage).decode
_decode_ticker = msgspec.json.Decoder(_TickerMessage).decode
_decode_stamped = msgspec.json.Decoder(_StampedMessage).decode
_decode_book = msgspec.json.Decoder(_BookMessage).decode


def decode_run(payloads: list[bytes]) -> tuple[int, list[int]] | None:
    """The sid and the numbers, if the messages are all data of one kind and one sid; otherwise None.

    None for snapshots too: the session looks at each.
    """
    try:
        first = decode_envelope(payloads[0])
        kind, sid, count = first.type, first.sid, len(payloads)
        if kind not in KNOWN_TYPES or kind == "orderbook_snapshot":
            return None  # now, because snapshots are long: decoding the others would be wasted
        envelopes = list(map(decode_envelope, payloads))
    except NOT_READABLE:
        return None
    kinds, sids = [envelope.type for envelope in envelopes], [envelope.sid for envelope in envelopes]
    if kinds.count(kind) != count or sids.count(sid) != count:
        return None
    return sid, [envelope.seq for envelope in envelopes]


def is_json(data: bytes) -> bool:
    """Whether the bytes are one JSON text. It is asked when the envelope has an unknown shape."""
    try:
        msgspec.json.decode(data)
    except (*NOT_READABLE, UnicodeDecodeError):
        return False
    return True


def decode_body(data: bytes) -> ControlBody:
    """The body of a control message. Raises `RemoteProtocolError` when its fields have other types."""
    try:
        body = _decode_control(data).msg
    except NOT_READABLE as error:
        raise RemoteProtocolError(f"control message of an unknown shape: {error}") from error
    return body if isinstance(body, ControlBody) else ControlBody()


def decode_ticker(data: bytes) -> str:
    """The `market_ticker` of a message, or "" when it has none."""
    try:
        return _decode_ticker(data).msg.market_ticker
    except NOT_READABLE:
        return ""


def decode_time(data: bytes) -> float | None:
    """The exchange's `ts_ms` of a message as Unix seconds, or None: it is optional (protocol section 5)."""
    try:
        return _decode_stamped(data).msg.ts_ms / 1000 or None
    except (*NOT_READABLE, OverflowError):
        return None


def count_levels(data: bytes) -> tuple[int, int]:
    """How many price levels a snapshot has on its yes and its no side. (0, 0) for a message of another shape."""
    try:
        book = _decode_book(data).msg
    except NOT_READABLE:
        return 0, 0
    return len(book.yes_dollars_fp), len(book.no_dollars_fp)


def encode(command: Command, command_id: int, use_yes_price: bool = False) -> bytes:
    """The JSON text of a command (protocol section 3)."""
    if command.action in (Action.ADD, Action.DELETE, Action.SNAPSHOT) and not command.tickers:
        raise LocalProtocolError(f"{command.action.value} without markets: an empty list can mean all of them")
    if command.action is Action.SUBSCRIBE:
        return _encode(command_id, "subscribe", _subscribe_params(command, use_yes_price))
    if command.action is Action.UNSUBSCRIBE:
        return _encode(command_id, "unsubscribe", {"sids": [command.sid]})
    params = {"sids": [command.sid], "action": command.action.value, "market_tickers": command.tickers}
    if command.action is not Action.SNAPSHOT:
        params["skip_ticker_ack"] = True  # a full list in each acknowledgement costs O(n²) bytes over n batches
    return _encode(command_id, "update_subscription", params)


def _subscribe_params(command: Command, use_yes_price: bool) -> dict[str, object]:
    params: dict[str, object] = {"channels": [command.channel]}
    if command.channel == "orderbook_delta":
        if not command.tickers:
            raise LocalProtocolError("order books cannot be subscribed without markets")
        params.update(market_tickers=command.tickers, skip_ticker_ack=True, use_yes_price=use_yes_price)
    return params


def _encode(command_id: int, name: str, params: dict[str, object]) -> bytes:
    return msgspec.json.encode({"id": command_id, "cmd": name, "params": params})
