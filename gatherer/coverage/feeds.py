"""One feed in one capture: its legs, and what happened to it between the runs of the gatherer."""

from dataclasses import dataclass, field

from gatherer.coverage.clock_steps import ClockSteps
from gatherer.coverage.connections import ConnectionState
from gatherer.coverage.legs import BookLeg, ChannelLeg, Leg, Phase
from gatherer.coverage.timeline import Reasons

NOT_YET: Reasons = ("not subscribed again yet after a restart",)
RESTART: Reasons = ("the gatherer was not running",)


@dataclass(frozen=True, slots=True)
class Since:
    """A time, and why the feed is not complete from then on."""

    at: int
    reasons: Reasons


@dataclass(slots=True)
class Feed:
    """Knows what no single connection knows: that the feed was carried before."""

    channel: str
    ticker: str | None
    clock: ClockSteps
    legs: dict[int, Leg] = field(default_factory=dict)
    """By connection id."""
    holes: list[tuple[int, int, Reasons]] = field(default_factory=list)
    """Times in which no connection says anything, and yet the feed is missing."""
    owed: Since | None = None
    """Carried by the last run, not yet by this one: a hole only if this one carries it too."""
    unknown: Since | None = None
    """Earlier segments of the run are missing, so it may be carried."""

    def book(self, carrier: ConnectionState) -> BookLeg:
        """Its leg on a connection; the feed is a market."""
        leg = self.legs.get(carrier.conn_id)
        if leg is None:
            leg = self._add(carrier, BookLeg(carrier, self.clock))
        assert isinstance(leg, BookLeg)
        return leg

    def channel_leg(self, carrier: ConnectionState) -> ChannelLeg:
        """Its leg on a connection; the feed is a channel."""
        leg = self.legs.get(carrier.conn_id)
        if leg is None:
            leg = self._add(carrier, ChannelLeg(carrier, self.clock))
        assert isinstance(leg, ChannelLeg)
        return leg

    @property
    def is_open(self) -> bool:
        """Whether what comes later can still change what was said so far, apart from a loss that is reported late."""
        waits = any(leg.phase is Phase.STARTING or leg.moved or leg.stopped_at for leg in self.legs.values())
        return waits or self.owed is not None or self.unknown is not None

    def seen(self, at: int, is_first: bool = False) -> bool:
        """It shows up. Returns whether it was carried before, so that what lies between is a hole.

        `is_first`: it is subscribed now and was not before, as far as its connection goes."""
        was_carried = self.owed is not None or (self.unknown is not None and not is_first)
        for since in (self.owed, None if is_first else self.unknown):
            if since is not None:
                self._hole(since.at, at, since.reasons)
        self.owed = self.unknown = None
        for leg in self.legs.values():
            if leg.moved:
                leg.enter(Phase.ABSENT, at)
                was_carried = True
        return was_carried

    def remove(self, leg: Leg, at: int, since: int | None, moved: bool) -> None:
        """It is carried no more on a connection; `moved`: another one takes it over."""
        reasons = (f"removed from connection {leg.carrier.conn_id}",)
        was_carried = self.seen(at)
        if moved and (was_carried or leg.phase in (Phase.BROKEN, Phase.STARTING)):
            if leg.phase is not Phase.BROKEN:
                leg.enter(Phase.BROKEN, at, reasons)
            leg.moved = True
        else:
            leg.remove(at, since, reasons)

    def may_be_carried(self, unknown: Since) -> None:
        """Whether it is carried is not known from now on: segments of the run are missing. If it was carried before, it
        is owed."""
        if self.owed is not None:
            self._hole(self.owed.at, unknown.at, self.owed.reasons)
        self.owed = unknown if self._end_run(unknown.at) else None
        self.unknown = unknown

    def new_run(self, at: int) -> None:
        """The gatherer was started again. What was carried by the last run and is never carried by this one is a hole
        until now."""
        self.owed = Since(at, NOT_YET) if self._end_run(at) else None
        self.unknown = None

    def _end_run(self, at: int) -> bool:
        """The legs of the run are over. Returns whether the feed was carried at its end."""
        was_carried = self.unknown is not None
        if self.unknown is not None:
            self._hole(self.unknown.at, at, self.unknown.reasons)
        for leg in self.legs.values():
            if leg.stopped_at:
                self._hole(leg.stopped_at, at, RESTART)
            was_carried = was_carried or bool(leg.stopped_at) or leg.phase is not Phase.ABSENT
            if leg.phase is not Phase.ABSENT:
                leg.enter(Phase.ABSENT, at)
            leg.stopped_at = 0
        return was_carried

    def _hole(self, start: int, end: int, reasons: Reasons) -> None:
        self.holes.append((min(start, self.clock.lost(start, end)), max(end, start + 1), reasons))

    def _add(self, carrier: ConnectionState, leg: Leg) -> Leg:
        leg.over = carrier.ended
        self.legs[carrier.conn_id] = leg
        carrier.legs.append(leg)
        return leg
