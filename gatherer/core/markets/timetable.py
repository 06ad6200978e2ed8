"""When each market is due: one heap of whole seconds, for any number of markets in each."""

import heapq
import math

Moment = dict[str, None]
"""The tickers due in one second. A scheduled market keeps a reference to its moment, and an entry in any other is old.
It is not a list: the garbage collector visits the items of lists, and a million strings take it 100 ms."""

MIN_EMPTIED = 1000
"""Moments may lose their last ticker so often before those without tickers are removed. A market that settles early
leaves its closing time, which may be a year ahead."""


class Timetable:
    """Due times with lazy deletion: to move a ticker, schedule it again and keep the newer `Moment`.

    Many markets open and close in the same second. So a dict for each second costs 30 bytes a market; a heap entry for
    each market would cost 100. The caller of `take` compares each `Moment` by identity and skips a ticker that has
    moved.
    """

    __slots__ = ("_emptied", "_heap", "_moments")

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._moments: dict[int, Moment] = {}
        self._emptied = 0
        """How often a moment lost its last ticker since those without tickers were removed."""

    def schedule(self, ticker: str, due: float, current: Moment | None) -> Moment:
        """Note a ticker for the first whole second not before `due` (Unix time, finite).

        `current` is its present moment. The ticker is removed from it, unless the second is the same.
        """
        second = math.ceil(due)
        moment = self._moments.get(second)
        if moment is not None and moment is current:
            return moment
        if current is not None:
            self._remove(ticker, current)
            moment = self._moments.get(second)  # an empty one may be gone
        if moment is None:
            self._moments[second] = moment = {}
            heapq.heappush(self._heap, second)
        moment[ticker] = None
        return moment

    def next_due(self) -> float | None:
        """The earliest second with a ticker, or None. All its tickers may have moved since."""
        return float(self._heap[0]) if self._heap else None

    def take(self, now: float, limit: int) -> list[tuple[str, Moment]]:
        """At most `limit` tickers that are due, the earliest second first, each with the `Moment` that had it."""
        taken: list[tuple[str, Moment]] = []
        while self._heap and self._heap[0] <= now and len(taken) < limit:
            moment = self._moments[self._heap[0]]
            while moment and len(taken) < limit:
                taken.append((moment.popitem()[0], moment))
            if not moment:
                del self._moments[heapq.heappop(self._heap)]
        return taken

    def _remove(self, ticker: str, current: Moment) -> None:
        current.pop(ticker, None)
        if current:
            return
        current.clear()  # an emptied dict keeps the memory of its largest size
        self._emptied += 1
        if self._emptied > max(MIN_EMPTIED, len(self._heap) // 2):
            self._moments = {second: moment for second, moment in self._moments.items() if moment}
            self._heap = sorted(self._moments)
            self._emptied = 0
