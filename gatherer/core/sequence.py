"""Sequence numbers of one session (protocol section 4)."""

from zope.interface import implementer

from gatherer.core.interfaces import ISequenceTracker


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
