"""When to look at what again: one heap of whole seconds, however many markets are due in each."""

import heapq
import math

Moment = dict[str, None]
"""The tickers due in one second. Who is scheduled keeps a reference: that reference is the proof of validity.
Not a list: the garbage collector visits what is in lists, and a million strings take it 100 ms."""


class Timetable:
    """Due times with lazy deletion: to move a ticker, schedule it again and keep the newer `Moment`.

    Markets open and close in crowds, so a dict per second costs 30 bytes a market where a
    heap entry per market would cost 100. Whoever takes a ticker out compares its `Moment` by
    identity, and skips it when the ticker has moved.
    """

    __slots__ = ("_heap", "_moments")

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._moments: dict[int, Moment] = {}

    def schedule(self, ticker: str, due: float, current: Moment | None) -> Moment:
        """Note a ticker for the first whole second not before `due` (Unix time, finite).

        `current` is where it is noted now: it is taken out there, unless the second is the same.
        """
        second = math.ceil(due)
        moment = self._moments.get(second)
        if moment is not None and moment is current:
            return moment
        if current is not None:
            current.pop(ticker, None)
        if moment is None:
            self._moments[second] = moment = {}
            heapq.heappush(self._heap, second)
        moment[ticker] = None
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
                taken.append((moment.popitem()[0], moment))
            if not moment:
                del self._moments[heapq.heappop(self._heap)]
        return taken
