"""The gaps of one connection, the latest of them, and what became of each."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

MOST_KEPT = 100
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


class GapJournal:
    """Survives the sockets, so that an operator can ask about what was before the last reconnect."""

    __slots__ = ("_gaps",)

    def __init__(self) -> None:
        self._gaps: deque[Gap] = deque(maxlen=MOST_KEPT)

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
