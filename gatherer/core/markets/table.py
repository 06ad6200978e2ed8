"""The table of markets: which exist, which to carry, and which to look up (protocol section 7).

Facts come from two sides: rows of REST walks and look-ups, and lifecycle events. An event wins over a row that was read
before the event arrived, or so soon afterwards that a cache may have answered.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Set

from gatherer.core.markets.market import ACTIVE, CLOSED, DOUBTFUL, FINAL, PAUSED, ROW_STATUS, UNOPENED, Market
from gatherer.core.markets.states import GracePeriods, MarketStates
from gatherer.values import Change, Facts, LifecycleEvent, MarketChange, MarketRow


class MarketTable:
    """All returned changes, applied in order to an empty set, give exactly `active()`.

    `now` is Unix time in seconds: the exchange's opening and closing times are compared with it. `at` and `asked_at`
    are seconds of a monotonic clock. They say what came before what, and a step of the wall clock does not touch them.
    Nothing here asks REST or waits: `take_lookups` returns the markets to look up, and `next_due` the time to call
    `tick`.
    """

    def __init__(self, grace: GracePeriods | None = None) -> None:
        self._grace = grace or GracePeriods()
        self._states = MarketStates(self._grace)
        self._markets = self._states.markets
        self._walk = 0
        self._walk_started = self._walk_began = self._listed_at = float("-inf")
        self.overlooked = 0
        """Open markets of walks that an earlier walk or an event should have brought, and did not."""
        self.unknown_statuses: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._markets)

    def active(self) -> Set[str]:
        """A live set-like view of the tickers to carry."""
        return self._states.active

    def describe(self, ticker: str) -> Facts | None:
        """All that is known of one market, JSON-ready, or None."""
        market = self._markets.find(ticker)
        if market is None:
            return None
        return {
            "ticker": ticker,
            "carried": market.carried,
            **market.facts(),
            "in_last_walk": bool(self._walk) and market.seen == self._walk,
            "lookup_queued": ticker in self._states.lookups,
        }

    # Time

    def next_due(self) -> float | None:
        """When to call `tick`, Unix time in seconds; None for never."""
        return self._states.next_due()

    def tick(self, now: float, limit: int = 1000) -> list[MarketChange]:
        """Act on at most `limit` due times. While `next_due` is not later than `now`, call again."""
        return self._states.tick(now, limit)

    # REST

    def walk_started(self, at: float, now: float) -> None:
        """A walk over the open and unopened markets begins. Without `walk_finished` no market vanishes."""
        self._walk += 1
        self._walk_started, self._walk_began = at, now

    def rows(self, rows: Iterable[MarketRow], now: float) -> list[MarketChange]:
        """Rows of the current walk. They may repeat and have any status: the pages are not one snapshot."""
        changes: list[MarketChange] = []
        for row in rows:
            self._row(row, self._walk_started, now, changes)
            if (market := self._markets.find(row.ticker)) is not None:
                market.seen = self._walk
        return changes

    def walk_finished(self, chunk: int = 5000) -> Iterator[int]:
        """Queue look-ups for the markets that vanished. Yields the number so far after each `chunk` of markets.

        A generator, because a million markets take longer than the reactor may be blocked.
        """
        vanished = 0
        walk, started = self._walk, self._walk_started
        for done, ticker in enumerate(self._markets, 1):
            market = self._markets.find(ticker)
            if market is not None and self._has_vanished(market, walk, started):
                self._states.look_up([ticker])
                vanished += 1
            if done % chunk == 0:
                yield vanished
        self._listed_at = self._walk_began - self._grace.rest_lag
        yield vanished

    def lookups_waiting(self) -> int:
        """How many markets wait for a look-up."""
        return len(self._states.lookups)

    def take_lookups(self, limit: int) -> list[str]:
        """At most `limit` tickers to look up, oldest first. Each goes to `looked_up`, or back to `look_up`."""
        return self._states.take_lookups(limit)

    def look_up(self, tickers: Iterable[str]) -> None:
        """Queue look-ups: one failed, or a state is uncertain. Unknown tickers are ignored."""
        self._states.look_up(tickers)

    def looked_up(self, ticker: str, row: MarketRow | None, asked_at: float, now: float) -> list[MarketChange]:
        """The answer to a look-up sent at `asked_at`. `row` is None when the exchange does not know the market."""
        changes: list[MarketChange] = []
        if row is not None:
            self._row(row, asked_at, now, changes)
        elif (market := self._markets.find(ticker)) is not None and not self._event_wins(market, asked_at):
            self._states.become(ticker, market, FINAL, now, changes)
        return changes

    def _row(self, row: MarketRow, read_at: float, now: float, changes: list[MarketChange]) -> None:
        status = ROW_STATUS.get(row.status)
        if status is None:
            self._count_unknown(row.status)
            return
        market = self._markets.find(row.ticker)
        if market is None:
            market = self._markets[row.ticker] = Market(status)
            self.overlooked += status == ACTIVE and row.open_ts is not None and row.open_ts < self._listed_at
        elif self._event_wins(market, read_at):
            status = market.status  # even an older row may have the times that no event has brought yet
            market.open_ts = row.open_ts if market.open_ts is None else market.open_ts
            market.close_ts = row.close_ts if market.close_ts is None else market.close_ts
            self._states.become(row.ticker, market, status, now, changes)
            return
        market.open_ts, market.close_ts = row.open_ts, row.close_ts
        self._states.become(row.ticker, market, status, now, changes)

    def _event_wins(self, market: Market, read_at: float) -> bool:
        return market.event_wins(read_at, self._grace.rest_lag)

    def _has_vanished(self, market: Market, walk: int, started: float) -> bool:
        if market.seen == walk or self._event_wins(market, started):
            return False
        return market.carried or market.status == UNOPENED

    def _count_unknown(self, status: str) -> None:
        """Count at most 20 names: they come from the network."""
        known = status in self.unknown_statuses or len(self.unknown_statuses) < 20
        self.unknown_statuses[status if known else "other"] += 1

    # Events

    def lifecycle(self, event: LifecycleEvent, now: float, at: float) -> list[MarketChange]:
        """Apply an event, perhaps for the second time. Kinds that change no market are ignored."""
        changes: list[MarketChange] = []
        match event.kind:
            case "created":
                self._created(event, now, at, changes)
            case "activated":
                self._activated(event, now, at, changes)
            case "deactivated":
                self._deactivated(event, now, at, changes)
            case "close_date_updated":
                self._close_moved(event, now, at, changes)
            case "determined" | "settled":
                self._note(event, FINAL, now, at, changes)
        return changes

    def _created(self, event: LifecycleEvent, now: float, at: float, changes: list[MarketChange]) -> None:
        if event.ticker in self._markets:
            return  # a copy, or REST was faster: later facts must not be undone
        market = self._markets[event.ticker] = Market(UNOPENED)
        market.open_ts, market.close_ts = event.open_ts, event.close_ts
        self._note(event, UNOPENED, now, at, changes)

    def _activated(self, event: LifecycleEvent, now: float, at: float, changes: list[MarketChange]) -> None:
        market = self._markets.find(event.ticker)
        if market is not None and market.status in (CLOSED, FINAL, DOUBTFUL):
            self._set_doubtful(event, now, at, changes)
            return
        emptied = market is not None and market.carried
        if market is not None and market.status == ACTIVE and market.is_copy(event.kind, at, self._grace.pair_window):
            emptied = False
        before = len(changes)
        self._note(event, ACTIVE, now, at, changes)
        if emptied and len(changes) == before:
            changes.append(MarketChange(event.ticker, Change.REFRESH))

    def _deactivated(self, event: LifecycleEvent, now: float, at: float, changes: list[MarketChange]) -> None:
        market = self._markets.find(event.ticker)
        if market is None or market.status not in (CLOSED, FINAL, DOUBTFUL):
            self._note(event, PAUSED, now, at, changes)

    def _close_moved(self, event: LifecycleEvent, now: float, at: float, changes: list[MarketChange]) -> None:
        if event.close_ts is None:
            return
        market = self._markets.find(event.ticker)
        revived = event.close_ts > now
        if market is None or market.status in (FINAL, DOUBTFUL):
            if revived:
                self._set_doubtful(event, now, at, changes)
            return
        market.close_ts = event.close_ts
        status = market.status
        if status == CLOSED and revived:
            status = ACTIVE if market.open_ts is None or market.open_ts <= now else UNOPENED
        self._note(event, status, now, at, changes)

    def _set_doubtful(self, event: LifecycleEvent, now: float, at: float, changes: list[MarketChange]) -> None:
        """It may be a late copy from the slower connection, or the market has come back. A look-up decides."""
        self._note(event, DOUBTFUL, now, at, changes)

    def _note(self, event: LifecycleEvent, status: str, now: float, at: float, changes: list[MarketChange]) -> None:
        market = self._markets.find(event.ticker)
        if market is None:
            market = self._markets[event.ticker] = Market(status)
        market.note(event.kind, at)
        self._states.become(event.ticker, market, status, now, changes)
