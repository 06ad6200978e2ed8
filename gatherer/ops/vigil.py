"""The memory behind the health page: what only shows when one looks again and again. No clock, no timer of its own."""

from typing import Any

from gatherer.core.feedwatch import Feed, FeedWatch, Flow
from gatherer.core.lasting import Lasting
from gatherer.core.layout import Role
from gatherer.core.maintenance import in_maintenance
from gatherer.ops.verdicts import coverage, readiness

Status = dict[str, Any]


def pause_of(registry: Status, now: float) -> str | None:
    """Why nothing needs to flow now, or None: what the exchange says of itself, or its weekly window."""
    if registry.get("exchange_active") is False:
        return "the exchange is not active"
    if registry.get("trading_active") is False:
        return "trading is not active"
    return "weekly maintenance" if in_maintenance(now) else None


class Vigil:
    """`look` every few seconds; `report` is what the last look found."""

    def __init__(self, frozen_after: float) -> None:
        """`frozen_after` as in `FeedWatch`."""
        self._watch = FeedWatch(frozen_after)
        self._lasting = Lasting()
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
