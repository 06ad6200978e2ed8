"""Lifecycle messages to events (protocol section 5). Times may have any format; everything else is checked."""

import math
from datetime import UTC, datetime

import msgspec

from gatherer.errors import RemoteProtocolError
from gatherer.values import LifecycleEvent

MARKET_CHANNELS = frozenset({"market_lifecycle_v2", "multivariate_market_lifecycle"})
"""Message types about one market. `event_lifecycle` and `event_fee_update` come on the same channel."""


class _LifecycleBody(msgspec.Struct):
    market_ticker: str = ""
    event_type: str = ""
    open_ts: object = None
    """A time in any of the formats of `unix_seconds`, like `close_ts`."""
    close_ts: object = None


class _LifecycleMessage(msgspec.Struct):
    type: str
    msg: _LifecycleBody


_decode = msgspec.json.Decoder(_LifecycleMessage).decode


def decode_lifecycle(data: bytes) -> tuple[str, LifecycleEvent | None]:
    """The kind of a message, for counting, and the event if the message is about a market.

    Raises `RemoteProtocolError` for bytes that are not a lifecycle message.
    """
    try:
        message = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(f"lifecycle message cannot be read: {error}") from None
    if message.type not in MARKET_CHANNELS:
        return message.type, None
    body = message.msg
    if not body.market_ticker or not body.event_type:
        raise RemoteProtocolError("lifecycle message without market_ticker or event_type")
    event = LifecycleEvent(body.market_ticker, body.event_type, unix_seconds(body.open_ts), unix_seconds(body.close_ts))
    return body.event_type, event


def unix_seconds(value: object) -> float | None:
    """A time as Unix seconds. The exchange mixes seconds, milliseconds and RFC 3339. None for any other value."""
    if isinstance(value, str):
        value = _from_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e15 or math.isnan(value):
        return None
    return float(value) if value < 1e11 else value / 1000


def _from_text(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
