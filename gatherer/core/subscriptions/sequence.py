"""Sequence numbers of one session (protocol section 4)."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from zope.interface import implementer

from gatherer.interfaces import ISequenceTracker


@implementer(ISequenceTracker)
class SequenceTracker:
    """Last number seen per sid. Made at every open and thrown away at every close:
    sids restart at 1 on each connection, so nothing of it may outlive the socket."""

    __slots__ = ("_last", "gaps", "repeats")

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self.gaps = 0
        self.repeats = 0

    def observe(self, sid: int, seq: int) -> int:
        """See `ISequenceTracker`. The first number of a sid must be 1; anything higher is a gap."""
        skipped = seq - self._last.get(sid, 0) - 1
        if skipped < 0:
            self.repeats += 1
            return 0
        self._last[sid] = seq
        if skipped:
            self.gaps += 1
        return skipped

    def advance(self, sid: int, numbers: list[int]) -> bool:
        """See `ISequenceTracker`."""
        begin = self._last.get(sid, 0) + 1
        end = begin + len(numbers)
        if numbers != list(range(begin, end)):
            return False
        self._last[sid] = end - 1
        return True

    def last(self, sid: int) -> int:
        """The highest number seen on a sid, 0 before the first."""
        return self._last.get(sid, 0)

    def forget(self, sid: int) -> None:
        """See `ISequenceTracker`."""
        self._last.pop(sid, None)


MAX_KEPT = 100
"""Gaps remembered for each connection; the counters know how many there were."""

WAITING, RECOVERED = "waiting", "recovered"


@dataclass(slots=True)
class Gap:
    """Numbers that a sid skipped. Times are Unix seconds."""

    at: float
    sid: int
    size: int
    outcome: str
    """`waiting` for fresh books, `recovered`, or why nothing is waited for."""
    seconds: float | None = None
    """From the gap to the last fresh book of its sid."""


class GapLog:
    """Survives the sockets, so that an operator can ask about what was before the last reconnect."""

    __slots__ = ("_gaps",)

    def __init__(self) -> None:
        self._gaps: deque[Gap] = deque(maxlen=MAX_KEPT)

    def opened(self, at: float, sid: int, size: int, outcome: str = WAITING) -> None:
        """Numbers were skipped."""
        self._gaps.append(Gap(at, sid, size, outcome))

    def recovered(self, sid: int, now: float) -> None:
        """Every book of the sid is fresh again."""
        for gap in self._waiting(sid):
            gap.outcome, gap.seconds = RECOVERED, now - gap.at

    def over(self, why: str, sid: int = 0) -> None:
        """The subscription, or with sid 0 the session, is over: what its gaps waited for will not come."""
        for gap in self._waiting(sid):
            gap.outcome = why

    def since(self, at: float) -> list[dict[str, Any]]:
        """Gaps not older than `at`, oldest first; JSON-ready."""
        return [asdict(gap) for gap in self._gaps if gap.at >= at]

    def _waiting(self, sid: int) -> list[Gap]:
        return [gap for gap in self._gaps if gap.outcome == WAITING and sid in (0, gap.sid)]
