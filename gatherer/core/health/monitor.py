"""The memory behind the health page: what only shows when one looks again and again. No clock, no timer of its own."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gatherer.core.health.checks import coverage, readiness
from gatherer.core.health.stale_feed import Feed, Flow, StaleFeedDetector
from gatherer.core.layout import Role

NEW_YORK = ZoneInfo("America/New_York")
THURSDAY = 3
BEGIN, END = 3, 5
"""Hours of the local day. What lasts longer is told by the exchange's status."""


def in_maintenance(now: float) -> bool:
    """Whether Unix time `now` lies in the weekly window. A zone, not an offset: the window moves with summer time."""
    local = datetime.fromtimestamp(now, NEW_YORK)
    return local.weekday() == THURSDAY and BEGIN <= local.hour < END


@dataclass(slots=True)
class ConditionTimers:
    """Conditions by name; `note` them at every look."""

    _since: dict[str, float] = field(default_factory=dict)

    def note(self, name: str, holds: bool, now: float) -> None:
        """It holds now, or not."""
        if holds:
            self._since.setdefault(name, now)
        else:
            self._since.pop(name, None)

    def seconds(self, now: float) -> dict[str, float]:
        """How long each that holds has held without a break."""
        return {name: max(0.0, now - since) for name, since in self._since.items()}


Status = dict[str, Any]


def pause_of(registry: Status, now: float) -> str | None:
    """Why nothing needs to flow now, or None: what the exchange says of itself, or its weekly window."""
    if registry.get("exchange_active") is False:
        return "the exchange is not active"
    if registry.get("trading_active") is False:
        return "trading is not active"
    return "weekly maintenance" if in_maintenance(now) else None


class HealthMonitor:
    """`look` every few seconds; `report` is what the last look found."""

    def __init__(self, frozen_after: float) -> None:
        """`frozen_after` as in `StaleFeedDetector`."""
        self._watch = StaleFeedDetector(frozen_after)
        self._lasting = ConditionTimers()
        self._began: float | None = None
        self._was_ready = False
        self._dropped = 0
        self._report: Status = {}

    def look(self, now: float, manager: Status, registry: Status, router: Status) -> Status:
        """Take notice of the figures at Unix time `now`; the new report."""
        self._began = now if self._began is None else self._began
        self._was_ready = self._was_ready or bool(readiness(manager, registry)["ok"])
        pause = pause_of(registry, now)
        feed = self._watch.look(now, map(_flow, manager["connections"]), pause is not None)
        self._note(now, manager, router)
        self._report = {
            "at": now,
            "uptime": now - self._began,
            "was_ready": self._was_ready,
            "pause": pause,
            "feed": _feed(feed),
            "lasting": self._lasting.seconds(now),
        }
        return self._report

    def report(self) -> Status:
        """JSON-ready; empty before the first look."""
        return self._report

    def _note(self, now: float, manager: Status, router: Status) -> None:
        connections, note = manager["connections"], self._lasting.note
        live = [each["role"] for each in connections if each["state"] == "live"]
        note("below minimum", len(live) < manager.get("min_healthy", len(connections)), now)
        for role in dict.fromkeys(each["role"] for each in connections):
            note(f"no {role}", role not in live, now)
        note("diverging", manager["divergence"] > 0, now)
        note("low coverage", not coverage(manager)["ok"], now)
        dropped = router.get("dropped", 0)
        note("no drop", dropped == self._dropped, now)
        self._dropped = dropped


def _flow(connection: Status) -> Flow:
    messages = connection["forwarded"] - connection.get("snapshots", 0)
    live = connection["state"] == "live"
    return Flow(connection["conn_id"], Role(connection["role"]), live, messages, connection["held"])


def _feed(feed: Feed) -> Status:
    quiet = {role.value: seconds for role, seconds in feed.quiet}
    return {"frozen": list(feed.frozen), "silent": list(feed.silent), "quiet_seconds": quiet}
