"""What one connection says about one market's order book."""

from dataclasses import dataclass
from enum import IntEnum


class Phase(IntEnum):
    """The higher, the better: a market on two connections stands as on the better one."""

    ABSENT = 0
    STARTING = 1
    """Acknowledged for the first time, its first snapshot awaited: there is no book yet that could have a hole."""
    BROKEN = 2
    """Carried, and something is missing until the next snapshot."""
    COMPLETE = 3


@dataclass(slots=True)
class BookState:
    """One connection's state; made when the connection is first heard of."""

    phase: Phase = Phase.ABSENT
    sid: int = 0
    """The market's subscription, 0 while unknown."""
    up: bool | None = None
    """Whether the session is open; None before a marker told."""
    disturbed: bool = False
    """Whether its subscriptions may have been made anew since the capture begins."""
    removed: bool = False
    """Taken off, not merely never seen: a late answer to `get_snapshot` does not bring it back."""
    dismissed: bool = False
    """Removed, and not acknowledged since: if a book came all the same, nobody waits for the next one."""
    over: bool = False
    """Its subscription was ended by the exchange: what was asked for on it says nothing any more."""
    moved: bool = False
    """Broken, and another connection is to carry it on."""
    complete_since: int = 0
    complete_until: int = 0
    """When it last ceased to be complete."""
    ping_timeout: float = 30.0
    """Seconds after which the gatherer gives a silent socket up."""

    def concerns(self, sid: int) -> bool:
        """Whether something that happened to a subscription happened to the market."""
        return not sid or not self.sid or sid == self.sid
