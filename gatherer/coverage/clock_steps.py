"""Steps back of the wall clock: after one, a time names two moments, and only the order of arrival tells them apart."""

from dataclasses import dataclass

TOLERANCE = 100_000_000
"""Nanoseconds. A marker has the time at which it was made and a message the time of its read, so neighbours can differ
by the time that one read takes to process."""
UNSEEN_STEP = 30_000_000_000
"""Nanoseconds since a step that no record shows, at most: a socket is silent no longer than that."""


@dataclass(slots=True)
class ClockSteps:
    """Learns of steps from the times of the records, in order, and from `clock_step` markers."""

    latest: int = 0
    """The latest time since the last step back."""
    count: int = 0
    """Steps back so far."""
    _low: int = 0
    """The times from here to `_high` are ambiguous: they were seen before the last step back, and come again."""
    _high: int = 0

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

    def lost(self, since: int, at: int) -> int:
        """From when on something was lost, if the gatherer says `since` in a record of time `at`. A time of before the
        step is replaced by the first time after it."""
        if not since:
            return at
        if since > max(at, self.latest) + TOLERANCE and not self._low <= since <= self._high:
            self._step_back(self._low if self.count else at - UNSEEN_STEP, since)
        return self._low if self._low <= since <= self._high else min(since, at)

    def good(self, at: int, count: int) -> int:
        """From when on a feed is complete again, if a hole that began after `count` steps ends at `at`. The hole covers
        every time that was seen before the step."""
        return max(at, self._high) if count < self.count else at

    def _step_back(self, low: int, high: int) -> None:
        overlaps = self.count and low <= self._high and self._low <= high
        self._low, self._high = (min(low, self._low), max(high, self._high)) if overlaps else (low, high)
        self.latest, self.count = low, self.count + 1
