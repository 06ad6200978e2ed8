"""Which connection gets a market: the least loaded one, and of several the one with the lowest id."""

import heapq
from collections.abc import Iterable

from zope.interface import implementer

from gatherer.core.sharded_dict import ShardedDict
from gatherer.errors import NoCapacity
from gatherer.interfaces import IAllocator


@implementer(IAllocator)
class LeastLoaded:
    """Keeps a heap of (load, id). Every change of a load pushes a new entry, so the newest entry of a connection is
    always there. An entry with an old load is dropped when it reaches the top."""

    def __init__(self, conn_ids: Iterable[int], capacity: int) -> None:
        self._capacity = dict.fromkeys(conn_ids, capacity)
        self._load = dict.fromkeys(self._capacity, 0)
        self._available = dict.fromkeys(self._capacity, True)
        self._where: ShardedDict[int] = ShardedDict()
        self._heap = [(0, conn_id) for conn_id in sorted(self._capacity)]

    def __len__(self) -> int:
        return len(self._where)

    def assign(self, ticker: str) -> int:
        """See `IAllocator`."""
        known = self._where.find(ticker)
        if known is not None:
            return known
        conn_id = self._least_loaded()
        self._where[ticker] = conn_id
        self._changed(conn_id, +1)
        return conn_id

    def move(self, ticker: str, conn_id: int) -> None:
        """See `IAllocator`."""
        if not self._has_room(conn_id):
            raise NoCapacity(f"connection {conn_id} is full or not available")
        before = self._where[ticker]
        self._where[ticker] = conn_id
        self._changed(before, -1)
        self._changed(conn_id, +1)

    def release(self, ticker: str) -> int | None:
        """See `IAllocator`."""
        conn_id = self._where.take(ticker)
        if conn_id is not None:
            self._changed(conn_id, -1)
        return conn_id

    def least_loaded(self) -> int | None:
        """See `IAllocator`."""
        try:
            return self._least_loaded()
        except NoCapacity:
            return None

    def room(self) -> int:
        """See `IAllocator`."""
        return sum(max(0, self._capacity[each] - self._load[each]) for each in self._load if self._available[each])

    def capacity(self, conn_id: int) -> int:
        """See `IAllocator`."""
        return self._capacity[conn_id]

    def where(self, ticker: str) -> int | None:
        """See `IAllocator`."""
        return self._where.find(ticker)

    def load(self, conn_id: int) -> int:
        """See `IAllocator`."""
        return self._load[conn_id]

    def set_available(self, conn_id: int, available: bool) -> None:
        """See `IAllocator`."""
        self._available[conn_id] = available
        self._offer(conn_id)

    def set_capacity(self, conn_id: int, capacity: int) -> None:
        """See `IAllocator`."""
        self._capacity[conn_id] = capacity
        self._offer(conn_id)

    def _least_loaded(self) -> int:
        while self._heap:
            load, conn_id = self._heap[0]
            if load == self._load[conn_id] and self._has_room(conn_id):
                return conn_id
            heapq.heappop(self._heap)  # old, full or unavailable: a change offers it again
        raise NoCapacity("every connection that is up is full")

    def _has_room(self, conn_id: int) -> bool:
        return self._available[conn_id] and self._load[conn_id] < self._capacity[conn_id]

    def _changed(self, conn_id: int, by: int) -> None:
        self._load[conn_id] += by
        self._offer(conn_id)

    def _offer(self, conn_id: int) -> None:
        if self._has_room(conn_id):
            heapq.heappush(self._heap, (self._load[conn_id], conn_id))
        if len(self._heap) > 16 * len(self._load) + 64:  # after many releases, entries that never reach the top
            self._heap = [(load, conn_id) for conn_id, load in self._load.items() if self._has_room(conn_id)]
            heapq.heapify(self._heap)
