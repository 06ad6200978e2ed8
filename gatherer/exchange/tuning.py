"""The numbers a connection is made with, and its next session when they change."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Of `[pool]`, `[orderbook]` and `[reconnect]`; seconds and markets."""

    ping_timeout: float
    healthy_after: float
    batch_size: int
    snapshot_deadline: float
