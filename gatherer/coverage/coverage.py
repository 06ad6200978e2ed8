"""Whether one market's order book was complete, decided from what the capture says, record by record in its order.

A book is complete from a snapshot on, for as long as every message of its subscription is in the capture. Whatever
puts that in doubt makes a hole, from the last moment it was surely complete until the next snapshot of the market.
When in doubt this says hole. Times are Unix ns; connections go by their ids.
"""

from collections.abc import Callable

from gatherer.coverage.book_state import BookState, Phase
from gatherer.coverage.timeline import Cause, Interval, Standing, Stretch, Timeline

_STANDING = {
    Phase.ABSENT: Standing.ABSENT,
    Phase.STARTING: Standing.ABSENT,
    Phase.BROKEN: Standing.HOLE,
    Phase.COMPLETE: Standing.COMPLETE,
}


class Coverage:
    """Knows one market. Its methods are the events of the capture that can matter to it."""

    def __init__(self) -> None:
        self._tracks: dict[int, BookState] = {}
        self._line = Timeline()
        self._phase = Phase.ABSENT
        self._awaited: Stretch | None = None
        """Open while the first snapshot is: without one it was a hole."""
        self._stopped: Stretch | None = None
        """Carried when the gatherer was stopped: a hole if another run follows."""
        self._resumed: Stretch | None = None
        """Carried by an earlier run, not yet by this one: no hole if this one never carries it."""
        self._unknown: Stretch | None = None
        """The start of the run is not in the capture, so the market may be carried."""

    # -- answers ------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether what comes later can still change what was said so far, but for a loss told late."""
        return not (self._awaited is self._stopped is self._resumed is None)

    @property
    def now(self) -> int:
        """When it last changed."""
        return self._line.now

    @property
    def carriers(self) -> list[int]:
        """The connections on which the book is complete now."""
        return [conn_id for conn_id, track in self._tracks.items() if track.phase is Phase.COMPLETE]

    def ping_timeout(self, conn_id: int) -> float:
        """Seconds a connection can be dead before the gatherer notices."""
        return self._track(conn_id).ping_timeout

    def intervals(self, start: int, end: int) -> list[Interval]:
        """The answer for a range within the capture."""
        return self._line.intervals(start, end)

    # -- the market ---------------------------------------------------------------------------

    def added(self, conn_id: int, at: int, sid: int) -> None:
        """The exchange acknowledged it. Its snapshot may be here already."""
        track = self._track(conn_id)
        was_carried = self._seen(not track.disturbed)
        self._change_sid(conn_id, at, sid)
        track.dismissed = False
        track.sid, track.removed, track.over = sid or track.sid, False, False
        if track.phase is Phase.ABSENT:
            track.phase = Phase.BROKEN if was_carried else Phase.STARTING
        self._decide(at, Cause(at, "no_snapshot", f"subscribed on connection {conn_id}, no snapshot yet"))

    def removed(self, conn_id: int, at: int, since: int | None = None, moved: bool = False) -> None:
        """It is carried no more; `since` is when that may have begun without an acknowledgement."""
        track = self._track(conn_id)
        if (self._seen() or track.phase is Phase.BROKEN) and moved:
            track.phase, track.moved = Phase.BROKEN, True
            return
        cause = Cause(at, "markets_removed", f"removed from connection {conn_id}")
        if since is not None and (track.phase is Phase.COMPLETE or track.complete_until > since):
            self._spoil(conn_id, since, Standing.ABSENT, cause)
        self._leave(track, Phase.ABSENT, at)
        track.removed = track.dismissed = True
        self._decide(at, cause)

    def snapshot(self, conn_id: int, at: int, sid: int, asked: bool) -> None:
        """A whole book; `asked` when it answers a `get_snapshot`."""
        track = self._track(conn_id)
        if track.up is False or (asked and (track.removed or track.over or not track.concerns(sid))):
            return  # late: what was asked for then is over
        self._seen(not (track.disturbed or asked))
        self._change_sid(conn_id, at, sid)
        track.sid, track.removed, track.moved, track.over = sid or track.sid, False, False, False
        if track.phase is not Phase.COMPLETE:
            track.phase, track.complete_since = Phase.COMPLETE, max(at, self._line.now)
        self._awaited = None
        self._decide(at, Cause(at, "snapshot", f"snapshot on connection {conn_id}"))

    def delta(self, conn_id: int, at: int, sid: int) -> None:
        """A change of the book. It proves that the market is carried, when that is not known."""
        track = self._track(conn_id)
        if self._unknown is not None and track.phase is Phase.ABSENT and not track.removed and track.up is not False:
            self._seen()
            track.sid, track.phase = sid, Phase.BROKEN
            self._decide(at, Cause(at, "no_snapshot", "its snapshot lies before this capture"))

    # -- its connection -----------------------------------------------------------------------

    def session_up(self, conn_id: int, at: int, ping_timeout: float = 30.0) -> None:
        """A new socket."""
        track = self._track(conn_id)
        track.up, track.disturbed, track.over, track.sid = True, True, False, 0
        track.ping_timeout = ping_timeout

    def session_down(self, conn_id: int, at: int, since: int, reason: str, stopped: bool) -> None:
        """The socket is gone; something was last heard on it at `since`. `stopped`: we closed it for good."""
        track = self._track(conn_id)
        track.up, track.disturbed = False, True
        if not stopped:
            self._breaks(conn_id, at, since, "session_down", f"connection {conn_id} down: {reason}")
            return
        carried = track.phase is not Phase.ABSENT
        cause = Cause(at, "stopped", "the gatherer was stopped")
        if track.phase is Phase.COMPLETE:
            self._spoil(conn_id, since, Standing.ABSENT, cause)
        self._leave(track, Phase.ABSENT, at)
        if carried and self._decide(at, cause):
            # The oldest of the stretches this stop made: it may have been put in before `at`.
            self._stopped = next(s for s in self._line.stretches if cause in s.causes)

    def gap(self, conn_id: int, at: int, since: int, sid: int, size: int) -> None:
        """Numbers of a sid were skipped between the messages read at `since` and now."""
        if self._track(conn_id).concerns(sid):
            self._breaks(conn_id, at, since, "gap", f"connection {conn_id}, sid {sid}: {size} messages missing", False)

    def terminal(self, conn_id: int, at: int, sid: int, text: str) -> None:
        """The exchange ended a subscription."""
        track = self._track(conn_id)
        track.disturbed = True
        if track.concerns(sid):
            track.over = True
            self._breaks(conn_id, at, at, "terminal_error", f"connection {conn_id}: subscription ended: {text}")

    def dropped(self, conn_id: int, at: int, since: int, count: int) -> None:
        """Messages of the connection did not fit into our buffer, the first of them read at `since`."""
        self._breaks(conn_id, at, since, "local_drop", f"connection {conn_id}: {count} messages dropped here", False)

    def unreadable(self, conn_id: int, at: int, reason: str) -> None:
        """A message that could not be read: it may have been about this market."""
        text = f"connection {conn_id}: a message that could not be read ({reason})"
        self._breaks(conn_id, at, at, "undecodable", text, False)

    # -- the run ------------------------------------------------------------------------------

    def begins_within(self, at: int, text: str) -> None:
        """What was carried until now is not known: earlier segments of the run are missing."""
        self._forget()
        self._unknown = self._line.enter(at, Standing.HOLE, Cause(at, "missing_segments", text))
        self._phase = Phase.BROKEN

    def new_run(self, at: int) -> None:
        """The gatherer was started (again): everything is subscribed anew."""
        carried = self._stopped is not None or self._phase is Phase.BROKEN
        cause = Cause(at, "restart", "the gatherer was not running")
        if self._stopped is not None:
            self._stopped.standing, self._stopped.causes = Standing.HOLE, [cause]
        self._forget()
        if carried:
            self._resumed = self._line.enter(at, Standing.HOLE, Cause(at, "restart", "not subscribed again yet"))
            self._phase = Phase.BROKEN
        elif not self._line.stretches or self._line.stretches[-1].standing is not Standing.ABSENT:
            self._line.enter(at, Standing.ABSENT, Cause(at, "restart", "not subscribed"))

    def broke_off(self, at: int, sure: Callable[[int], int], text: str) -> None:
        """No record of this run follows. `sure` tells until when a connection that was up missed nothing."""
        for conn_id, track in self._tracks.items():
            if track.phase is not Phase.ABSENT:
                self._breaks(conn_id, at, sure(conn_id), "broke_off", text)
        self._end_waits()

    def finish(self) -> None:
        """Nothing follows."""
        self._end_waits()

    # -- helpers ------------------------------------------------------------------------------

    def _change_sid(self, conn_id: int, at: int, sid: int) -> None:
        """A subscription that nobody ended cannot have another sid: it was over before, and nobody knows since when."""
        track = self._track(conn_id)
        if track.phase is Phase.COMPLETE and not track.concerns(sid):
            text = f"connection {conn_id}: subscribed anew, sid {sid} after {track.sid}, without a word of the end"
            self._breaks(conn_id, at, track.complete_since, "sid_changed", text)

    def _track(self, conn_id: int) -> BookState:
        return self._tracks.setdefault(conn_id, BookState())

    def _breaks(self, conn_id: int, at: int, since: int, kind: str, text: str, starting_too: bool = True) -> None:
        """The book is suspect. One that never had a snapshot has nothing to lose, unless its subscription is gone."""
        track, cause = self._track(conn_id), Cause(at, kind, text)
        since = min(since, at) if since else at
        touched = track.phase is Phase.COMPLETE or track.complete_until > since
        if touched:
            self._spoil(conn_id, since, Standing.HOLE, cause)
        if track.phase is Phase.COMPLETE or (track.phase is Phase.STARTING and starting_too):
            self._leave(track, Phase.ABSENT if track.dismissed and starting_too else Phase.BROKEN, at)
        if touched or track.phase is Phase.BROKEN:
            self._decide(at, cause)

    def _spoil(self, conn_id: int, since: int, standing: Standing, cause: Cause) -> None:
        """Undo what was said, unless another connection had the book as well."""
        others = (track for other, track in self._tracks.items() if other != conn_id)
        if not any(track.phase is Phase.COMPLETE and track.complete_since <= since for track in others):
            self._line.spoil(since, standing, cause)

    def _leave(self, track: BookState, phase: Phase, at: int) -> None:
        if track.phase is Phase.COMPLETE:
            track.complete_until = max(at, self._line.now)
        track.phase, track.moved = phase, False

    def _decide(self, at: int, cause: Cause) -> bool:
        """Note what all connections together say now; whether that is not what they said before."""
        phase = max((track.phase for track in self._tracks.values()), default=Phase.ABSENT)
        if self._resumed is not None or self._unknown is not None:
            phase = max(phase, Phase.BROKEN)
        changed, self._phase = phase is not self._phase, phase
        if changed and phase is not Phase.STARTING:
            self._unanswered()
        last, standing = self._line.stretches[-1], _STANDING[phase]
        if changed and phase is Phase.STARTING:
            self._awaited = self._line.enter(at, standing, cause)
        elif last.standing is not standing:
            self._line.enter(at, standing, cause)
        elif phase is Phase.BROKEN and cause not in last.causes and cause.kind != "no_snapshot":
            self._line.enter(at, standing, cause)  # one hole, another reason
        return changed

    def _seen(self, is_first: bool = False) -> bool:
        """The market shows up; whether it was carried before, so that what lies between is a hole.

        `is_first`: it is subscribed now and was not before, as far as its connection goes."""
        was_carried = self._resumed is not None or (self._unknown is not None and not is_first)
        if self._unknown is not None and is_first:
            self._unknown.standing = Standing.ABSENT
        self._resumed = self._unknown = None
        for track in self._tracks.values():
            if track.moved:
                track.phase, track.moved, was_carried = Phase.ABSENT, False, True
        return was_carried

    def _unanswered(self) -> None:
        """The subscription ended, one way or another, before the first snapshot came."""
        if self._awaited is not None:
            self._awaited.standing, self._awaited = Standing.HOLE, None

    def _end_waits(self) -> None:
        self._unanswered()
        if self._resumed is not None:
            self._resumed.standing = Standing.ABSENT
            self._resumed.causes = [Cause(self._resumed.start, "restart", "not subscribed by the new run")]
            self._resumed, self._phase = None, Phase.ABSENT

    def _forget(self) -> None:
        self._end_waits()
        self._tracks = {}
        self._stopped = self._unknown = None
        self._phase = Phase.ABSENT
