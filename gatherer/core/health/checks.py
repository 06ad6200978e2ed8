"""What the figures amount to: healthy or not, ready or not, and why. Pure functions of the status dicts.

A problem is what a person has to see to now: it makes a part "failing" and the answer 503. A warning can wait until the
morning: the part is "degraded". An exchange that pauses is neither. `docs/operations.md` has the table.
"""

from collections.abc import Iterator
from typing import Any

Status = dict[str, Any]
READY_SHARE = 0.99
"""Share of the wanted markets that must be held. Markets open every minute, so all of them would flap."""
GRACE = 60.0
"""Seconds a lack of connections may last: a deploy of the exchange cuts all sockets, and they are back in 20 s."""
STARTING_AT_MOST = 900.0
"""Seconds after the start in which what is not there yet is no problem: a million markets take 5 minutes."""
DIVERGING = 600.0
"""Seconds in which every difference of wanted and held should have gone, with the longest pause between two tries."""
STALE_WALKS = 3
"""Intervals without a complete walk over REST."""
BACKLOG_SHARE = 0.8
"""Of the router's buffer: the rest lasts for a fraction of a second of a busy day."""
BLOCKED = 1.0
"""Seconds the reactor may not answer. Heartbeats allow for 30, but messages age meanwhile."""
MAX_TEXT = 300
"""Characters of what the operating system says."""
RECENT = 300.0
"""Seconds a loss of ours is told."""


def health(manager: Status, registry: Status, router: Status, vigil: Status) -> Status:
    """`status` is "ok", "starting", "degraded" or "failing", `ok` whether it is not failing; `components` say why.

    `vigil` is what `HealthMonitor.report` gives and what `HealthService` adds, or {} before the first look.
    """
    starting = not vigil.get("was_ready") and vigil.get("uptime", 0.0) < STARTING_AT_MOST
    components = {
        "connections": _component(*_connections(manager, registry, vigil), starting),
        "feed": _component(*_feed(vigil), starting),
        "markets": _component(*_markets(manager, registry, vigil), starting),
        "capture": _component(*_capture(router, vigil), False),
        "process": _component(*_process(vigil), False),
    }
    statuses = {component["status"] for component in components.values()}
    status = next((each for each in ("failing", "starting", "degraded") if each in statuses), "ok")
    return {
        "ok": status != "failing",
        "status": "starting" if starting and status == "ok" else status,
        "problems": [problem for component in components.values() for problem in component["problems"]],
        "warnings": [warning for component in components.values() for warning in component["warnings"]],
        "pause": vigil.get("pause"),
        "components": components,
    }


def readiness(manager: Status, registry: Status) -> Status:
    """`ok`, and what is still missing: connections of the minimum, markets held of those wanted, the first walk."""
    live, least = _live(manager), _least(manager)
    covered = coverage(manager)
    missing = []
    if live < least:
        missing.append(f"{live} of at least {least} connections are live")
    if registry.get("last_sync") is None:
        missing.append("the first walk over the markets is not complete")
    if not covered["ok"]:
        missing.append(f"{covered['held']} of {covered['wanted']} markets have their book")
    return {
        "ok": not missing,
        "missing": missing,
        "connections_live": live,
        "connections_least": least,
        "markets_held": covered["held"],
        "markets_wanted": covered["wanted"],
    }


def coverage(manager: Status) -> Status:
    """How many markets have their book, and whether that is as good as all."""
    held = sum(connection["held"] - connection["owed"] for connection in manager["connections"])
    wanted = manager["markets"]
    return {"ok": held >= wanted * READY_SHARE, "held": held, "wanted": wanted}


def _component(problems: list[str], warnings: list[str], figures: Status, starting: bool) -> Status:
    status = "failing" if problems else "degraded" if warnings else "ok"
    if starting and status != "ok":
        status, problems, warnings = "starting", [], problems + warnings
    return {"status": status, "problems": problems, "warnings": warnings, **figures}


Finding = tuple[list[str], list[str], Status]
"""Problems, warnings, the figures that decide."""


def _live(manager: Status) -> int:
    return sum(connection["state"] == "live" for connection in manager["connections"])


def _least(manager: Status) -> int:
    return int(manager.get("min_healthy", len(manager["connections"])))


def _connections(manager: Status, registry: Status, vigil: Status) -> Finding:
    live, least, total = _live(manager), _least(manager), len(manager["connections"])
    problems: list[str] = []
    warnings: list[str] = []
    for text, seconds in _lacks(manager, vigil.get("lasting", {})):
        (problems if seconds >= GRACE else warnings).append(f"{text}, for {seconds:.0f} s")
    alarm = manager.get("alarm")
    if alarm:
        (warnings if live else problems).append(alarm)
    if registry.get("exchange_active") is False:  # then it has no sockets for us, and we go on dialling
        problems, warnings = [], problems + warnings
    return problems, warnings, {"live": live, "least": least, "planned": total, "alarm": alarm}


def _lacks(manager: Status, lasting: dict[str, float]) -> Iterator[tuple[str, float]]:
    live, least = _live(manager), _least(manager)
    if live < least:
        yield f"{live} of at least {least} connections are live", lasting.get("below minimum", 0.0)
    roles = {connection["role"]: False for connection in manager["connections"]}
    roles.update((each["role"], True) for each in manager["connections"] if each["state"] == "live")
    for role in (role for role, is_live in roles.items() if not is_live):
        yield f"no connection for {role} is live", lasting.get(f"no {role}", 0.0)


def _feed(vigil: Status) -> Finding:
    feed = vigil.get("feed", {})
    quiet = {role: round(seconds, 1) for role, seconds in feed.get("quiet_seconds", {}).items()}
    return list(feed.get("frozen", [])), list(feed.get("silent", [])), {"quiet_seconds": quiet}


def _markets(manager: Status, registry: Status, vigil: Status) -> Finding:
    covered, lasting, warnings = coverage(manager), vigil.get("lasting", {}), []
    low, diverging = lasting.get("low coverage", 0.0), lasting.get("diverging", 0.0)
    if low >= DIVERGING and not covered["ok"]:
        warnings.append(f"{covered['held']} of {covered['wanted']} markets have their book, for {low:.0f} s")
    if diverging >= DIVERGING and manager["divergence"]:
        warnings.append(f"{manager['divergence']} markets differ from what is wanted, never 0 for {diverging:.0f} s")
    paused = manager.get("paused_since")
    if paused is not None:
        warnings.append("an operator paused the commands: what is to be subscribed waits for resume() in the manhole")
    if manager.get("unplaced"):
        warnings.append(f"{manager['unplaced']} markets find no connection with room")
    age = _walk_age(registry, vigil)
    if age is not None and age > STALE_WALKS * registry.get("reconcile_interval", 300.0):
        warnings.append(f"no complete walk over the list of markets for {age:.0f} s")
    figures = {"held": covered["held"], "wanted": covered["wanted"], "divergence": manager["divergence"]}
    steered = {"paused_since": paused, "draining": manager.get("draining", [])}
    return [], warnings, {**figures, **steered, "unplaced": manager.get("unplaced", 0), "walk_age_seconds": age}


def _walk_age(registry: Status, vigil: Status) -> float | None:
    """Seconds since the last complete walk; since the start, as long as there was none."""
    if "at" not in vigil:
        return None
    last = registry.get("last_sync")
    return float(vigil["uptime"]) if last is None else max(0.0, round(vigil["at"] - last, 1))


def _capture(router: Status, vigil: Status) -> Finding:
    problems, warnings = [], []
    backlog, buffer, dropped = router.get("backlog", 0), router.get("buffer_messages"), router.get("dropped", 0)
    if router.get("trouble"):
        problems.append(f"the capture cannot be written: {router['trouble'][:MAX_TEXT]}")
    if buffer and backlog > buffer * BACKLOG_SHARE:
        warnings.append(f"{backlog} messages wait for the disk, {buffer} is the most")
    if dropped and vigil.get("lasting", {}).get("no drop", 0.0) < RECENT:
        warnings.append(f"messages were dropped within the last {RECENT:.0f} s, {dropped} since the start")
    return problems, warnings, {"backlog": backlog, "buffer": buffer, "dropped": dropped}


def _process(vigil: Status) -> Finding:
    lag = vigil.get("lag_seconds", 0.0)
    warnings = [f"the reactor did not answer for {lag:.1f} s within the last minute"] if lag > BLOCKED else []
    return [], warnings, {"lag_seconds": round(lag, 3), "uptime_seconds": round(vigil.get("uptime", 0.0), 1)}
