"""The memory behind the health page: what shows only over several looks. No clock and no timer of its own."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from zoneinfo import ZoneInfo

from gatherer.core.health.checks import RECENT, Observations, book_share, missing_parts
from gatherer.core.health.stale_feed import Flow, StaleFeedDetector
from gatherer.interfaces import ConnectionStatus, PoolStatus, RegistryStatus, RouterStatus

NEW_YORK = ZoneInfo("America/New_York")
THURSDAY = 3
BEGIN, END = 3, 5
"""Hours of the local day. A longer maintenance shows in the exchange's own status."""


def in_maintenance(now: float) -> bool:
    """Whether Unix time `now` lies in the weekly window. A zone, not an offset: the window moves with summer time."""
    local = datetime.fromtimestamp(now, NEW_YORK)
    return local.weekday() == THURSDAY and BEGIN <= local.hour < END


@dataclass(slots=True)
class ConditionTimers:
    """Since when each condition holds. Call `note` for every condition at every look."""

    _since: dict[str, float] = field(default_factory=dict)

    def note(self, name: str, holds: bool, now: float) -> None:
        """The condition holds now, or does not."""
        if holds:
            self._since.setdefault(name, now)
        else:
            self._since.pop(name, None)

    def seconds(self, now: float) -> dict[str, float]:
        """For how long each condition that holds has held without a break."""
        return {name: max(0.0, now - since) for name, since in self._since.items()}


def pause_of(registry: RegistryStatus, now: float) -> str | None:
    """Why nothing needs to flow now, or None: what the exchange says of itself, or its weekly window."""
    if registry.exchange_active is False:
        return "the exchange is not active"
    if registry.trading_active is False:
        return "trading is not active"
    return "weekly maintenance" if in_maintenance(now) else None


class HealthMonitor:
    """`look` every few seconds; `report` is what the last look found."""

    def __init__(self, frozen_after: float) -> None:
        """`frozen_after` as in `StaleFeedDetector`."""
        self._feed = StaleFeedDetector(frozen_after)
        self._lasting = ConditionTimers()
        self._began: float | None = None
        self._was_ready = False
        self._losses: deque[tuple[float, int]] = deque([(-inf, 0)])
        """Time and the router's losses at the looks of the last `RECENT` seconds, and at the last one before."""
        self._report = Observations()

    def look(
        self, now: float, unix: float, pool: PoolStatus, registry: RegistryStatus, router: RouterStatus
    ) -> Observations:
        """Take notice of the figures; the new report. `now` are monotonic seconds: how long something lasts. `unix` is
        the time of day: when the exchange has its maintenance."""
        self._began = now if self._began is None else self._began
        self._was_ready = self._was_ready or not missing_parts(pool, registry)
        pause = pause_of(registry, unix)
        feed = self._feed.look(now, map(_flow, pool.connections), pause is not None)
        self._note(now, pool, router)
        self._report = Observations(
            at=unix,
            uptime=now - self._began,
            was_ready=self._was_ready,
            pause=pause,
            feed=feed,
            lasting=self._lasting.seconds(now),
            losses_before=self._losses_before(now, router),
        )
        return self._report

    def report(self) -> Observations:
        """What the last look found; the defaults before the first look."""
        return self._report

    def _losses_before(self, now: float, router: RouterStatus) -> int:
        """The router's losses until `RECENT` seconds ago. Remembers this look for later ones."""
        losses = self._losses
        losses.append((now, router.losses))
        while losses[1][0] <= now - RECENT:
            losses.popleft()
        return losses[0][1]

    def _note(self, now: float, pool: PoolStatus, router: RouterStatus) -> None:
        note = self._lasting.note
        live = [each.role for each in pool.connections if each.is_live]
        note("below minimum", len(live) < pool.min_healthy, now)
        for role in dict.fromkeys(each.role for each in pool.connections):
            note(f"no {role.value}", role not in live, now)
        note("diverging", pool.divergence > 0, now)
        note("without book", pool.without_book > 0, now)
        note("low coverage", not book_share(pool).ok, now)


def _flow(connection: ConnectionStatus) -> Flow:
    messages = connection.forwarded - connection.snapshots
    return Flow(connection.conn_id, connection.role, connection.is_live, messages, connection.held)
