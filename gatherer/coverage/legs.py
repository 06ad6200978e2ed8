"""What one connection says about one feed: a leg. A feed is as complete as the best of its legs.

Books and channels differ in one point. After a loss a book stays wrong until its next snapshot, while a channel misses
the lost messages only.
"""

from enum import IntEnum
from typing import Protocol

from gatherer.coverage.answer import State
from gatherer.coverage.clock_steps import ClockSteps
from gatherer.coverage.timeline import Reasons, Timeline


class Phase(IntEnum):
    """Where a leg stands now."""

    ABSENT = 0
    STARTING = 1
    """Asked for or acknowledged for the first time, and nothing came yet: if something comes, nothing was missing."""
    BROKEN = 2
    """Carried, and something is missing until the next snapshot or subscription."""
    COMPLETE = 3


_STATES = {
    Phase.ABSENT: State.NOT_CARRIED,
    Phase.STARTING: State.NOT_CARRIED,
    Phase.BROKEN: State.HOLE,
    Phase.COMPLETE: State.COMPLETE,
}


class Carrier(Protocol):
    """The connection of a leg. Phases change in `Leg` only, and it wants to know."""

    conn_id: int
    up: bool | None

    def phase_changed(self, leg: "Leg", at: int) -> None:
        """The leg has another phase."""


class Leg:
    """One connection and one feed. Its methods are what the capture says, in order; `at` is the time of the record."""

    __slots__ = ("carrier", "clock", "dismissed", "line", "moved", "over", "phase", "removed", "sid", "since", "steps",
                 "stopped_at")  # fmt: skip
    heals = True
    """Whether only the lost messages are missing after a loss."""

    def __init__(self, carrier: Carrier, clock: ClockSteps) -> None:
        self.carrier = carrier
        self.clock = clock
        self.line = Timeline()
        self.phase = Phase.ABSENT
        self.sid = 0
        """Its subscription, 0 while unknown."""
        self.since = 0
        """When it became complete."""
        self.steps = 0
        """Steps of the clock before its phase changed."""
        self.removed = False
        """Taken off: a late answer to `get_snapshot` does not bring it back."""
        self.dismissed = False
        """Removed, and not acknowledged since: if a book came all the same, nothing says that the next one must."""
        self.over = False
        """The exchange ended its subscription: an answer to what was asked on it says nothing any more."""
        self.stopped_at = 0
        """Carried when the gatherer was stopped, complete until then: a hole if another run follows."""
        self.moved = False
        """Broken, and another connection is to carry it on."""

    def concerns(self, sid: int) -> bool:
        """Whether something that happened to a subscription happened to this feed."""
        return not sid or not self.sid or sid == self.sid

    def enter(self, phase: Phase, at: int, reasons: Reasons = ()) -> None:
        """Go into another phase."""
        if self.phase is Phase.STARTING and phase in (Phase.ABSENT, Phase.BROKEN):
            self.fail_start()
        if phase is Phase.COMPLETE:
            at = self.clock.good(at, self.steps)
        state = _STATES[phase]
        last = self.line.stretches[-1] if self.line.stretches else None
        if last is None or last.state is not state or Phase.STARTING in (phase, self.phase):
            at = self.line.enter(at, state, reasons).start
        self.phase, self.moved, self.steps = phase, False, self.clock.count
        if phase is Phase.COMPLETE:
            self.since = at
        self.carrier.phase_changed(self, at)

    def fail_start(self) -> None:
        """It was to start and nothing came: that was a hole."""
        self.line.stretches[-1].state = State.HOLE

    def new_session(self, forget: bool) -> None:
        """Its connection has a new socket. `forget`: it is one of another run, or nothing is known of it."""
        self.sid, self.over = 0, False
        if forget:
            self.removed = self.dismissed = False

    def remove(self, at: int, since: int | None, reasons: Reasons) -> None:
        """It is carried no more. `since` is when that may have begun without an acknowledgement."""
        if since is not None:
            self.line.spoil(self.clock.lost(since, at), State.NOT_CARRIED, reasons)
        self.enter(Phase.ABSENT, at, reasons)
        self.removed = self.dismissed = True

    def lose(self, since: int, until: int, reasons: Reasons) -> None:
        """Messages between these times are missing."""
        if self.heals:
            self.line.spoil(since, State.HOLE, reasons, max(until, since + 1))
            return
        self.line.spoil(since, State.HOLE, reasons)
        if self.phase is Phase.COMPLETE:
            self.enter(Phase.BROKEN, until, reasons)
        elif self.phase is Phase.BROKEN:
            self.line.stretches[-1].blame(reasons)

    def end(self, at: int, since: int, reasons: Reasons) -> None:
        """Its subscription is gone, and nothing of it is sure since then."""
        self.line.spoil(since, State.HOLE, reasons)
        if self.phase is Phase.BROKEN:
            self.line.stretches[-1].blame(reasons)
        if self.phase is not Phase.ABSENT and self.dismissed:
            self.enter(Phase.ABSENT, at, reasons)
        elif self.phase in (Phase.COMPLETE, Phase.STARTING):
            self.enter(Phase.BROKEN, at, reasons)

    def freeze(self, since: int, until: int, reasons: Reasons) -> None:
        """Nothing came between these times, and what may have been sent is not known."""
        self.line.spoil(since, State.HOLE, reasons, max(until, since + 1))

    def stepped_back(self, at: int) -> None:
        """The clock was set back to `at`, so the times since then come again."""
        if self.phase is not Phase.COMPLETE:
            self.line.spoil(at, _STATES[self.phase], ("the clock was set back",))

    def stop(self, at: int, since: int, reasons: Reasons) -> None:
        """The gatherer closed the connection for good."""
        if self.phase is not Phase.ABSENT:
            self.stopped_at = since if self.phase is Phase.COMPLETE else at
        self.line.spoil(since, State.NOT_CARRIED, reasons)
        self.enter(Phase.ABSENT, at, reasons)


class ChannelLeg(Leg):
    """A whole channel. It is complete from the acknowledgement on."""

    __slots__ = ()

    def wanted(self, at: int) -> None:
        """A session for the channel opened."""
        self.sid, self.over = 0, False
        if self.phase is Phase.ABSENT:
            self.enter(Phase.STARTING, at, (f"connection {self.carrier.conn_id}: no subscription yet",))

    def acknowledged(self, at: int, sid: int) -> None:
        """The exchange confirmed the subscription."""
        self.sid, self.removed, self.dismissed, self.over = sid, False, False, False
        if self.phase is not Phase.COMPLETE:
            self.enter(Phase.COMPLETE, at)


class BookLeg(Leg):
    """A market's order book. It is complete from a snapshot on."""

    __slots__ = ()
    heals = False

    def acknowledged(self, at: int, sid: int, was_carried: bool) -> None:
        """The exchange confirmed the subscription. The snapshot may be here already."""
        self._change_sid(at, sid)
        self.sid, self.removed, self.dismissed, self.over = sid or self.sid, False, False, False
        if self.phase is Phase.ABSENT:
            reasons = (f"subscribed on connection {self.carrier.conn_id}, no snapshot yet",)
            self.enter(Phase.BROKEN if was_carried else Phase.STARTING, at, reasons)

    def proves(self, sid: int, asked: bool) -> bool:
        """Whether a snapshot says that the book is carried; `asked` if it answers a `get_snapshot`. An answer that
        is late is about a subscription that is over."""
        stale = self.removed or self.over or not self.concerns(sid)
        return self.carrier.up is not False and not (asked and stale)

    def snapshot(self, at: int, sid: int, asked: bool) -> None:
        """A whole book. If the first one had to be asked for, the one of the subscription was lost."""
        self._change_sid(at, sid)
        self.sid, self.removed, self.moved, self.over = sid or self.sid, False, False, False
        if self.phase is not Phase.COMPLETE:
            if self.phase is Phase.STARTING and asked:
                self.fail_start()
            self.enter(Phase.COMPLETE, at)

    def delta(self, at: int, sid: int) -> None:
        """A change of a book whose snapshot came before this capture begins."""
        if self.phase is Phase.ABSENT and not self.removed and self.carrier.up is not False:
            self.sid = sid
            self.enter(Phase.BROKEN, at, ("its snapshot lies before this capture",))

    def without_book(self, at: int) -> None:
        """The gatherer says that its book never came."""
        if self.phase is Phase.STARTING:
            self.enter(Phase.BROKEN, at, (f"held on connection {self.carrier.conn_id}, but no snapshot came",))

    def _change_sid(self, at: int, sid: int) -> None:
        """A subscription that nobody ended cannot have another sid: it ended before, and nobody knows when."""
        if self.phase is Phase.COMPLETE and not self.concerns(sid):
            text = f"connection {self.carrier.conn_id}: subscribed anew, sid {sid} after {self.sid}, no end reported"
            self.end(at, self.since, (text,))
