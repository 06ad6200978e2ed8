"""Sequence numbers of one session, and the gaps of one connection (protocol section 4)."""

from collections import deque
from dataclasses import asdict, dataclass

from gatherer.values import Facts

MAX_KEPT = 100
"""Gaps remembered for each connection. The counters have the number of all gaps."""

WAITING, RECOVERED = "waiting", "recovered"


class SequenceTracker:
    """The last number of each sid. It is made when a socket opens and dropped when it closes: sids start from 1 on each
    socket, so nothing of it may outlive the socket."""

    __slots__ = ("_last", "_lower", "gaps", "repeats")

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._lower: dict[int, tuple[int, int]] = {}
        """By sid, the latest number that was not higher than the last one, and that last one."""
        self.gaps = 0
        self.repeats = 0
        """Numbers seen again, or lower than the last: not gaps."""

    def observe(self, sid: int, seq: int) -> int:
        """How many numbers were skipped before this one: 0 in order and for a repeat. The first number of a sid must be
        1; a higher one is a gap."""
        skipped = seq - self._last.get(sid, 0) - 1
        if skipped < 0:
            return self._lower_number(sid, seq)
        self._last[sid] = seq
        if skipped:
            self.gaps += 1
        return skipped

    def _lower_number(self, sid: int, seq: int) -> int:
        """A single number that is not higher is a repeat. Two that count on from there begin a new count. How many
        messages the old count had after its last one is unknown, so this is a gap of at least one."""
        last = self._last.get(sid, 0)
        if self._lower.get(sid) == (seq - 1, last):
            self._last[sid] = seq
            self.gaps += 1
            return max(1, seq - 2)  # the new count lacks the numbers before the first of the two
        self._lower[sid] = (seq, last)
        self.repeats += 1
        return 0

    def advance(self, sid: int, numbers: list[int]) -> bool:
        """Take numbers that continue the sid, each one higher than the last. False, and nothing changes, if they are
        not so: then each must be observed."""
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
        """The sid is over. A later use of the number starts from 1."""
        self._last.pop(sid, None)
        self._lower.pop(sid, None)


@dataclass(slots=True)
class Gap:
    """One gap: numbers that a sid skipped. Times are Unix seconds."""

    at: float
    sid: int
    size: int
    outcome: str
    """`waiting` for fresh books, `recovered`, or the reason why no book will come."""
    seconds: float | None = None
    """From the gap to the last fresh book of its sid."""


class GapLog:
    """The latest gaps of a connection. It outlives the sockets: operators ask about gaps before the last reconnect."""

    __slots__ = ("_gaps",)

    def __init__(self) -> None:
        self._gaps: deque[tuple[Gap, float]] = deque(maxlen=MAX_KEPT)
        """Each with the monotonic time at which it was seen."""

    def opened(self, at: float, now: float, sid: int, size: int, outcome: str = WAITING) -> None:
        """Numbers were skipped at Unix time `at`. `now` is the same moment in seconds of a monotonic clock."""
        self._gaps.append((Gap(at, sid, size, outcome), now))

    def recovered(self, sid: int, now: float) -> None:
        """Every book of the sid is fresh again at `now`, in seconds of the monotonic clock."""
        for gap, began in self._waiting(sid):
            gap.outcome, gap.seconds = RECOVERED, now - began

    def over(self, why: str, sid: int = 0) -> None:
        """The subscription is over, or with sid 0 the session. The books its gaps waited for will not come."""
        for gap, _ in self._waiting(sid):
            gap.outcome = why

    def since(self, at: float) -> list[Facts]:
        """Gaps not older than `at`, the oldest first, JSON-ready."""
        return [asdict(gap) for gap, _ in self._gaps if gap.at >= at]

    def _waiting(self, sid: int) -> list[tuple[Gap, float]]:
        return [(gap, began) for gap, began in self._gaps if gap.outcome == WAITING and sid in (0, gap.sid)]
