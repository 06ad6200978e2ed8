"""How fast it goes: messages a second of each connection, smoothed, from counters that only rise. Pure."""

from collections.abc import Iterable
from math import exp
from typing import Any

SMOOTHING = 4.0
"""Seconds after which two thirds of a change show: figures a person can read, and still follow a burst."""


class Rates:
    """Fed with the connections' statuses every second or two; the time comes with them."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._received: dict[int, int] = {}
        self._rates: dict[int, float] = {}

    def note(self, now: float, connections: Iterable[dict[str, Any]]) -> None:
        """`now` in seconds. A clock that stands still or steps back changes no rate."""
        then, self._at = self._at, now
        elapsed = 0.0 if then is None else now - then
        share = 1.0 - exp(-elapsed / SMOOTHING) if elapsed > 0 else 0.0
        for each in connections:
            conn_id, received = each["conn_id"], each["received"]
            if share:
                rate = max(0, received - self._received.get(conn_id, received)) / elapsed
                last = self._rates.get(conn_id)
                self._rates[conn_id] = rate if last is None else last + (rate - last) * share
            self._received[conn_id] = received

    def of(self, conn_id: int) -> float:
        """Messages a second, 0.0 before there is anything to compare."""
        return self._rates.get(conn_id, 0.0)
