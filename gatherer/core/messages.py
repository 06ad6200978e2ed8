"""Frozen values that travel between the parts.

They are msgspec structs, not dataclasses: one is made per message, and a frozen
dataclass costs six times as much to make (`object.__setattr__` per field).
"""

from datetime import UTC, datetime
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


class MarketRow(msgspec.Struct, frozen=True, gc=False):
    """A market as REST lists it (protocol section 6); the fields a collector decides by."""

    ticker: str
    status: str
    """`initialized`, `active`, `inactive`, `closed`, `determined`, `disputed`, `amended`, `finalized`."""
    open_time: datetime | None = None
    close_time: datetime | None = None

    @property
    def open_ts(self) -> float | None:
        """Unix time in seconds at which it opens or opened."""
        return _unix(self.open_time)

    @property
    def close_ts(self) -> float | None:
        """Unix time in seconds at which it closes or closed."""
        return _unix(self.close_time)


class ShardStatus(msgspec.Struct, frozen=True):
    """Whether one shard of the exchange runs: it may pause alone."""

    exchange_index: int
    exchange_active: bool = True
    trading_active: bool = True
    description: str | None = None


class ExchangeStatus(msgspec.Struct, frozen=True):
    """Whether the exchange runs (protocol section 6). The resume time is text and no promise."""

    exchange_active: bool
    trading_active: bool
    exchange_estimated_resume_time: str | None = None
    exchange_index_statuses: list[ShardStatus] | None = None


class LifecycleEvent(msgspec.Struct, frozen=True, gc=False):
    """One market's event of the lifecycle channel (protocol section 7)."""

    ticker: str
    kind: str
    """`created`, `activated`, `deactivated`, `close_date_updated`, `determined`, `settled`, ..."""
    open_ts: float | None = None
    """Unix time in seconds, like `close_ts`; None when the event does not carry it."""
    close_ts: float | None = None


def _unix(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    # Without an offset the exchange means UTC; Python would take our own zone.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
