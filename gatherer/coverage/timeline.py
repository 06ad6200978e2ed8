"""What one connection has of one feed, over time. All times are Unix ns.

Events come in the order of the capture, but their times need not rise: clocks step, and a message carries the time of
its read. So a stretch never begins before the one it follows. A hole lasts at least 1 ns, so that the time at which
messages are missing between two messages of one read is inside of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gatherer.coverage.answer import State

MAX_REASONS = 4
"""Reasons that one hole names; a disk that is too slow for an hour has thousands."""
Reasons = tuple[str, ...]


@dataclass(slots=True)
class Stretch:
    """From `start` until the next one starts."""

    start: int
    state: State
    reasons: Reasons

    def blame(self, reasons: Reasons) -> None:
        """Name another reason for a hole."""
        if len(self.reasons) < MAX_REASONS:
            self.reasons += tuple(reason for reason in reasons if reason not in self.reasons)


@dataclass(slots=True)
class Timeline:
    """Stretches, oldest first. What is learnt late can still change them."""

    stretches: list[Stretch] = field(default_factory=list)

    def enter(self, at: int, state: State, reasons: Reasons = ()) -> Stretch:
        """From now on it is like that. Returns the new stretch, which may begin later than `at`."""
        if self.stretches:
            last = self.stretches[-1]
            at = max(at, last.start + (last.state is State.HOLE))
        stretch = Stretch(at, state, reasons)
        self.stretches.append(stretch)
        return stretch

    def spoil(self, since: int, state: State, reasons: Reasons, until: int | None = None) -> None:
        """What was believed complete since then (until then) was not."""
        stretches = self.stretches
        for index in range(len(stretches) - 1, -1, -1):
            stretch = stretches[index]
            end = stretches[index + 1].start if index + 1 < len(stretches) else None
            if end is not None and end <= since:
                return
            if stretch.state is State.COMPLETE and (until is None or stretch.start < until):
                stretches[index : index + 1] = _split(stretch, end, since, until, state, reasons)

    def spans(self) -> Iterator[tuple[int, Stretch]]:
        """Each stretch that has a length, after the time at which it begins."""
        for index, stretch in enumerate(self.stretches):
            if index + 1 == len(self.stretches) or stretch.start < self.stretches[index + 1].start:
                yield stretch.start, stretch


def _split(
    stretch: Stretch, end: int | None, since: int, until: int | None, state: State, reasons: Reasons
) -> list[Stretch]:
    """A complete stretch, with the part from `since` to `until` in another state."""
    parts = [stretch] if stretch.start < since else []
    parts.append(Stretch(max(stretch.start, since), state, reasons))
    if until is not None and (end is None or until < end):
        parts.append(Stretch(until, stretch.state, stretch.reasons))
    return parts
