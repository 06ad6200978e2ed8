"""Frozen values that travel between the parts.

They are msgspec structs, not dataclasses: one is made per message, and a frozen
dataclass costs six times as much to make (`object.__setattr__` per field).
"""

from enum import Enum
from typing import Any

import msgspec


class RawMessage(msgspec.Struct, frozen=True, gc=False):
    """One message of the exchange, byte for byte, and what we know about its arrival."""

    data: bytes
    """Payload of the WebSocket message, unchanged."""
    conn_id: int
    """Connection it came in on, 1 to 150."""
    received_at: int
    """Unix time in nanoseconds of the socket read that brought it."""
    seq_gap: bool = False
    """True when this message revealed that its sid skipped numbers."""
    gap_size: int = 0
    """How many numbers were skipped; 0 without a gap, never negative."""


class Marker(msgspec.Struct, frozen=True, gc=False):
    """Something that happened to the capture itself: session up or down, gap, local drop, ..."""

    kind: str
    """What happened, in snake case: `session_up`, `session_down`, `gap`, `local_drop`, ..."""
    conn_id: int
    """Connection it happened to; 0 when it concerns all of them."""
    at: int
    """Unix time in nanoseconds."""
    facts: dict[str, Any] = {}
    """JSON-ready details; the keys depend on the kind."""


class Change(Enum):
    """What a listener is to do about a market."""

    ADD = "add"
    """Carry it from now on."""
    REMOVE = "remove"
    """It is over: stop carrying it."""
    REFRESH = "refresh"
    """Its book was emptied and starts anew: ask for a fresh snapshot."""


class MarketChange(msgspec.Struct, frozen=True, gc=False):
    """One decision of the market registry."""

    ticker: str
    change: Change
