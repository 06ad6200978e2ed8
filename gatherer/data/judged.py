"""What the segments of one gatherer say about completeness, segment by segment: the judge of `gatherer.coverage`, fed
with the events of staged segments instead of the raw files, so that no segment is read twice.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import msgspec

from gatherer.coverage.answer import BOOKS, State
from gatherer.coverage.capture_judge import CaptureJudge
from gatherer.coverage.connections import ConnectionState
from gatherer.coverage.feeds import Feed
from gatherer.coverage.joining import CaptureVoices
from gatherer.coverage.legs import Phase
from gatherer.coverage.records import Body, Facts, Message, decode_facts
from gatherer.coverage.segments import DEAD_GATHERER, HANDLERS
from gatherer.data.stage import Event, Scan

FOREVER = 2**63 - 1
MARGIN = 60_000_000_000
"""Nanoseconds by which a loss can be older than the first record of the segment that reports it, without `since`."""


class Span(NamedTuple):
    """One connection had the whole book of a market between `start` and `end` (excluded)."""

    market: str
    conn_id: int
    start: int
    end: int
    """`FOREVER` while nothing has ended it."""


class JudgedCapture:
    """Takes the segments of one gatherer in order."""

    def __init__(self) -> None:
        self.first = FOREVER
        """When the capture begins."""
        self.touched = FOREVER
        """The earliest time about which the latest segment changed what was known."""
        self._judge = CaptureJudge()
        self._last: Scan | None = None

    def take(self, scan: Scan) -> None:
        """The next segment."""
        self.touched = min([scan.first - MARGIN, *(self._sure(each) for each in self._judge.carrying())])
        self._boundary(scan)
        self.first = min(self.first, scan.first)
        self._last = scan
        for event in scan.events:
            self._judge.clock.see(event.at)
            if event.marker:
                self._marker(event)
            elif event.market is not None:
                self._snapshot(event, event.market)

    def spans(self) -> Iterator[Span]:
        """All that is known of books now."""
        for (channel, ticker), feed in self._judge.feeds.items():
            if channel == BOOKS and ticker is not None:
                for conn_id, leg in feed.legs.items():
                    stretches = [*leg.line.spans(), (FOREVER, None)]
                    for (start, stretch), (end, _) in pairwise(stretches):
                        if stretch is not None and stretch.state is State.COMPLETE:
                            yield Span(ticker, conn_id, start, end)

    def sure_until(self, conn_id: int) -> int:
        """Until when a connection that is up surely lacks nothing (excluded), as far as the segments tell."""
        return self._sure(self._judge.connection(conn_id)) + 1

    def feeds(self) -> Iterator[tuple[str, str | None]]:
        """Channels and markets that are mentioned."""
        yield from self._judge.feeds

    def voices(self, gatherer: str, channel: str, ticker: str | None) -> CaptureVoices | None:
        """What this gatherer says of a feed, up to the time until which it is sure; None if there is no such time."""
        feed = self._judge.feeds.get((channel, ticker))
        end = self._end(feed)
        return CaptureVoices(gatherer, self.first, end, feed) if end > self.first else None

    # -- helpers -----------------------------------------------------------------------------

    def _marker(self, event: Event) -> None:
        facts = decode_facts(event.facts or "{}")
        told = [at for at in (facts.since, facts.first_at, facts.until) if at]
        for lost in facts.markers.values():
            told += [msgspec.json.decode(lost, type=Facts).first_at or event.at]
        self.touched = min([self.touched, *told])
        if event.marker == "sync_failed":
            self._judge.not_synced(event.at, facts.since, f"{facts.segment} may have lost its end: its fsync failed")
        elif event.marker in HANDLERS:
            if event.marker == "markets_added":
                for ticker in facts.tickers:
                    self._note_change(event.conn_id, ticker, facts.sid)
            HANDLERS[event.marker](self._judge, event.conn_id, event.at, facts)

    def _snapshot(self, event: Event, market: str) -> None:
        self._note_change(event.conn_id, market, event.sid or 0)
        message = Message("orderbook_snapshot", int(event.asked), event.sid or 0, Body(market))
        self._judge.message(event.conn_id, event.at, message)

    def _note_change(self, conn_id: int, market: str, sid: int) -> None:
        """A subscription that ended without a report is in doubt from its beginning."""
        feed = self._judge.feeds.get((BOOKS, market))
        leg = None if feed is None else feed.legs.get(conn_id)
        if leg is not None and leg.phase is Phase.COMPLETE and not leg.concerns(sid):
            self.touched = min(self.touched, leg.since)

    def _boundary(self, scan: Scan) -> None:
        """Tell the judge where a run begins, and where segments are missing."""
        last, judge = self._last, self._judge
        if last is not None and last.run == scan.run:
            if scan.number != last.number + 1 or last.cut:
                at = max(last.last, judge.clock.latest)
                text = f"{last.segment} is cut off" if last.cut else f"segments are missing before {scan.segment}"
                judge.broke_off(at, self._sure, text)
                judge.begins_within(at, text)
            return
        if last is not None:
            judge.broke_off(max(last.last, judge.clock.latest), self._sure, DEAD_GATHERER)
        judge.clock.see(scan.first)
        if scan.number == 1:
            judge.new_run(scan.first)
        else:
            judge.begins_within(scan.first, f"the segments of this run before {scan.segment} are not in the capture")

    def _sure(self, connection: ConnectionState) -> int:
        if self._last is None:
            return 0
        last = max(self._last.last_messages.values(), default=self._last.first)
        alive = last - int(connection.ping_timeout * 1e9)
        return min(last, max(self._last.last_messages.get(connection.conn_id, 0), alive))

    def _end(self, feed: Feed | None) -> int:
        """Until when the answer about a feed holds."""
        if self._last is None:
            return 0
        legs = [] if feed is None else [i for i, leg in feed.legs.items() if leg.phase is Phase.COMPLETE]
        if legs:
            return max(self.sure_until(conn_id) for conn_id in legs)
        carrying = [self._sure(connection) for connection in self._judge.carrying()]
        return min([self._last.last, *carrying]) + 1
