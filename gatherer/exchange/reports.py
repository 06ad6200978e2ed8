"""What a session has achieved, and what it lacks, for its owner, the log and the capture."""

from collections.abc import Callable
from itertools import islice

from twisted.logger import Logger

from gatherer.core.subscriptions.book_planner import BookPlanner
from gatherer.core.subscriptions.channel_planner import ChannelPlanner
from gatherer.exchange.counters import Counters
from gatherer.exchange.interfaces import ISessionOwner

MAX_NAMED = 100
"""Markets that one `without_book` marker names."""

Planner = BookPlanner | ChannelPlanner


class ProgressReports:
    """Looks at the planner once in each reactor turn in which something happened."""

    _log = Logger()

    def __init__(
        self, name: str, planner: Planner, owner: ISessionOwner, counters: Counters, mark: Callable[..., None]
    ) -> None:
        self._name = name
        self._planner = planner
        self._owner = owner
        self._counters = counters
        self._mark = mark
        self._was_settled = False
        self._turned_late = 0
        self._late_marked = 0

    def look(self, now: float) -> None:
        """Report what has changed since the last look."""
        self._recoveries(now)
        self._without_book()
        self._settled()

    def unsettled(self) -> None:
        """A subscription is over. Report it again once it is made anew."""
        self._was_settled = False

    def _settled(self) -> None:
        settled = self._planner.is_settled
        if settled and not self._was_settled:
            self._owner.changed()
        self._was_settled = settled

    def _recoveries(self, now: float) -> None:
        for done in self._planner.recoveries.take_done(now):
            self._counters.recoveries += 1
            self._counters.gap_log.recovered(done.sid, now)
            self._counters.last_recovery = done.seconds
            self._mark("recovered", sid=done.sid, seconds=done.seconds)
            self._log.info(
                "{name}: every book of sid {sid} is fresh again, {seconds:.3f} s after {cause}",
                name=self._name, sid=done.sid, seconds=done.seconds,
                cause=f"the first of {done.gaps} gaps" if done.gaps > 1 else "a gap" if done.gaps
                else "messages were lost or unreadable here",
            )  # fmt: skip

    def _without_book(self) -> None:
        """A marker when markets turn late, when their number has halved, and when none is left. Each book that comes is
        in the capture itself, so a marker for each would say nothing new."""
        owed = self._planner.owed
        fewer = owed.late < self._late_marked and owed.late <= self._late_marked // 2
        if owed.turned_late == self._turned_late and not fewer:
            return
        names = list(islice(owed.late_markets(), MAX_NAMED))
        sid = self._planner.held.sid_of(names[0]) if names else 0
        self._mark("without_book", sid=sid, count=owed.late, tickers=names)
        self._turned_late, self._late_marked = owed.turned_late, owed.late
