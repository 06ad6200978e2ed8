"""Steps back of the wall clock: after one, a time names two moments, and only the order of arrival tells them apart."""

from collections.abc import Callable
from dataclasses import dataclass, field

TOLERANCE = 100_000_000
"""Nanoseconds. A marker has the time at which it was made and a message the time of its read, so neighbours can differ
by the time that one read takes to process."""
UNSEEN_STEP = 30_000_000_000
"""Nanoseconds since a step that no record shows, at most: a socket is silent no longer than that."""


@dataclass(slots=True)
class ClockSteps:
    """Learns of steps from the times of the records, in order, and from `clock_step` markers."""

    on_step: Callable[[int], None]
    """Called with the first time after a step back."""
    latest: int = 0
    """The latest time since the last step back."""
    _steps: list[tuple[int, int]] = field(default_factory=list)
    """For each step back the first time after it, and the last one before it. The times between them come twice."""

    _jumps: list[tuple[int, int]] = field(default_factory=list)
    """For each step forward the first time after it, and its size."""

    @property
    def count(self) -> int:
        """Steps back so far."""
        return len(self._steps)

    def see(self, at: int) -> None:
        """A record of this time comes next."""
        if at < self.latest - TOLERANCE:
            self._step_back(at, self.latest)
        else:
            self.latest = max(self.latest, at)

    def step(self, at: int, seconds: float) -> None:
        """The gatherer says that its clock stepped; `at` is the time after the step."""
        if seconds < 0:
            self._step_back(at, at - int(seconds * 1e9))
        else:
            self._jumps.append((at, int(seconds * 1e9)))

    def before(self, at: int, seconds: float) -> int:
        """The time that many real seconds before a time."""
        earlier = at - int(seconds * 1e9)
        for after, size in reversed(self._jumps):
            if earlier < after <= at:
                earlier -= size
        return earlier

    def lost(self, since: int, at: int) -> int:
        """From when on something was lost, if the gatherer says `since` in a record of time `at`. If `since` can lie
        before a step, every time after that step is lost."""
        if not since:
            return at
        if since > max(at, self.latest) + TOLERANCE and not any(low <= since <= high for low, high in self._steps):
            self._step_back(min(at - UNSEEN_STEP, self.latest), since)
        for low, high in self._steps:
            if low <= since <= high:
                since = low
        return min(since, at)

    def good(self, at: int, count: int) -> int:
        """From when on a feed is complete again, if a hole that began after `count` steps ends at `at`. The hole covers
        every time that was seen before the later steps."""
        return max([at, *(high for _, high in self._steps[count:])])

    def _step_back(self, low: int, high: int) -> None:
        self._steps.append((low, high))
        self.latest = low
        self.on_step(low)
