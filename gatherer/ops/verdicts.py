"""What the figures amount to: healthy or not, ready or not, and why. Pure functions of the status dicts."""

from typing import Any

Status = dict[str, Any]
READY_SHARE = 0.99
"""Share of the wanted markets that must be held. Markets open every minute, so all of them would flap."""


def health(manager: Status, registry: Status, router: Status) -> Status:
    """`ok`, and `problems`: what a person or a restart has to see to. An exchange that pauses is none of ours."""
    connections = manager["connections"]
    live = sum(connection["state"] == "live" for connection in connections)
    problems = []
    if router.get("trouble"):
        problems.append(f"the capture cannot be written: {router['trouble']}")
    if connections and not live and registry.get("exchange_active") is not False:
        problems.append(f"none of {len(connections)} connections is live")
    return {
        "ok": not problems,
        "problems": problems,
        "connections_live": live,
        "messages_dropped": router.get("dropped", 0),
        "exchange_active": registry.get("exchange_active"),
    }


def readiness(manager: Status, registry: Status) -> Status:
    """`ok`, and what is still missing: connections of the minimum, markets held of those wanted, the first walk."""
    live = sum(connection["state"] == "live" for connection in manager["connections"])
    least = manager.get("min_healthy", len(manager["connections"]))
    held = sum(connection["held"] - connection["owed"] for connection in manager["connections"])
    wanted = manager["markets"]
    missing = []
    if live < least:
        missing.append(f"{live} of at least {least} connections are live")
    if registry.get("last_sync") is None:
        missing.append("the first walk over the markets is not complete")
    if held < wanted * READY_SHARE:
        missing.append(f"{held} of {wanted} markets have their book")
    return {
        "ok": not missing,
        "missing": missing,
        "connections_live": live,
        "connections_least": least,
        "markets_held": held,
        "markets_wanted": wanted,
    }
