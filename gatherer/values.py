"""The frozen values that the packages pass to each other: what arrives, what is decided, what the exchange says.

They are msgspec structs, not dataclasses. One is made for each message, and a frozen dataclass costs six times as much
to make (`object.__setattr__` for each field). Readers of a capture need them without Twisted, so nothing but msgspec is
imported here.
"""

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec


class Role(Enum):
    """What a connection is for. The value is the role's name in logs, metrics and the capture."""

    TICKER = "ticker"
    TRADE = "trade"
    LIFECYCLE = "market_lifecycle"
    ORDERBOOK = "orderbook_delta"

    @property
    def channel(self) -> str:
        """The channel's name on the wire (protocol section 3)."""
        return "market_lifecycle_v2" if self is Role.LIFECYCLE else self.value

    @property
    def is_global(self) -> bool:
        """Whether the role subscribes its whole channel, not single markets."""
        return self is not Role.ORDERBOOK


Facts = dict[str, Any]
"""A JSON object for people and tools: `Any`, because its keys and their types depend on the case. The docstring of the
method that returns it, or the kind of the marker, says which."""


class RawMessage(msgspec.Struct, frozen=True, gc=False):
    """One message of the exchange, byte for byte, with its connection and time."""

    data: bytes
    """Payload of the WebSocket message, unchanged."""
    conn_id: int
    """The connection that received it, 1 to 150."""
    received_at: int
    """Unix time in nanoseconds of its socket read."""
    seq_gap: bool = False
    """Whether this message revealed that its sid skipped numbers."""
    gap_size: int = 0
    """How many numbers were skipped. 0 without a gap, never negative."""


class Marker(msgspec.Struct, frozen=True, gc=False):
    """An event of the capture itself: session up or down, gap, local drop, ..."""

    kind: str
    """What happened, in snake case: `session_up`, `session_down`, `gap`, `local_drop`, ..."""
    conn_id: int
    """The connection concerned; 0 for all of them."""
    at: int
    """Unix time in nanoseconds."""
    facts: Facts = {}
    """JSON-ready details. The keys depend on the kind."""


class Change(Enum):
    """What a listener must do with a market."""

    ADD = "add"
    """Carry it from now on."""
    REMOVE = "remove"
    """Stop carrying it: it is over."""
    REFRESH = "refresh"
    """Ask for a fresh snapshot: its book was emptied."""


class MarketChange(msgspec.Struct, frozen=True, gc=False):
    """One decision of the market registry."""

    ticker: str
    change: Change


class MarketRow(msgspec.Struct, frozen=True, gc=False):
    """A market as REST lists it (protocol section 6). Only the fields that decide something."""

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
    """Whether one shard of the exchange runs. A shard may pause alone."""

    exchange_index: int
    exchange_active: bool = True
    trading_active: bool = True
    description: str | None = None


class ExchangeStatus(msgspec.Struct, frozen=True):
    """Whether the exchange runs (protocol section 6). The resume time is free text, not a promise."""

    exchange_active: bool
    trading_active: bool
    exchange_estimated_resume_time: str | None = None
    exchange_index_statuses: list[ShardStatus] | None = None


class LifecycleEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of one market on the lifecycle channel (protocol section 7)."""

    ticker: str
    kind: str
    """`created`, `activated`, `deactivated`, `close_date_updated`, `determined`, `settled`, ..."""
    open_ts: float | None = None
    """Unix time in seconds, like `close_ts`. None when the event has no such time."""
    close_ts: float | None = None


def _unix(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    # Without an offset the exchange means UTC. Python would take our own time zone.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
