"""What the figures amount to: healthy or not, ready or not, and why. Pure functions of the parts' statuses.

A problem needs a person now: it makes a part "failing" and the answer 503. A warning can wait until the morning: the
part is "degraded". An exchange that pauses is neither. `docs/operations.md` has the table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gatherer.core.health.stale_feed import Feed
from gatherer.interfaces import HealthStatus, PoolStatus, Readiness, RegistryStatus, RouterStatus
from gatherer.interfaces.health import (
    CaptureHealth,
    Components,
    ConnectionsHealth,
    FeedHealth,
    MarketsHealth,
    ProcessHealth,
)
from gatherer.values import Role

READY_SHARE = 0.99
"""Share of the wanted markets that must be held. Markets open every minute, so all of them would flap."""
GRACE = 60.0
"""Seconds a lack of connections may last: a deploy of the exchange cuts all sockets, and they are back in 20 s."""
MAX_STARTING = 900.0
"""Seconds after the start in which missing parts are not a problem: a million markets take 5 minutes."""
DIVERGING = 600.0
"""Seconds in which wanted and held should agree once, the longest pause between two tries included."""
WITHOUT_BOOK = 300.0
"""Seconds for which the books of some markets may be late: the registry has looked the markets up in that time."""
STALE_WALKS = 3
"""Intervals without a complete walk over REST after which the list of markets is stale."""
BACKLOG_SHARE = 0.8
"""Of the router's buffer: the rest lasts for a fraction of a second of a busy day."""
BLOCKED = 1.0
"""Seconds the reactor may not answer. Heartbeats allow for 30, but messages age meanwhile."""
MAX_TEXT = 300
"""Characters of what the operating system says."""
RECENT = 300.0
"""Seconds for which a drop of ours is reported."""
BYTES_SHARE = 0.6
"""Of the router's bytes: a quarter of them is for markers only, so messages are dropped at 0.75."""


@dataclass(frozen=True, slots=True)
class Observations:
    """What shows only over time: `HealthMonitor` finds it. The defaults hold before its first look."""

    at: float | None = None
    """Unix time of the look."""
    uptime: float = 0.0
    """Seconds since the first look."""
    was_ready: bool = False
    """Whether the gatherer was ready at one of the looks."""
    pause: str | None = None
    """Why nothing needs to flow now."""
    feed: Feed | None = None
    lasting: Mapping[str, float] = field(default_factory=dict)
    """Seconds for which each condition that holds has held without a break."""
    losses_before: int = 0
    """Messages and markers that the router had dropped until `RECENT` seconds before the look."""
    lag_seconds: float = 0.0
    """The worst lateness of a timer within the last minute."""


def health(pool: PoolStatus, registry: RegistryStatus, router: RouterStatus, observed: Observations) -> HealthStatus:
    """The verdict; its components say why."""
    starting = not observed.was_ready and observed.uptime < MAX_STARTING
    components = Components(
        connections=_connections(pool, registry, observed, starting),
        feed=_feed(observed, starting),
        markets=_markets(pool, registry, observed, starting),
        capture=_capture(router, observed),
        process=_process(observed),
    )
    parts = components.by_name().values()
    statuses = {component.status for component in parts}
    status = next((each for each in ("failing", "starting", "degraded") if each in statuses), "ok")
    return HealthStatus(
        ok=status != "failing",
        status="starting" if starting and status == "ok" else status,
        problems=[problem for component in parts for problem in component.problems],
        warnings=[warning for component in parts for warning in component.warnings],
        pause=observed.pause,
        components=components,
    )


def missing_parts(pool: PoolStatus, registry: RegistryStatus) -> list[str]:
    """What a start still needs: connections of the minimum, the first walk, markets held of those wanted."""
    live, books = _live(pool), book_share(pool)
    missing = []
    if live < pool.min_healthy:
        missing.append(f"{live} of at least {pool.min_healthy} connections are live")
    if registry.last_sync is None:
        missing.append("the first walk over the markets is not complete")
    if not books.ok:
        missing.append(f"{books.held} of {books.wanted} markets have their book")
    return missing


def readiness(pool: PoolStatus, registry: RegistryStatus, router: RouterStatus, observed: Observations) -> Readiness:
    """What is still missing, and what the capture has lost within the last minutes."""
    live, books = _live(pool), book_share(pool)
    missing = [*missing_parts(pool, registry), *_losses(router, observed)]
    return Readiness(
        ok=not missing,
        missing=missing,
        connections_live=live,
        connections_least=pool.min_healthy,
        markets_held=books.held,
        markets_wanted=books.wanted,
    )


@dataclass(frozen=True, slots=True)
class BookShare:
    """Markets that have their book, of those wanted; `ok` when that is as good as all."""

    ok: bool
    held: int
    wanted: int


def book_share(pool: PoolStatus) -> BookShare:
    """How many markets have their book, and whether that is as good as all."""
    held = sum(connection.held - connection.owed for connection in pool.connections)
    return BookShare(held >= pool.markets * READY_SHARE, held, pool.markets)


def _judge(problems: list[str], warnings: list[str], starting: bool) -> tuple[str, list[str], list[str]]:
    """The status of a component, its problems and its warnings. While we start, problems are only warnings."""
    status = "failing" if problems else "degraded" if warnings else "ok"
    if starting and status != "ok":
        return "starting", [], problems + warnings
    return status, problems, warnings


def _live(pool: PoolStatus) -> int:
    return sum(connection.is_live for connection in pool.connections)


def _connections(
    pool: PoolStatus, registry: RegistryStatus, observed: Observations, starting: bool
) -> ConnectionsHealth:
    live = _live(pool)
    problems: list[str] = []
    warnings: list[str] = []
    for text, seconds in _lacks(pool, observed.lasting):
        (problems if seconds >= GRACE else warnings).append(f"{text}, for {seconds:.0f} s")
    if pool.alarm:
        (warnings if live else problems).append(pool.alarm)
    if registry.exchange_active is False:  # then it has no sockets for us, and we go on dialling
        problems, warnings = [], problems + warnings
    status, problems, warnings = _judge(problems, warnings, starting)
    return ConnectionsHealth(
        status=status, problems=problems, warnings=warnings,
        live=live, least=pool.min_healthy, planned=len(pool.connections), alarm=pool.alarm,
    )  # fmt: skip


def _lacks(pool: PoolStatus, lasting: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    live, least = _live(pool), pool.min_healthy
    if live < least:
        yield f"{live} of at least {least} connections are live", lasting.get("below minimum", 0.0)
    roles: dict[Role, bool] = {connection.role: False for connection in pool.connections}
    roles.update((each.role, True) for each in pool.connections if each.is_live)
    for role in (role.value for role, is_live in roles.items() if not is_live):
        yield f"no connection for {role} is live", lasting.get(f"no {role}", 0.0)


def _feed(observed: Observations, starting: bool) -> FeedHealth:
    feed = observed.feed or Feed()
    status, problems, warnings = _judge(list(feed.frozen), list(feed.silent), starting)
    quiet = {role.value: round(seconds, 1) for role, seconds in feed.quiet}
    return FeedHealth(status=status, problems=problems, warnings=warnings, quiet_seconds=quiet)


def _markets(pool: PoolStatus, registry: RegistryStatus, observed: Observations, starting: bool) -> MarketsHealth:
    books, lasting, found = book_share(pool), observed.lasting, list[str]()
    low, diverging = lasting.get("low coverage", 0.0), lasting.get("diverging", 0.0)
    if low >= DIVERGING and not books.ok:
        found.append(f"{books.held} of {books.wanted} markets have their book, for {low:.0f} s")
    if diverging >= DIVERGING and pool.divergence:
        found.append(f"{pool.divergence} markets differ from what is wanted, never 0 for {diverging:.0f} s")
    lacking = lasting.get("without book", 0.0)
    if lacking >= WITHOUT_BOOK and pool.without_book:
        found.append(f"{pool.without_book} markets are held without their book, never 0 for {lacking:.0f} s")
    if pool.paused_since is not None:
        found.append("an operator paused the commands: what is to be subscribed waits for resume() in the manhole")
    if pool.unplaced:
        found.append(f"{pool.unplaced} markets find no connection with room")
    age = _walk_age(registry, observed)
    if age is not None and age > STALE_WALKS * registry.reconcile_interval:
        found.append(f"no complete walk over the list of markets for {age:.0f} s")
    status, problems, warnings = _judge([], found, starting)
    return MarketsHealth(
        status=status, problems=problems, warnings=warnings,
        held=books.held, wanted=books.wanted, divergence=pool.divergence, without_book=pool.without_book,
        paused_since=pool.paused_since,
        draining=pool.draining, unplaced=pool.unplaced, walk_age_seconds=age,
    )  # fmt: skip


def _walk_age(registry: RegistryStatus, observed: Observations) -> float | None:
    """Seconds since the last complete walk; since the start, as long as there was none."""
    if observed.at is None:
        return None
    last = registry.last_sync
    return observed.uptime if last is None else max(0.0, round(observed.at - last, 1))


def _losses(router: RouterStatus, observed: Observations) -> Iterator[str]:
    """A disk that refuses now, and what was dropped within the last minutes."""
    if router.trouble:
        yield f"the capture cannot be written: {router.trouble[:MAX_TEXT]}"
    recent = router.losses - observed.losses_before
    if recent > 0:
        why = "the disk refuses" if router.trouble else "the disk or the processor was too slow"
        total = f"{router.dropped} messages and {router.dropped_markers} markers since the start"
        yield f"{recent} records were dropped within the last {RECENT:.0f} s ({total}): {why}"


def _capture(router: RouterStatus, observed: Observations) -> CaptureHealth:
    problems, warnings = list(_losses(router, observed)), []
    if router.buffer_messages and router.backlog > router.buffer_messages * BACKLOG_SHARE:
        warnings.append(f"{router.backlog} messages wait for the disk, {router.buffer_messages} is the most")
    if router.buffer_bytes and router.backlog_bytes > router.buffer_bytes * BYTES_SHARE:
        warnings.append(f"{router.backlog_bytes} bytes wait for the disk, {router.buffer_bytes} is the most")
    if router.sync_failures:
        warnings.append(f"{router.sync_failures} segments may have lost records: the disk failed to sync them")
    status, problems, warnings = _judge(problems, warnings, starting=False)
    return CaptureHealth(
        status=status, problems=problems, warnings=warnings,
        backlog=router.backlog, buffer=router.buffer_messages, dropped=router.dropped,
    )  # fmt: skip


def _process(observed: Observations) -> ProcessHealth:
    lag = observed.lag_seconds
    found = [f"the reactor did not answer for {lag:.1f} s within the last minute"] if lag > BLOCKED else []
    status, problems, warnings = _judge([], found, starting=False)
    return ProcessHealth(
        status=status, problems=problems, warnings=warnings,
        lag_seconds=round(lag, 3), uptime_seconds=round(observed.uptime, 1),
    )  # fmt: skip
