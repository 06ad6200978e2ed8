"""What the figures amount to: the answers of `/health` and `/ready`. `gatherer.core.health` makes them."""

import msgspec


class ComponentHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the whole; the fields that its subclass adds are the figures that decide."""

    status: str
    """`ok`, `starting`, `degraded` or `failing`."""
    problems: list[str]
    """What a person has to see to now."""
    warnings: list[str]
    """What can wait until the morning."""


class ConnectionsHealth(ComponentHealth, frozen=True, kw_only=True):
    """Whether enough connections are live."""

    live: int
    least: int
    planned: int
    alarm: str | None


class FeedHealth(ComponentHealth, frozen=True, kw_only=True):
    """Whether messages flow as they should."""

    quiet_seconds: dict[str, float]
    """Seconds since the last message of each role."""


class MarketsHealth(ComponentHealth, frozen=True, kw_only=True):
    """Whether the markets have their books, and the list of markets is fresh."""

    held: int
    wanted: int
    divergence: int
    without_book: int
    paused_since: float | None
    draining: list[int]
    unplaced: int
    walk_age_seconds: float | None


class CaptureHealth(ComponentHealth, frozen=True, kw_only=True):
    """Whether what arrives is written."""

    backlog: int
    buffer: int | None
    dropped: int


class ProcessHealth(ComponentHealth, frozen=True, kw_only=True):
    """Whether the reactor answers in time."""

    lag_seconds: float
    uptime_seconds: float


class Components(msgspec.Struct, frozen=True):
    """The parts that are judged."""

    connections: ConnectionsHealth
    feed: FeedHealth
    markets: MarketsHealth
    capture: CaptureHealth
    process: ProcessHealth

    def by_name(self) -> dict[str, ComponentHealth]:
        """All of them, in order."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class HealthStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `/health`."""

    ok: bool
    """Whether it is not failing."""
    status: str
    """`ok`, `starting`, `degraded` or `failing`."""
    problems: list[str]
    warnings: list[str]
    pause: str | None
    """Why nothing needs to flow now."""
    components: Components


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `/ready`: whether the capture is as good as complete."""

    ok: bool
    missing: list[str]
    """What is not there yet, in words."""
    connections_live: int
    connections_least: int
    markets_held: int
    markets_wanted: int
