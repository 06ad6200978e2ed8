"""Which markets should change their connection: equal numbers of markets first, then equal message rates. Pure.

Theory of operation. New markets go to the least loaded connection, so loads stay equal as long as all connections live.
After an outage they are not: a connection that comes back carries nothing. Moves are not free, since each costs a fresh
book. So there are two marks: balancing begins when the difference is above the upper mark and goes on until it is below
the lower one. A budget limits the moves of a minute to a share of all markets.

Rates matter because the exchange ends the subscription of a connection that cannot keep up (error 25). A connection is
hot when it brings much more than the median. Its busiest markets move, but never one that would make the target as hot
as the source was: such a market would come back at the next look.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

MIN_DIFFERENCE = 8
"""Markets: a smaller difference of two connections is never worth a move."""
DIFFERENCE_SHARE = 0.1
"""Of the mean: the upper mark for numbers of markets, as long as it is not above one batch."""
HOT, WARM = 1.5, 1.25
"""Times the median rate: the upper and the lower mark for rates."""
MIN_HOT_RATE = 20.0
"""Messages a second above the median: a lower rate is never too much."""
MIN_RELIEF = 0.1
"""Of a hot connection's rate: if its markets that can move bring less than that, none of them moves."""


class MoveReason(Enum):
    """Why a market changes its connection. The value is the label of the metric."""

    COUNT = "count"
    RATE = "rate"
    DRAIN = "drain"
    DOWN = "down"
    LIMIT = "limit"
    NO_BOOK = "no_book"

    def text(self, source: int) -> str:
        """For page, log and `explain`; `source` is the connection that the market leaves."""
        return _TEXTS[self].format(source)

    @property
    def is_gentle(self) -> bool:
        """Whether the old connection can go on until the book came on the new one."""
        return self in (MoveReason.COUNT, MoveReason.RATE, MoveReason.DRAIN)


_TEXTS = {
    MoveReason.COUNT: "to even out the numbers of markets",
    MoveReason.RATE: "to even out the message rates",
    MoveReason.DRAIN: "connection {} drained",
    MoveReason.DOWN: "connection {} down too long",
    MoveReason.LIMIT: "market limit",
    MoveReason.NO_BOOK: "no book came on connection {}",
}


@dataclass(slots=True)
class Load:
    """One connection that can carry markets now."""

    conn_id: int
    markets: int
    rate: float
    """Messages a second, order books only."""
    capacity: int


@dataclass(frozen=True, slots=True)
class Move:
    """One market changes its connection."""

    ticker: str
    source: int
    target: int
    reason: MoveReason


class Budget:
    """How many moves are allowed: a share of all markets a minute, saved up for one minute at most."""

    def __init__(self, share: float, now: float) -> None:
        """`share` a minute, between 0 and 1; 0 allows none."""
        self._share = share
        self._saved = 0.0
        self._at = now

    def refill(self, markets: int, now: float) -> int:
        """Moves allowed now. At least one market a minute may move, however few there are."""
        most = max(1.0, markets * self._share) if self._share else 0.0
        self._saved = min(most, self._saved + most * max(0.0, now - self._at) / 60.0)
        self._at = now
        return int(self._saved)

    def spend(self, moves: int) -> None:
        """So many were made."""
        self._saved -= moves


class Balancer:
    """Remembers only whether it is at work on numbers and on which connections it is at work for their rates."""

    def __init__(self, batch: int) -> None:
        """`batch` is the upper mark for the difference of two connections, in markets."""
        self._batch = batch
        self._counting = False
        self._hot: set[int] = set()

    @property
    def is_working(self) -> bool:
        """Whether the last look found something to even out."""
        return self._counting or bool(self._hot)

    def moves(
        self,
        loads: Sequence[Load],
        busiest: Callable[[int], Iterable[tuple[str, float]]],
        quietest: Callable[[int], Iterable[str]],
        budget: int,
    ) -> list[Move]:
        """At most `budget` moves. `busiest` gives markets of a connection that can move now with their rates, the
        busiest first; `quietest` gives such markets with the quietest first."""
        if len(loads) < 2:
            self._counting, self._hot = False, set()
            return []
        middle = median(load.rate for load in loads)
        self._hot = {load.conn_id for load in loads if self._is_hot(load, middle)}
        found = list(self._by_count(loads, middle, quietest, budget))
        if not self._counting:
            found += self._by_rate(loads, middle, busiest, budget - len(found))
        return found

    # -- numbers of markets ---------------------------------------------------------------------

    def _by_count(
        self, loads: Sequence[Load], middle: float, quietest: Callable[[int], Iterable[str]], budget: int
    ) -> Iterator[Move]:
        upper = _upper_mark(loads, self._batch)
        # One with more messages than the others has few markets for a reason.
        cool = [load for load in loads if load.rate <= max(middle, MIN_HOT_RATE)]
        spread = max(map(_markets, loads)) - min(map(_markets, _with_room(cool)), default=upper)
        self._counting = spread > (upper // 2 if self._counting else upper)
        if not self._counting:
            return
        waiting: dict[int, Iterator[str]] = {}
        for _ in range(budget):
            source, target = max(loads, key=_markets), min(_with_room(cool), key=_markets, default=None)
            if target is None or source.markets - target.markets <= max(1, upper // 2):
                return
            markets = waiting.setdefault(source.conn_id, iter(quietest(source.conn_id)))
            ticker = next(markets, None)
            if ticker is None:
                return  # its markets are moving already, or have no book yet
            source.markets -= 1
            target.markets += 1
            yield Move(ticker, source.conn_id, target.conn_id, MoveReason.COUNT)

    # -- message rates --------------------------------------------------------------------------

    def _by_rate(
        self, loads: Sequence[Load], middle: float, busiest: Callable[[int], Iterable[tuple[str, float]]], budget: int
    ) -> Iterator[Move]:
        for source in sorted(loads, key=lambda load: -load.rate):
            if source.conn_id not in self._hot:
                continue
            markets = list(busiest(source.conn_id))
            coolest = min(load.rate for load in loads)
            movable = sum(rate for _, rate in markets if rate <= (source.rate - coolest) / 2)
            if movable < source.rate * MIN_RELIEF:
                continue  # one market makes it hot, and that one would make any other connection hot
            for ticker, rate in markets:
                target = min(_with_room(loads), key=lambda load: load.rate, default=None)
                if budget <= 0 or target is None or source.rate <= middle * WARM:
                    break
                if rate > (source.rate - target.rate) / 2:
                    continue  # it would make the target the hot one
                source.rate, target.rate = source.rate - rate, target.rate + rate
                source.markets, target.markets = source.markets - 1, target.markets + 1
                budget -= 1
                yield Move(ticker, source.conn_id, target.conn_id, MoveReason.RATE)

    def _is_hot(self, load: Load, middle: float) -> bool:
        mark = WARM if load.conn_id in self._hot else HOT
        return load.rate > middle * mark and load.rate - middle > MIN_HOT_RATE


def _markets(load: Load) -> int:
    return load.markets


def _with_room(loads: Sequence[Load]) -> list[Load]:
    return [load for load in loads if load.markets < load.capacity]


def _upper_mark(loads: Sequence[Load], batch: int) -> int:
    mean = sum(map(_markets, loads)) / len(loads)
    return max(MIN_DIFFERENCE, min(batch, round(mean * DIFFERENCE_SHARE)))
