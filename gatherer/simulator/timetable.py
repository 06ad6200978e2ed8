"""When to look at which market. Pure."""

from heapq import heappop, heappush

from gatherer.simulator.market import Market


class Timetable:
    """Which markets to look at, and when. Markets that share a time share an entry."""

    def __init__(self) -> None:
        self._markets: dict[int, list[Market]] = {}
        self._times: list[int] = []

    def add(self, ts: int, market: Market) -> None:
        """Look at a market at that second. A time that was moved is left in: looking is harmless."""
        if ts not in self._markets:
            heappush(self._times, ts)
            self._markets[ts] = []
        self._markets[ts].append(market)

    def due(self, now: float) -> list[Market]:
        """Take out the markets whose time has come, the earliest first."""
        markets: list[Market] = []
        while self._times and self._times[0] <= now:
            markets += self._markets.pop(heappop(self._times))
        return markets
