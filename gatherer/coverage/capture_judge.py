"""What the records of one capture say about its feeds, decided record by record in their order.

A feed is complete for as long as every message of its subscription is in the capture. Whatever puts that in doubt makes
a hole, from the last moment at which the feed was surely complete. In doubt the answer is a hole.
"""

from collections.abc import Callable, Collection

from gatherer.coverage.answer import BOOKS
from gatherer.coverage.clock_steps import ClockSteps
from gatherer.coverage.connections import ConnectionState
from gatherer.coverage.feeds import NOT_YET, Feed, Since
from gatherer.coverage.legs import Phase
from gatherer.coverage.records import Facts, Message
from gatherer.coverage.timeline import Reasons
from gatherer.values import Role

CHANNELS = {role.value: role.channel for role in Role if role.is_global}
"""Role of a connection to the channel that it carries as a whole."""
CHANNEL_OF = {channel: channel for channel in CHANNELS.values()} | {
    "event_lifecycle": "market_lifecycle_v2",
    "event_fee_update": "market_lifecycle_v2",
}
"""Type of a message to the channel that it comes on."""
STOPPED: Reasons = ("the gatherer was stopped",)


DECISIVE = frozenset(
    {"session_up", "session_down", "markets_added", "markets_removed", "terminal_error", "feed_frozen", "gap"}
)
"""Markers without which nobody knows what a connection carries, or since when something is missing."""


class CaptureJudge:
    """Knows every feed of one capture. Its methods are the events of the capture; `at` is the time of the record."""

    def __init__(self, tickers: Collection[str] | None = None, channels: Collection[str] | None = None) -> None:
        self.feeds: dict[tuple[str, str | None], Feed] = {}
        """By channel and market."""
        self.clock = ClockSteps(self._stepped_back)
        self._tickers = tickers
        self._channels = channels
        self._connections: dict[int, ConnectionState] = {}
        self._unknown: Since | None = None
        """Earlier segments of the run are not in the capture, so any feed may be carried."""
        self._owed: Since | None = None
        """That was so at the end of the last run."""
        self._past: list[tuple[int, int, Reasons]] = []
        """When that was so before."""

    def connection(self, conn_id: int) -> ConnectionState:
        """A connection; made when it is first heard of."""
        found = self._connections.get(conn_id)
        if found is None:
            found = self._connections[conn_id] = ConnectionState(conn_id)
        return found

    def carrying(self) -> list[ConnectionState]:
        """The connections on which a feed is carried now."""
        return [connection for connection in self._connections.values() if connection.carried()]

    @property
    def starts_unknown(self) -> bool:
        """Whether feeds may be carried that no record has shown yet."""
        return self._unknown is not None

    def feed(self, channel: str, ticker: str | None) -> Feed | None:
        """A feed; None for one that is not asked for."""
        key = (channel, ticker)
        found = self.feeds.get(key)
        if found is None and self._is_asked_for(channel, ticker):
            found = Feed(channel, ticker, self.clock, holes=list(self._past), owed=self._owed, unknown=self._unknown)
            self.feeds[key] = found
        return found

    # -- markets and channels -----------------------------------------------------------------

    def added(self, conn_id: int, at: int, facts: Facts) -> None:
        """The exchange acknowledged feeds."""
        connection = self.connection(conn_id)
        for ticker in facts.tickers:
            book = self.feed(BOOKS, ticker)
            if book is not None:
                was_carried = book.seen(at, not connection.disturbed)
                book.book(connection).acknowledged(at, facts.sid, was_carried)
        whole = facts.channel if facts.channel != BOOKS and not facts.tickers else ""
        channel = self.feed(whole, None) if whole else None
        if channel is not None:
            channel.seen(at, not connection.disturbed)
            channel.channel_leg(connection).acknowledged(at, facts.sid)

    def removed(self, conn_id: int, at: int, facts: Facts) -> None:
        """Markets are carried no more."""
        connection = self.connection(conn_id)
        for ticker in facts.tickers:
            feed = self.feed(BOOKS, ticker)
            if feed is not None:
                feed.remove(feed.book(connection), at, facts.since or None, facts.moved)
        if facts.ended:
            since = self.clock.lost(facts.since, at)
            connection.end(f"unsubscribed {at}", at, since, facts.ended, (f"connection {conn_id}: sid unsubscribed",))

    def without_book(self, conn_id: int, at: int, facts: Facts) -> None:
        """Markets are held, but their books never came."""
        connection = self.connection(conn_id)
        for ticker in facts.tickers:
            feed = self.feed(BOOKS, ticker)
            if feed is not None:
                feed.book(connection).without_book(at)

    def message(self, conn_id: int, at: int, message: Message) -> None:
        """A snapshot; or, while the start of the run is unknown, a delta or a message of a channel."""
        if message.type in CHANNEL_OF:
            self._channel_message(conn_id, at, CHANNEL_OF[message.type], message.sid)
            return
        feed = self.feed(BOOKS, message.msg.market_ticker)
        if feed is None:
            return
        connection = self.connection(conn_id)
        leg = feed.book(connection)
        if message.type == "orderbook_delta":
            if feed.unknown is not None:
                feed.seen(at)
                leg.delta(at, message.sid)
        elif leg.proves(message.sid, message.id != 0):
            feed.seen(at, not (connection.disturbed or message.id))
            leg.snapshot(at, message.sid, message.id != 0)

    def _channel_message(self, conn_id: int, at: int, channel: str, sid: int) -> None:
        """It proves that the channel is subscribed, if no marker says so."""
        connection, feed = self.connection(conn_id), self.feed(channel, None)
        if feed is not None and connection.up is None and feed.channel_leg(connection).phase is Phase.ABSENT:
            feed.seen(at)
            feed.channel_leg(connection).acknowledged(at, sid)

    # -- connections --------------------------------------------------------------------------

    def session_up(self, conn_id: int, at: int, facts: Facts) -> None:
        """A new socket."""
        connection = self.connection(conn_id)
        connection.new_session(True)
        connection.ping_timeout = facts.ping_timeout
        feed = self.feed(CHANNELS[facts.role], None) if facts.role in CHANNELS else None
        if feed is not None:
            feed.channel_leg(connection).wanted(at)

    def session_down(self, conn_id: int, at: int, facts: Facts) -> None:
        """The socket is gone. `stopped`: we closed it for good."""
        connection = self.connection(conn_id)
        connection.up, connection.disturbed = False, True
        since = self.clock.lost(facts.since, at)
        if not facts.stopped:
            reasons = (f"connection {conn_id} down: {facts.reason}",)
            connection.end("session_down", at, since, 0, reasons)
            return
        connection.stop(at, since, STOPPED)

    def gap(self, conn_id: int, at: int, facts: Facts) -> None:
        """Numbers of a sid were skipped between the messages read at `since` and now."""
        since = self.clock.lost(facts.since, at)
        reasons = (f"connection {conn_id}, sid {facts.sid}: {facts.size} messages missing",)
        self.connection(conn_id).lose("gap", since, at, facts.sid, reasons)

    def ended(self, conn_id: int, at: int, facts: Facts) -> None:
        """The exchange ended a subscription."""
        reasons = (f"connection {conn_id}: subscription ended: code {facts.code}, {facts.text}",)
        self.connection(conn_id).end_subscription(at, facts.sid, reasons)

    def dropped(self, conn_id: int, at: int, facts: Facts) -> None:
        """Messages did not fit into the buffer of the gatherer, and perhaps markers neither."""
        since = self.clock.lost(facts.first_at, at)
        reasons = (f"connection {conn_id}: {facts.count} messages dropped here",)
        kinds = facts.markers.keys() & DECISIVE
        if not kinds:
            self.connection(conn_id).lose("local_drop", since, max(facts.last_at, since) + 1, 0, reasons)
            return
        reasons = (f"connection {conn_id}: markers dropped here ({', '.join(sorted(kinds))})",)
        for connection in [self.connection(conn_id)] if conn_id else list(self._connections.values()):
            connection.lose_track(at, since, reasons)

    def unreadable(self, conn_id: int, at: int, facts: Facts) -> None:
        """A message could not be read: it may have been about any feed of the connection."""
        reasons = (f"connection {conn_id}: a message that could not be read ({facts.reason})",)
        self.connection(conn_id).lose("undecodable", at, at + 1, 0, reasons)

    def frozen(self, conn_id: int, at: int, facts: Facts) -> None:
        """Nothing came on a channel, or on connections, although it should have."""
        since = self.clock.lost(facts.since, at)
        until = facts.until or at
        reasons = ("feed frozen",)
        named = {*facts.conn_ids, conn_id} - {0}
        for connection in [self.connection(name) for name in named]:
            connection.freeze(since, until, reasons)
        channel = facts.channel or next((r.channel for r in Role if r.value == facts.role), facts.role)
        if not named and channel:
            for feed in [feed for feed in self.feeds.values() if feed.channel == channel]:
                for leg in feed.legs.values():
                    leg.freeze(since, until, reasons)

    def not_synced(self, at: int, since: int, text: str) -> None:
        """Records that were written after `since` did not survive on disk."""
        since = self.clock.lost(since, at)
        for connection in self._connections.values():
            connection.lose_track(at, since, (text,))

    def clock_stepped(self, conn_id: int, at: int, facts: Facts) -> None:
        """The wall clock of the gatherer was set."""
        self.clock.step(at, facts.seconds)

    # -- the run ------------------------------------------------------------------------------

    def new_run(self, at: int) -> None:
        """The gatherer was started (again): everything is subscribed anew."""
        self._owed = Since(at, NOT_YET) if self._end_unknown(at) else None
        self._unknown = None
        for feed in self.feeds.values():
            feed.new_run(at)
        self._forget()

    def begins_within(self, at: int, text: str) -> None:
        """What is carried from now on is not known: earlier segments of the run are missing."""
        self._end_unknown(at)
        self._owed, self._unknown = None, Since(at, (text,))
        for feed in self.feeds.values():
            feed.may_be_carried(self._unknown)
        for channel in CHANNELS.values():
            self.feed(channel, None)
        self._forget()

    def broke_off(self, at: int, sure: Callable[[ConnectionState], int], text: str) -> None:
        """No record of this run follows, up to now or ever. `sure` says until when a connection missed nothing."""
        for connection in self.carrying():
            if connection.up is not False:  # otherwise its last moment is known already
                connection.end("broke_off", at, self.clock.lost(sure(connection), at), 0, (text,))

    def finish(self) -> None:
        """Nothing follows in the capture."""
        for connection in self.carrying():
            for leg in connection.carried():
                if leg.phase is Phase.STARTING:
                    leg.fail_start()

    # -- helpers ------------------------------------------------------------------------------

    def _stepped_back(self, at: int) -> None:
        """The times from now on were seen before. What is not complete now was not complete at these times."""
        for feed in self.feeds.values():
            for leg in feed.legs.values():
                leg.stepped_back(at)

    def _end_unknown(self, at: int) -> bool:
        """Whether it was unknown what is carried, until now."""
        if self._unknown is not None:
            self._past.append((self._unknown.at, max(at, self._unknown.at + 1), self._unknown.reasons))
        return self._unknown is not None

    def _forget(self) -> None:
        for connection in self._connections.values():
            connection.new_session(None)

    def _is_asked_for(self, channel: str, ticker: str | None) -> bool:
        if self._channels is not None and channel not in self._channels:
            return False
        if ticker is None:
            return self._tickers is None or self._channels is not None
        return bool(ticker) and (self._tickers is None or ticker in self._tickers)
