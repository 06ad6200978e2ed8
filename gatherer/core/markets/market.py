"""One market as the table of markets holds it, and what its own facts decide."""

from typing import Any

import msgspec

from gatherer.core.markets.timetable import Moment

UNOPENED, ACTIVE, PAUSED, CLOSED, FINAL, DOUBTFUL = "unopened", "active", "paused", "closed", "final", "doubtful"
"""What we hold a market to be. `doubtful`: an event contradicts what we know, a look-up has to tell."""

ROW_STATUS = {
    "initialized": UNOPENED,
    "active": ACTIVE,
    "inactive": PAUSED,
    "closed": CLOSED,
    "determined": CLOSED,
    "disputed": CLOSED,
    "amended": CLOSED,
    "finalized": FINAL,
    "settled": FINAL,
}
"""REST's words (protocol section 6); `settled` is the filter's word for `finalized`, taken in case a row has it."""

_NEVER = float("-inf")


class Market(msgspec.Struct, gc=False):
    """Slim, about 145 bytes with its times: a million of these are held. Times are Unix seconds.

    Unknown to the garbage collector, and with it every dict that holds nothing else: a million objects it
    knows cost 200 ms in a full collection. Nothing here refers back to a market, so there is no cycle to miss.
    """

    status: str
    open_ts: float | None = None
    close_ts: float | None = None
    event: str = ""
    event_at: float = _NEVER
    seen: int = 0
    """Number of the last walk that listed it."""
    due: Moment | None = None
    """Where the timetable has it."""
    carried: bool = False
    """Whether it is one of the active ones. Only `MarketStates` sets it: it counts them."""

    def note(self, event: str, now: float) -> None:
        """An event arrived: older rows may not undo it."""
        self.event, self.event_at = event, now

    def event_wins(self, read_at: float, now: float, rest_lag: float) -> bool:
        """Whether the last event is newer than REST's answer to a question asked at `read_at` can be."""
        # An event "from the future" was dated before our clock was set back: it protects nothing.
        return read_at < self.event_at + rest_lag and self.event_at <= now

    def is_copy(self, event: str, now: float, pair_window: float) -> bool:
        """Whether an event is the one that came last, from the other lifecycle connection."""
        return self.event == event and now - self.event_at < pair_window

    def is_wanted(self, now: float) -> bool:
        """Whether it is to be carried."""
        if self.status == UNOPENED:  # opening has no event
            return self.open_ts is not None and self.open_ts <= now
        if self.status == PAUSED:  # it usually comes back
            return self.carried
        return self.status == ACTIVE

    def facts(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "status": self.status,
            "open_ts": self.open_ts,
            "close_ts": self.close_ts,
            "last_event": self.event or None,
            "last_event_at": self.event_at if self.event else None,
        }
