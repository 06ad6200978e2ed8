"""Counts in buckets: taken while the service works, read by the metrics. No clock and no names of Prometheus here."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from gatherer.values import Role

Buckets = list[tuple[float, int]]
"""Upper bound, inclusive, to the number of observations up to it; the last bound is infinite."""

LATENCY_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds. A round trip takes some ten milliseconds; the deadline of a command is 5 s by default."""
LAG_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds. Below a millisecond lies the cost of the timer itself."""
AGE_BOUNDS = (0.0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Seconds. The first bucket also holds negative ages: the clocks then differ by more than the way takes."""
BATCH_CLASSES = 13
"""Batches are classed by powers of two, up to 4,095 messages. Larger batches are one class."""
MAX_BATCH_BITS = 64
"""Binary digits of the number of messages in the largest possible batch."""


class Histogram:
    """Observations counted by size."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` rise. A bound belongs to the bucket below it; values above the last bound have one bucket more."""
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def buckets(self) -> Buckets:
        """Cumulative counts. The last is the number of all observations."""
        return list(zip((*self._bounds, float("inf")), accumulate(self._counts), strict=True))


@dataclass(slots=True)
class Measurements:
    """All measurements of one gatherer. The parts that measure and the metrics share one object."""

    reply_latency: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS))
    """Seconds from a command to its reply. Commands without a reply are not counted."""
    reactor_lag: Histogram = field(default_factory=lambda: Histogram(LAG_BOUNDS))
    """Seconds a timer was late. The reactor was busy for that long."""
    message_age: dict[Role, Histogram] = field(default_factory=lambda: {role: Histogram(AGE_BOUNDS) for role in Role})
    """Seconds from the exchange's `ts_ms` to our socket read, sampled."""
    batches: list[int] = field(default_factory=lambda: [0] * (MAX_BATCH_BITS + 1))
    """Socket reads, by the binary digits of their number of messages. It costs one addition a read."""

    def batch_buckets(self) -> Buckets:
        """Buckets with the bounds 1, 3, 7, ... messages. A read without a message is not counted."""
        bounds = [float(2**bits - 1) for bits in range(1, BATCH_CLASSES)]
        total = list(accumulate(self.batches[1:]))
        return [*zip(bounds, total, strict=False), (float("inf"), total[-1])]
