"""One market in the table of markets, and what its own facts decide."""

import msgspec

from gatherer.core.markets.timetable import Moment
from gatherer.values import Facts

UNOPENED, ACTIVE, PAUSED, CLOSED, FINAL, DOUBTFUL = "unopened", "active", "paused", "closed", "final", "doubtful"
"""Our states of a market. `doubtful`: an event contradicts what we know, and a look-up must decide."""

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
"""From REST's words (protocol section 6). `settled` is the filter's word for `finalized`; a row may have it too."""

_NEVER = float("-inf")


class Market(msgspec.Struct, gc=False):
    """One market, about 145 bytes with its times: the table has a million of them. Times are Unix seconds.

    The garbage collector does not track it, nor a dict that contains only markets. A million tracked objects cost
    200 ms in a full collection. Nothing here refers back to a market, so there is no cycle to collect.
    """

    status: str
    open_ts: float | None = None
    close_ts: float | None = None
    event: str = ""
    event_at: float = _NEVER
    """When its last event arrived, in seconds of the monotonic clock: only compared with other arrivals."""
    seen: int = 0
    """The number of the last walk that listed it."""
    due: Moment | None = None
    """Its place in the timetable."""
    carried: bool = False
    """Whether it is active. Only `MarketStates` sets it, because it counts the active markets."""

    def note(self, event: str, at: float) -> None:
        """An event arrived. Older rows must not undo it."""
        self.event, self.event_at = event, at

    def event_wins(self, read_at: float, rest_lag: float) -> bool:
        """Whether the last event is newer than any answer of REST to a question of `read_at`."""
        return read_at < self.event_at + rest_lag

    def is_copy(self, event: str, at: float, pair_window: float) -> bool:
        """Whether an event is a copy of the last one, from the other lifecycle connection."""
        return self.event == event and at - self.event_at < pair_window

    def is_wanted(self, now: float) -> bool:
        """Whether it is to be carried."""
        if self.status == UNOPENED:  # no event says that a market opens
            return self.open_ts is not None and self.open_ts <= now
        if self.status == PAUSED:  # it usually comes back
            return self.carried
        return self.status == ACTIVE

    def facts(self) -> Facts:
        """JSON-ready."""
        return {
            "status": self.status,
            "open_ts": self.open_ts,
            "close_ts": self.close_ts,
            "last_event": self.event or None,
            "last_event_at": self.event_at if self.event else None,  # monotonic: the registry makes Unix time of it
        }
