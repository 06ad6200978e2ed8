"""When the wall clock jumped, and how far. Pure.

Timers follow a monotonic clock, the times in the capture follow the wall clock. NTP slews the wall clock a little all
the time, which is harmless. A step is not: a reader of the capture would take it for silence, or for wrong order.
"""

from dataclasses import dataclass

MIN_STEP_SECONDS = 0.1
"""A smaller difference between two looks is not treated as a step: a look can be interrupted between the two clocks."""


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The wall clock jumped by `seconds` (negative: backwards) at some moment after Unix time `before`, ns."""

    seconds: float
    before: int


class ClockStepDetector:
    """Compares both clocks, look by look. Between two looks a second apart slewing adds 0.5 ms at most."""

    __slots__ = ("_monotonic", "_wall")

    def __init__(self, wall: int, monotonic: float) -> None:
        """Unix time in ns and monotonic seconds, read at the same moment."""
        self._wall = wall
        self._monotonic = monotonic

    def look(self, wall: int, monotonic: float) -> ClockStep | None:
        """The step since the last look, if there was one."""
        before, passed = self._wall, monotonic - self._monotonic
        seconds = (wall - before) / 1e9 - passed
        self._wall, self._monotonic = wall, monotonic
        return ClockStep(seconds, before) if abs(seconds) >= MIN_STEP_SECONDS else None
