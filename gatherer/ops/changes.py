"""What changed between two looks at the pool, in words. Pure.

Only what no line of the log tells every time: a connection that is live again, and gaps, of which the log has one line
a minute. Many changes of one kind are one sentence: 150 connections that come up are no 150 events.
"""

from collections.abc import Iterator
from typing import Any

MOST_SINGLE = 4
"""Changes of one kind in one look that are told one by one."""

Change = tuple[str, str, int | None]
"""Level as in the log, sentence, connection id or None when it is about several."""


def changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    """Two statuses of the manager, the earlier first."""
    then = {each["conn_id"]: each for each in before["connections"]}
    pairs = [(then[each["conn_id"]], each) for each in after["connections"] if each["conn_id"] in then]
    up = [now for was, now in pairs if now["state"] == "live" and was["state"] != "live"]
    yield from _told("info", up, [_up(each) for each in up], f"{len(up)} connections are live")
    holed = [(was, now) for was, now in pairs if now["gaps"] > was["gaps"]]
    gaps = sum(now["gaps"] - was["gaps"] for was, now in holed)
    skipped = sum(now["skipped"] - was["skipped"] for was, now in holed)
    yield from _told(
        "warn",
        [now for _, now in holed],
        [_gap(was, now) for was, now in holed],
        f"{gaps} gaps on {len(holed)} connections, {skipped} messages missing",
    )


def _told(level: str, connections: list[dict[str, Any]], sentences: list[str], together: str) -> Iterator[Change]:
    if len(sentences) > MOST_SINGLE:
        yield level, together, None
    else:
        yield from ((level, text, each["conn_id"]) for each, text in zip(connections, sentences, strict=True))


def _name(status: dict[str, Any]) -> str:
    return f"{status['role']}-{status['conn_id']}"


def _up(now: dict[str, Any]) -> str:
    return f"{_name(now)} is live" + (" again" if now["reconnects"] else "")


def _gap(was: dict[str, Any], now: dict[str, Any]) -> str:
    gaps, skipped = now["gaps"] - was["gaps"], now["skipped"] - was["skipped"]
    plural = "gap" if gaps == 1 else "gaps"
    return f"{_name(now)}: {gaps} {plural}, {skipped} {'message' if skipped == 1 else 'messages'} missing"
