"""Which stretch of which connection is a whole order book: from a snapshot until something puts it in doubt. Pure.

The rules are those of `gatherer.coverage`, kept for each connection instead of for the market as a whole, because the
tables have to know whose messages to take. A span that ends retroactively ends at the last moment it was surely whole.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from gatherer.coverage import BOOKS
from gatherer.data.stage import Event, Scan

SECOND = 1_000_000_000
FOREVER = 2**63 - 1
MAX_SHORTENED = 8
"""Spans of one market on one connection that a loss told late can still shorten."""


@dataclass(slots=True)
class Span:
    """One connection had the whole book of a market from a snapshot on. `end` is the last ns of it."""

    market: str
    conn_id: int
    start: int
    place: int
    """Number of the segment that holds the snapshot, among those of its gatherer; -1 if no snapshot begins it."""
    line: int
    """Of the snapshot."""
    sid: int
    end: int = FOREVER
    end_place: int = FOREVER
    end_line: int = FOREVER
    """Where the cause of its end stands: no message behind it belongs to the span."""

    @property
    def is_open(self) -> bool:
        """Whether nothing has ended it."""
        return self.end_place == FOREVER


class Facts(msgspec.Struct, gc=False):
    """Facts of the markers that matter here; what a kind does not have keeps its default."""

    sid: int = 0
    since: int = 0
    until: int = 0
    first_at: int = 0
    ended: int = 0
    conn_ids: list[int] = msgspec.field(default_factory=list)
    channel: str = ""
    role: str = ""
    ping_timeout: float = 30.0
    stopped: bool = False
    moved: bool = False
    tickers: list[str] = msgspec.field(default_factory=list)


@dataclass(slots=True)
class _Market:
    """What one connection says of one market."""

    sid: int = 0
    removed: bool = False
    over: bool = False
    spans: list[Span] = field(default_factory=list)
    """The open one, and those before it that something told later could still shorten."""

    def concerns(self, sid: int) -> bool:
        return not sid or not self.sid or sid == self.sid


@dataclass(slots=True)
class _Connection:
    up: bool | None = None
    session: int = 0
    ping_timeout: float = 30.0
    markets: dict[str, _Market] = field(default_factory=dict)

    def market(self, ticker: str) -> _Market:
        found = self.markets.get(ticker)
        if found is None:
            found = self.markets[ticker] = _Market()
        return found


_facts: Callable[[str], Facts] = msgspec.json.Decoder(Facts).decode


class SpanTracker:
    """Takes the segments of one gatherer in order."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        """All there ever were, in the order of their snapshots. Void ones end before they start."""
        self.touched = FOREVER
        """The earliest time about which the last segment changed what was known."""
        self._connections: dict[int, _Connection] = {}
        self._last: Scan | None = None
        self._place = -1
        self._line = 0

    @property
    def sessions(self) -> dict[int, int]:
        """When the session of each connection opened."""
        return {conn_id: connection.session for conn_id, connection in self._connections.items() if connection.session}

    def take(self, scan: Scan) -> None:
        """The next segment."""
        self.touched = min(scan.first, self._sure_of_all())
        self._boundary(scan)
        self._place += 1
        self._last = scan
        for event in scan.events:
            self._line = event.line
            connection = self._connections.setdefault(event.conn_id, _Connection())
            if event.marker:
                tell = _TELL.get(event.marker)
                if tell is not None:
                    tell(self, connection, event, _facts(event.facts or "{}"))
            elif event.market is not None:
                self._snapshot(connection, event.market, event)

    def sure_until(self, conn_id: int) -> int:
        """Until when a connection that is up surely lacks nothing, as far as the segments tell."""
        if self._last is None:
            return 0
        latest = max(self._last.last_messages.values(), default=self._last.first)
        connection = self._connections.get(conn_id, _Connection())
        alive = latest - int(connection.ping_timeout * SECOND)
        return min(latest, max(self._last.last_messages.get(conn_id, 0), alive))

    def _sure_of_all(self) -> int:
        """Until when nothing that comes can change what was known, but for a loss told late."""
        return min((self.sure_until(conn_id) for conn_id in self._connections), default=FOREVER)

    def _boundary(self, scan: Scan) -> None:
        last = self._last
        if last is not None and scan.run == last.run and scan.number == last.number + 1 and not last.cut:
            return
        self._line, self._place = 0, self._place + 1
        for conn_id, connection in self._connections.items():
            if connection.up is not False:  # otherwise its last moment is known already
                self._break_all(connection, self.sure_until(conn_id))
        self._place -= 1
        self._connections = {}

    # -- events ------------------------------------------------------------------------------

    def _snapshot(self, connection: _Connection, ticker: str, event: Event) -> None:
        market, sid = connection.market(ticker), event.sid or 0
        late = event.asked and (market.removed or market.over or not market.concerns(sid))
        if connection.up is False or late:
            return
        self._change_sid(market, sid)
        market.sid, market.removed, market.over = sid or market.sid, False, False
        if not (market.spans and market.spans[-1].is_open):
            span = Span(ticker, event.conn_id, event.at, self._place, event.line, market.sid)
            market.spans.append(span)
            self.spans.append(span)

    def _session_up(self, connection: _Connection, event: Event, facts: Facts) -> None:
        connection.up, connection.session, connection.ping_timeout = True, event.at, facts.ping_timeout
        for market in connection.markets.values():
            market.over, market.sid = False, 0

    def _session_down(self, connection: _Connection, event: Event, facts: Facts) -> None:
        connection.up = False
        self._break_all(connection, min(facts.since or event.at, event.at))

    def _added(self, connection: _Connection, event: Event, facts: Facts) -> None:
        for ticker in facts.tickers:
            market = connection.market(ticker)
            self._change_sid(market, facts.sid)
            market.sid, market.removed, market.over = facts.sid or market.sid, False, False

    def _removed(self, connection: _Connection, event: Event, facts: Facts) -> None:
        for ticker in facts.tickers:
            market = connection.market(ticker)
            self._break(market, min(facts.since or event.at, event.at))
            market.removed = True
        if facts.ended:
            self._break_sid(connection, facts.ended, min(facts.since or event.at, event.at))

    def _gap(self, connection: _Connection, event: Event, facts: Facts) -> None:
        self._break_sid(connection, facts.sid, min(facts.since or event.at, event.at))

    def _terminal(self, connection: _Connection, event: Event, facts: Facts) -> None:
        for market in connection.markets.values():
            if market.concerns(facts.sid):
                market.over = True
                self._break(market, event.at)

    def _dropped(self, connection: _Connection, event: Event, facts: Facts) -> None:
        self._break_all(connection, min(facts.first_at or event.at, event.at))

    def _unreadable(self, connection: _Connection, event: Event, facts: Facts) -> None:
        self._break_all(connection, event.at)

    def _frozen(self, connection: _Connection, event: Event, facts: Facts) -> None:
        """What came before and after is whole; in between the exchange may have sent what did not arrive."""
        named = {*facts.conn_ids, event.conn_id} - {0}
        if not named and BOOKS not in (facts.channel, facts.role):
            return
        since = min(facts.since or event.at, event.at)
        until = max(facts.until or event.at, since + 1)
        for conn_id in named or list(self._connections):
            for ticker, market in self._connections.setdefault(conn_id, _Connection()).markets.items():
                if market.spans and market.spans[-1].is_open and market.spans[-1].start < until:
                    self._break(market, since)
                    span = Span(ticker, conn_id, until, -1, 0, market.sid)
                    market.spans.append(span)
                    self.spans.append(span)

    # -- helpers -----------------------------------------------------------------------------

    def _break_sid(self, connection: _Connection, sid: int, since: int) -> None:
        for market in connection.markets.values():
            if market.concerns(sid):
                self._break(market, since)

    def _change_sid(self, market: _Market, sid: int) -> None:
        """A subscription that nothing ended has another sid now: it ended before, and nothing tells since when."""
        if market.spans and market.spans[-1].is_open and not market.concerns(sid):
            self._break(market, market.spans[-1].start - 1)

    def _break_all(self, connection: _Connection, since: int) -> None:
        for market in connection.markets.values():
            self._break(market, since)

    def _break(self, market: _Market, since: int) -> None:
        """The book is in doubt from `since` on. A loss can be told late: earlier spans are shortened as well."""
        for span in market.spans:
            if span.end > since:
                span.end = since
                span.end_place, span.end_line = min(
                    (span.end_place, span.end_line), (self._place, self._line)
                )  # the first cause to be told
                self.touched = min(self.touched, since)
        if market.spans:
            del market.spans[:-MAX_SHORTENED]


_TELL: dict[str, Callable[[SpanTracker, _Connection, Event, Facts], None]] = {
    "session_up": SpanTracker._session_up,
    "session_down": SpanTracker._session_down,
    "markets_added": SpanTracker._added,
    "markets_removed": SpanTracker._removed,
    "gap": SpanTracker._gap,
    "terminal_error": SpanTracker._terminal,
    "local_drop": SpanTracker._dropped,
    "undecodable": SpanTracker._unreadable,
    "feed_frozen": SpanTracker._frozen,
}
