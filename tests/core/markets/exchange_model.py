"""A model of the exchange's markets: the truth, the two lifecycle connections, walks and look-ups that take time."""

import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gatherer.values import LifecycleEvent, MarketRow


@dataclass(slots=True)
class TrueMarket:
    """One market with its true state."""

    status: str
    open_ts: float
    close_ts: float


@dataclass(slots=True)
class ExchangeModel:
    """`do` changes the truth. Its events may be late, come twice, or be lost on one or both connections."""

    now: float
    random: random.Random
    markets: dict[str, TrueMarket] = field(default_factory=dict)
    feeds: tuple[deque[LifecycleEvent], deque[LifecycleEvent]] = field(default_factory=lambda: (deque(), deque()))
    asked: list[tuple[str, MarketRow | None, float]] = field(default_factory=list)
    walking: list[tuple[str, str]] | None = None
    """Status and ticker that the walk is still to read, the last one first: a list of each status, like REST's."""
    clock_error: float = 0.0
    """How far our wall clock is ahead of the exchange's, in seconds."""

    def tickers(self, *statuses: str) -> set[str]:
        """The markets with one of these statuses."""
        return {ticker for ticker, market in self.markets.items() if market.status in statuses}

    def do(self, verb: str, ticker: str, number: float, rig: Any) -> None:
        """One step: time passes, a market changes, or an event reaches the table."""
        getattr(self, f"do_{verb}")(ticker, number, rig)

    def do_wait(self, ticker: str, seconds: float, rig: Any) -> None:
        self.now += seconds
        self._set_clocks(rig)
        for market in self.markets.values():
            if market.status == "initialized" and market.open_ts <= self.now:
                market.status = "active"
            if market.status in ("active", "inactive") and market.close_ts <= self.now:
                market.status = "closed"

    def do_step_clock(self, ticker: str, seconds: float, rig: Any) -> None:
        """Our wall clock jumps: forwards, backwards, or back to the truth."""
        self.clock_error = self.random.choice((0.0, seconds, -seconds, 3600.0, -3600.0))
        self._set_clocks(rig)

    def do_create(self, ticker: str, seconds: float, rig: Any) -> None:
        if ticker not in self.markets:
            self.markets[ticker] = made = TrueMarket("initialized", self.now + seconds / 2, self.now + seconds * 2)
            self._tell(ticker, "created", made.open_ts, made.close_ts)
            self.do_wait(ticker, 0, rig)

    def do_pause(self, ticker: str, seconds: float, rig: Any) -> None:
        self._move(ticker, "active", "inactive", "deactivated")

    def do_resume(self, ticker: str, seconds: float, rig: Any) -> None:
        self._move(ticker, "inactive", "active", "activated")

    def do_move_close(self, ticker: str, seconds: float, rig: Any) -> None:
        market = self.markets.get(ticker)
        if market is not None and market.status in ("active", "inactive", "closed"):
            market.close_ts = self.now + seconds
            self._tell(ticker, "close_date_updated", None, market.close_ts)
            self._move(ticker, "closed", "active", "activated")
            self.do_wait(ticker, 0, rig)

    def do_determine(self, ticker: str, seconds: float, rig: Any) -> None:
        self._move(ticker, "closed", "determined", "determined")

    def do_settle(self, ticker: str, seconds: float, rig: Any) -> None:
        self._move(ticker, "determined", "finalized", "settled")

    def do_forget(self, ticker: str, seconds: float, rig: Any) -> None:
        if ticker in self.tickers("finalized"):
            del self.markets[ticker]

    def do_lose(self, ticker: str, seconds: float, rig: Any) -> None:
        for feed in self.feeds:
            if feed and self.random.random() < 0.5:
                feed.popleft()

    def do_deliver(self, ticker: str, seconds: float, rig: Any) -> None:
        feed = self.random.choice(self.feeds)
        if feed:
            rig.apply(rig.table.lifecycle(feed.popleft(), rig.now, self.now))

    def do_tick(self, ticker: str, seconds: float, rig: Any) -> None:
        rig.apply(rig.table.tick(rig.now, 1 + int(seconds) % 3))

    def do_walk(self, ticker: str, seconds: float, rig: Any) -> None:
        """Begin a walk, or read one market of the one under way, or finish it."""
        if self.walking is None:
            rig.table.walk_started(self.now, rig.now)
            tickers = sorted(self.markets)
            self.random.shuffle(tickers)
            self.walking = [(status, ticker) for status in ("active", "initialized") for ticker in tickers]
        elif self.walking:
            status, read = self.walking.pop()
            if read in self.tickers(status):
                rig.apply(rig.table.rows([self._row(read)], rig.now))
        else:
            self.walking = None
            list(rig.table.walk_finished())

    def do_fail_walk(self, ticker: str, seconds: float, rig: Any) -> None:
        self.walking = None

    def do_ask(self, ticker: str, seconds: float, rig: Any) -> None:
        """A look-up is sent: the exchange answers with the present truth, and the answer arrives later."""
        for asked in rig.table.take_lookups(2):
            self.asked.append((asked, self._row(asked), self.now))

    def do_answer(self, ticker: str, seconds: float, rig: Any) -> None:
        for asked, row, asked_at in self.asked:
            if self.random.random() < 0.2:
                rig.table.look_up([asked])
            else:
                rig.apply(rig.table.looked_up(asked, row, asked_at, rig.now))
        self.asked = []

    def come_to_rest(self, rig: Any) -> None:
        """No market changes any more, all events arrive, and walks and look-ups succeed."""
        while any(self.feeds):
            self.do_deliver("", 0, rig)
        self.walking, self.clock_error = None, 0.0
        for _ in range(3):
            self.do_wait("", 130, rig)
            while (due := rig.table.next_due()) is not None and due <= rig.now:
                self.do_tick("", 2, rig)
            for _ in range(2 * len(self.markets) + 2):
                self.do_walk("", 0, rig)
            while asked := rig.table.take_lookups(2):
                for ticker in asked:
                    rig.apply(rig.table.looked_up(ticker, self._row(ticker), self.now, rig.now))

    def _set_clocks(self, rig: Any) -> None:
        rig.now, rig.monotonic = self.now + self.clock_error, self.now

    def _move(self, ticker: str, before: str, after: str, kind: str) -> None:
        market = self.markets.get(ticker)
        if market is not None and market.status == before:
            market.status = after
            self._tell(ticker, kind, None, None)

    def _tell(self, ticker: str, kind: str, open_ts: float | None, close_ts: float | None) -> None:
        for feed in self.feeds:
            feed.append(LifecycleEvent(ticker, kind, open_ts, close_ts))

    def _row(self, ticker: str) -> MarketRow | None:
        market = self.markets.get(ticker)
        if market is None:
            return None
        times = (datetime.fromtimestamp(moment, UTC) for moment in (market.open_ts, market.close_ts))
        return MarketRow(ticker, market.status, *times)
