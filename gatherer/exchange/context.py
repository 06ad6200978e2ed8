"""What a session is made with: the parts all sessions of a pool share, and the numbers from the settings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.interfaces import IReactorTime

from gatherer.core.histograms import Measurements
from gatherer.exchange.error_log import ErrorLog


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """How to ask. Seconds; see `[orderbook]` in the settings."""

    command_timeout: float
    use_yes_price: bool = False


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What all sessions of a pool share."""

    router: Any
    error_log: ErrorLog
    clock: IReactorTime
    wall: Callable[[], int]
    """Unix time in nanoseconds."""
    command_settings: CommandSettings
    recover_gaps: bool
    """Whether a gap, or a loss of ours, asks for fresh snapshots (`on_gap`)."""
    ping_timeout: float = 30.0
    """Seconds after which a silent socket is given up (`[pool]`); the capture tells it to who judges it."""
    measurements: Measurements = field(default_factory=Measurements)


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Of `[pool]`, `[orderbook]` and `[reconnect]`; seconds and markets."""

    ping_timeout: float
    healthy_after: float
    batch_size: int
    snapshot_deadline: float
