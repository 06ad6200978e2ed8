"""When one thing was complete, when it had a hole, when it was not carried. All times are Unix ns.

Events come in the order of the capture. Their times need not rise, because clocks step and a message carries the time
of its read, so a stretch never begins before the one it follows. A hole may therefore have no length; it still is one.
"""

from dataclasses import dataclass, field
from enum import Enum


class Standing(Enum):
    """What can be said about an order book at a time."""

    COMPLETE = "complete"
    HOLE = "hole"
    ABSENT = "not carried"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why it stands as it does."""

    at: int
    kind: str
    """In snake case, mostly the kind of the marker that tells it."""
    text: str
    """For people."""


@dataclass(slots=True)
class Stretch:
    """From `start` until the next one starts."""

    start: int
    standing: Standing
    causes: list[Cause]


@dataclass(frozen=True, slots=True)
class Interval:
    """A part of what was asked for, with one answer."""

    start: int
    end: int
    standing: Standing
    causes: tuple[Cause, ...] = ()

    @property
    def length(self) -> int:
        """Nanoseconds, 0 for a hole between two messages of one read."""
        return self.end - self.start


@dataclass(slots=True)
class Timeline:
    """Stretches, oldest first. What is learnt late can still change them."""

    stretches: list[Stretch] = field(default_factory=list)

    @property
    def now(self) -> int:
        """Where the latest stretch starts; 0 before the first."""
        return self.stretches[-1].start if self.stretches else 0

    def enter(self, at: int, standing: Standing, cause: Cause) -> Stretch:
        """From now on it stands like that."""
        stretch = Stretch(max(at, self.now), standing, [cause])
        self.stretches.append(stretch)
        return stretch

    def spoil(self, since: int, standing: Standing, cause: Cause) -> None:
        """What was believed complete since then was not."""
        for index in range(len(self.stretches) - 1, -1, -1):
            stretch = self.stretches[index]
            complete = stretch.standing is Standing.COMPLETE
            if stretch.start < since:
                if complete:
                    self.stretches.insert(index + 1, Stretch(since, standing, [cause]))
                return
            if complete:
                stretch.standing, stretch.causes = standing, [cause]

    def intervals(self, start: int, end: int) -> list[Interval]:
        """The answer for a range, neighbours of one standing put together."""
        found: list[Interval] = []
        starts = [stretch.start for stretch in self.stretches[1:]]
        for stretch, until in zip(self.stretches, [*starts, max(end, self.now) + 1], strict=True):
            clipped = Interval(max(stretch.start, start), min(until, end), stretch.standing, tuple(stretch.causes))
            if _counts(stretch.start, until, clipped, start == end):
                _append(found, clipped)
        return found


def _counts(start: int, until: int, clipped: Interval, is_instant: bool) -> bool:
    """A hole without length counts where it lies; anything else only as far as it reaches into the range."""
    if clipped.length > 0:
        return True
    if start == until:
        return clipped.standing is Standing.HOLE and clipped.length == 0
    return is_instant and clipped.length == 0 and clipped.start < until


def _append(found: list[Interval], interval: Interval) -> None:
    last = found[-1] if found else None
    if last is not None and last.standing is interval.standing:
        causes = last.causes + tuple(cause for cause in interval.causes if cause not in last.causes)
        found[-1] = Interval(last.start, interval.end, interval.standing, causes)
    else:
        found.append(interval)
