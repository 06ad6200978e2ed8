"""What each part says of itself at one moment: frozen, and JSON-ready with `msgspec.json.encode`.

Fields are in the order of the JSON. Times are Unix seconds. `docs/metrics.md` says what the figures mean.
"""

import msgspec
from msgspec import UNSET, UnsetType

from gatherer.interfaces.health import HealthStatus, Readiness
from gatherer.values import Role


class ConnectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One connection. Counts are sums over all its sockets."""

    conn_id: int
    role: Role
    state: str
    """`live`, `subscribing`, or where the dial is: `idle`, `backoff`, `queued`, `dialing`, `open`, `stopped`."""
    wanted: int
    held: int
    owed: int
    """Markets that are held and wait for a book."""
    without_book: int
    """Those of them whose book is late: its deadline has passed. It is asked for again and again."""
    divergence: int
    """Markets that are wanted and not held, or held and not wanted."""
    subscriptions: int
    rejected: int
    """Markets that the exchange refuses for now."""
    pending: int
    """Commands without a reply."""
    received: int
    forwarded: int
    snapshots: int
    bytes_received: int
    gaps: int
    skipped: int
    repeats: int
    strays: int
    reconnects: int
    recoveries: int
    last_recovery: float
    replies: int
    reply_seconds: float
    last_ping: float | None
    errors: dict[int, int]
    """Errors of the exchange by code."""
    ws_errors: dict[str, int]
    """Lost sockets and messages that made no sense, by kind."""
    unknown_types: dict[str, int]
    last_message: float | None
    next_dial_in: float | None
    """Seconds until the scheduled redial, if there is one."""
    draining: bool | UnsetType = UNSET
    """Whether it is to carry nothing. Only the pool knows, so only a `PoolStatus` has it."""

    @property
    def is_live(self) -> bool:
        """Whether it does its work."""
        return self.state == "live"


class PoolStatus(msgspec.Struct, frozen=True, kw_only=True):
    """All connections, in the order of their ids, and their sums."""

    connections: list[ConnectionStatus]
    healthy: int
    """Connections that are live."""
    min_healthy: int
    alarm: str | None
    """Why the exchange refuses our upgrades, once that is too often to be a coincidence."""
    unplaced: int
    """Markets without a connection: all are full."""
    markets: int
    """Markets to carry, placed or not."""
    divergence: int
    wanted: int
    held: int
    owed: int
    without_book: int
    pending: int
    rejected: int
    paused_since: float | None
    """Since when an operator has held back the commands for order books."""
    draining: list[int]
    """Ids of the connections that are to carry nothing."""
    moving: int = 0
    """Markets that two connections carry for the moment, because they move."""
    moves: dict[str, int] = {}
    """Markets that changed their connection, by reason."""

    @property
    def books(self) -> int:
        """Markets that are held and have their book."""
        return self.held - self.owed


class ShardActivity(msgspec.Struct, frozen=True):
    """One shard of the exchange; a shard can pause alone."""

    exchange_index: int
    exchange_active: bool
    trading_active: bool


class RegistryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The list of markets and what the exchange says of itself. None stands for what is not known yet."""

    markets_total: int
    active_markets: int
    lifecycle_events: dict[str, int]
    unknown_statuses: dict[str, int]
    reconcile_duration: float | None
    reconcile_interval: float
    rest_errors: dict[str, int]
    last_sync: float | None
    """When the last complete walk ended."""
    exchange_active: bool | None
    trading_active: bool | None
    shards: list[ShardActivity]
    overlooked: int = 0
    """Open markets that no event and no earlier walk had brought."""
    repaired: int = 0
    """Differences between the registry and the connections that were repaired."""


class RouterStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where the messages go. What has a default is for routers that write to a disk."""

    kind: str
    directory: str | None = None
    segment: str | None = None
    """The file that is being written, if one is."""
    received: int
    written: int
    dropped: int
    dropped_markers: int = 0
    dropped_by_connection: dict[str, int] = {}
    backlog: int
    """Messages that were taken over and are not written yet."""
    backlog_bytes: int = 0
    """Memory that they need, markers included."""
    buffer_messages: int | None = None
    """The most messages that may wait."""
    buffer_bytes: int | None = None
    """The most memory that they may need."""
    bytes_written: int = 0
    segments: int = 0
    segments_finished: int = 0
    write_errors: int = 0
    sync_failures: int = 0
    """Segments that may have lost records because an fsync failed."""
    trouble: str | None = None
    """Why the disk refuses, while it does, with the directory."""

    @property
    def losses(self) -> int:
        """Messages and markers that found no room since the start."""
        return self.dropped + self.dropped_markers


class GathererStatus(msgspec.Struct, frozen=True, kw_only=True):
    """All parts at one moment, and what their figures amount to."""

    pool: PoolStatus
    registry: RegistryStatus
    router: RouterStatus
    health: HealthStatus
    readiness: Readiness
