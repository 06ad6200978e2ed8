"""What connections and sessions are made with: the parts that a pool shares, and numbers from the settings."""

from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.interfaces import IReactorTime

from gatherer.core.histograms import Measurements
from gatherer.exchange.error_log import ErrorLog
from gatherer.interfaces import IMessageRouter


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """How commands are sent, from `[orderbook]` in the settings. Times are seconds."""

    command_timeout: float
    use_yes_price: bool = False


@dataclass(frozen=True, slots=True)
class SessionContext:
    """The parts that all sessions of a pool share."""

    router: IMessageRouter
    error_log: ErrorLog
    clock: IReactorTime
    wall: Callable[[], int]
    """Unix time in nanoseconds."""
    command_settings: CommandSettings
    recover_gaps: bool
    """Whether a gap, or a loss of our own, asks for fresh snapshots (`on_gap`)."""
    ping_timeout: float = 30.0
    """Seconds after which a silent socket is cut (`[pool]`). The capture records it for the coverage tool."""
    measurements: Measurements = field(default_factory=Measurements)


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Numbers of `[pool]`, `[orderbook]` and `[reconnect]`: seconds and markets."""

    ping_timeout: float
    healthy_after: float
    batch_size: int
    snapshot_deadline: float
