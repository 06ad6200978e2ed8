"""One connection of a capture: its session, and the legs that share its fate."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gatherer.coverage.legs import Leg, Phase
from gatherer.coverage.timeline import Reasons


@dataclass(slots=True)
class ConnectionState:
    """Passes a loss on to its legs, and looks only at those that can be touched: a slow disk reports thousands of
    losses while thousands of books are broken already."""

    conn_id: int
    up: bool | None = None
    """Whether the session is open; None before a marker says it."""
    disturbed: bool = False
    """Whether its subscriptions may have been made anew since the capture begins."""
    ended: bool = False
    """Whether the exchange ended a subscription in this session: an answer to an older question may still come."""
    ping_timeout: float = 30.0
    """Seconds after which the gatherer gives a silent socket up."""
    legs: list[Leg] = field(default_factory=list)
    _whole: dict[int, Leg] = field(default_factory=dict)
    """The legs that a loss can break, by identity."""
    _broken: dict[int, Leg] = field(default_factory=dict)
    _broke_at: int = 0
    """The latest time at which a leg broke."""
    _left_at: int = 0
    """The latest time at which a leg ended."""
    _kind: tuple[str, int] = ("", 0)
    """What was last passed on to the broken legs."""

    def phase_changed(self, leg: Leg, at: int) -> None:
        """See `Carrier`."""
        key = id(leg)
        self._whole.pop(key, None)
        self._broken.pop(key, None)
        if leg.phase is Phase.ABSENT:
            self._left_at = max(self._left_at, at)
        elif leg.phase is Phase.BROKEN:
            self._broken[key] = leg
            self._broke_at = max(self._broke_at, at)
        else:
            self._whole[key] = leg
        self._kind = ("", 0)

    def new_session(self, up: bool | None) -> None:
        """A socket opened (None: nothing is known of it)."""
        self.up, self.disturbed, self.ended = up, up is not None, False
        for leg in self.legs:
            leg.new_session(up is None)

    def lose(self, kind: str, since: int, until: int, sid: int, reasons: Reasons) -> None:
        """Messages of a subscription (0: of any) between these times are missing."""
        for leg in self._touched(kind, sid, since):
            leg.lose(since, until, reasons)
        self._kind = (kind, sid)

    def end(self, kind: str, at: int, since: int, sid: int, reasons: Reasons) -> None:
        """A subscription is gone (0: all of them), and nothing of it is sure since then."""
        for leg in self._touched(kind, sid, since):
            leg.end(at, since, reasons)
        self._kind = (kind, sid)

    def lose_track(self, at: int, since: int, reasons: Reasons) -> None:
        """Anything may have happened since then: each feed is missing until its next subscription or book."""
        self.disturbed, self.up = True, None
        self.end(f"lost track {at}", at, since, 0, reasons)
        for leg in self.legs:
            leg.sid = 0

    def end_subscription(self, at: int, sid: int, reasons: Reasons) -> None:
        """The exchange ended a subscription."""
        self.disturbed = self.ended = True
        self.end(f"terminal_error {at}", at, at, sid, reasons)
        for leg in self.legs:
            leg.over = leg.over or leg.concerns(sid)

    def stop(self, at: int, since: int, reasons: Reasons) -> None:
        """The gatherer closed it for good."""
        for leg in self._touched("stopped", 0, since):
            leg.stop(at, since, reasons)

    def freeze(self, since: int, until: int, reasons: Reasons) -> None:
        """Nothing came between these times although it should have."""
        for leg in self.legs:
            leg.freeze(since, until, reasons)

    def carried(self) -> list[Leg]:
        """The legs that are not absent."""
        return [*self._whole.values(), *self._broken.values()]

    def _touched(self, kind: str, sid: int, since: int) -> list[Leg]:
        legs: Iterable[Leg] = self.legs
        if since >= self._left_at:
            repeated = self._kind == (kind, sid) and since >= self._broke_at
            legs = self._whole.values() if repeated else self.carried()
        return [leg for leg in legs if leg.concerns(sid)]
