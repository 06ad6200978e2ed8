"""Bytes to values, and commands to bytes: everything that knows how the exchange writes (docs/protocol.md).

Frames of a socket read, control messages, lifecycle messages, refused upgrades and REST bodies come from `exchange` and
`registry` and go back to them as values or as errors of the exchange. Nothing here keeps state or decides what to do.
"""

from gatherer.core.wire.codec import (
    ControlBody,
    Envelope,
    count_levels,
    decode_body,
    decode_envelope,
    decode_run,
    decode_ticker,
    decode_time,
    encode,
    is_json,
)
from gatherer.core.wire.frames import frame_size, scan, text_frame_size
from gatherer.core.wire.handshake import clock_skew, is_refusal, parse_refusal
from gatherer.core.wire.lifecycle import decode_lifecycle, unix_seconds
from gatherer.core.wire.rest_bodies import MarketPage, Unreadable, decode_market, decode_page, decode_status

__all__ = [
    "ControlBody", "Envelope", "MarketPage", "Unreadable", "clock_skew", "count_levels", "decode_body",
    "decode_envelope", "decode_lifecycle", "decode_market", "decode_page", "decode_run", "decode_status",
    "decode_ticker", "decode_time", "encode", "frame_size", "is_json", "is_refusal", "parse_refusal", "scan",
    "text_frame_size", "unix_seconds",
]  # fmt: skip
