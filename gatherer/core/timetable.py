"""When to look at what again: one heap of whole seconds, however many markets are due in each."""

import heapq
import math

Moment = list[str]
"""The tickers due in one second. Who is scheduled keeps a reference: that reference is the proof of validity."""


class Timetable:
    """Due times with lazy deletion: to move a ticker, schedule it again and keep the newer `Moment`.

    Markets open and close in crowds, so a list per second costs 8 bytes a market where a
    heap entry per market would cost 100. Whoever takes a ticker out compares its `Moment` by
    identity, and skips it when the ticker has moved.
    """

    __slots__ = ("_heap", "_moments")

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._moments: dict[int, Moment] = {}

    def schedule(self, ticker: str, due: float, current: Moment | None) -> Moment:
        """Note a ticker for the first whole second not before `due` (Unix time, finite).

        `current` is where it is noted now: for the same second it is not noted again, else every
        walk over unchanged markets would make every list longer.
        """
        second = math.ceil(due)
        moment = self._moments.get(second)
        if moment is not None and moment is current:
            return moment
        if moment is None:
            self._moments[second] = moment = []
            heapq.heappush(self._heap, second)
        moment.append(ticker)
        return moment

    def next_due(self) -> float | None:
        """The earliest second with anything in it, or None. What is in it may all have moved since."""
        return float(self._heap[0]) if self._heap else None

    def take(self, now: float, limit: int) -> list[tuple[str, Moment]]:
        """At most `limit` tickers that are due, earliest second first, each with the `Moment` it was noted in."""
        taken: list[tuple[str, Moment]] = []
        while self._heap and self._heap[0] <= now and len(taken) < limit:
            moment = self._moments[self._heap[0]]
            while moment and len(taken) < limit:
                taken.append((moment.pop(), moment))
            if not moment:
                del self._moments[heapq.heappop(self._heap)]
        return taken
