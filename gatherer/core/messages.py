"""The values that core alone passes on, and those of the seams under the names that core knows them by."""

import msgspec

from gatherer.interfaces.values import (
    Change,
    ExchangeStatus,
    Marker,
    MarketChange,
    MarketRow,
    RawMessage,
    ShardStatus,
)

__all__ = [
    "Change",
    "ExchangeStatus",
    "LifecycleEvent",
    "Marker",
    "MarketChange",
    "MarketRow",
    "RawMessage",
    "ShardStatus",
]  # fmt: skip


class LifecycleEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of one market on the lifecycle channel (protocol section 7)."""

    ticker: str
    kind: str
    """`created`, `activated`, `deactivated`, `close_date_updated`, `determined`, `settled`, ..."""
    open_ts: float | None = None
    """Unix time in seconds, like `close_ts`. None when the event has no such time."""
    close_ts: float | None = None
