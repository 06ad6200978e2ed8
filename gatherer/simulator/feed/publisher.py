"""Sends each change of a market to the subscriptions that want it. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Protocol

from gatherer.simulator.feed import wire
from gatherer.simulator.feed.faults import Faults, FaultySession
from gatherer.simulator.feed.subscription import Subscription
from gatherer.simulator.feed.wire import BOOKS, TICKER, TRADE
from gatherer.simulator.markets.book import DOLLAR, Book, SharedBooks
from gatherer.simulator.markets.listing import Listing
from gatherer.simulator.markets.market import OVER, SimulatedMarket
from gatherer.simulator.markets.trades import TradeLog


class ScheduledCall(Protocol):
    """The part of `IDelayedCall` that is needed here."""

    def cancel(self) -> None:
        """Do not call."""


class Scheduler(Protocol):
    """The part of `IReactorTime` that is needed here."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> ScheduledCall:
        """Call something after some seconds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a client may ask for (protocol section 3, "Limits")."""

    markets_per_subscription: int = 500_000
    """Error 26 above it."""
    commands_per_second: int = 10_000
    """For each session; error 27 above it."""
    snapshots_per_turn: int = 1_000
    """Books written at once; the rest of a big batch follows in later reactor turns."""


class Publisher:
    """Knows the subscriptions by channel and by market, changes books and sends messages."""

    def __init__(
        self,
        listing: Listing,
        sessions: Mapping[int, FaultySession],
        random: Random,
        now: float,
        clock: Scheduler | None,
        limits: Limits,
    ) -> None:
        self.listing = listing
        self.now = now
        """Unix time in seconds."""
        self.limits = limits
        self.faults = Faults(sessions, random, lambda: self.now)
        self.shared_books = SharedBooks(random)
        self.trades = TradeLog()
        """Trades are recorded even if no client hears of them."""
        self.held: list[SimulatedMarket] = []
        """Markets whose order book a subscription holds, in no order."""
        self.on_sent: Callable[[int, bytes], None] | None = None
        """See `Exchange.on_sent`."""
        self._clock = clock
        self._channels: dict[str, list[Subscription]] = {}
        self._delayed: set[ScheduledCall] = set()

    def add(self, sub: Subscription) -> None:
        """A subscription has begun."""
        self._channels.setdefault(sub.channel, []).append(sub)

    def remove(self, sub: Subscription) -> None:
        """A subscription has ended."""
        self._channels[sub.channel].remove(sub)
        for market in sub.markets.values():
            if market is not None:
                self.release(sub, market)

    def hold(self, sub: Subscription, market: SimulatedMarket) -> None:
        """Start to send the market's deltas to the subscription."""
        if sub in market.holders:
            return
        market.holders += (sub,)
        if market.held_at < 0:
            market.held_at = len(self.held)
            self.held.append(market)

    def release(self, sub: Subscription, market: SimulatedMarket) -> None:
        """Stop sending the market's deltas to the subscription."""
        if sub not in market.holders:
            return
        market.holders = tuple(holder for holder in market.holders if holder is not sub)
        if not market.holders:
            last = self.held.pop()
            if last is not market:
                self.held[market.held_at] = last
                last.held_at = market.held_at
            market.held_at = -1

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something after some seconds, or at once if the exchange has no clock."""
        if self._clock is None:
            action()
            return

        def act() -> None:
            self._delayed.discard(call)
            action()

        call = self._clock.callLater(seconds, act)
        self._delayed.add(call)

    def cancel_delayed(self) -> None:
        """Cancel every delayed action."""
        delayed, self._delayed = self._delayed, set()
        for call in delayed:
            call.cancel()

    def book(self, market: SimulatedMarket) -> Book:
        """The market's book, to read."""
        return self.shared_books.book(market.index) if market.book is None else market.book

    def own_book(self, market: SimulatedMarket) -> Book:
        """The market's book, to change. The market gets its own if it shares one."""
        if market.book is None:
            market.book = self.shared_books.book(market.index).copy()
        return market.book

    def snapshot(self, sub: Subscription, market: SimulatedMarket, command_id: int | None = None) -> bytes:
        """The market's whole book, as one subscription sees it. Takes a seq."""
        book = market.book
        mirrored = sub.use_yes_price
        ladders = self.shared_books.ladders(market.index, mirrored) if book is None else book.ladders(mirrored)
        return wire.snapshot(market, ladders, sub.sid, sub.next_seq(), command_id)

    def change_level(self, market: SimulatedMarket, side: str, price: int, delta: int) -> int:
        """Change a book and send the delta to its holders. Returns the number of messages sent."""
        self.own_book(market).add(side, price, delta)
        holders = market.holders
        if holders and self.faults.has_frozen:
            holders = tuple(sub for sub in holders if not self.faults.is_frozen(sub.session_id))
        if not holders:
            return 0
        body = wire.delta_body(market, side, price, delta, self._stamp())
        for sub in holders:
            if sub.use_yes_price and side == "no":
                sub.send(BOOKS, wire.delta_body(market, side, DOLLAR - price, delta, self._stamp()))
            else:
                sub.send(BOOKS, body)
        return len(holders)

    def _stamp(self) -> str:
        """The two times of a delta. The deprecated text has microseconds, the number milliseconds."""
        text = datetime.fromtimestamp(self.now, UTC).isoformat(timespec="microseconds")[:-6]
        return f'"ts":"{text}Z","ts_ms":{self.ms}'

    @property
    def ms(self) -> int:
        """Unix time in milliseconds."""
        return int(self.now * 1000)

    def publish(self, channel: str, kind: str, body: str, market: SimulatedMarket | None = None) -> int:
        """Send one message to the subscriptions of a channel that want it. Returns the number of messages sent."""
        count = 0
        for sub in tuple(self._channels.get(channel, ())):
            if self.faults.has_frozen and self.faults.is_frozen(sub.session_id):
                continue
            if market is None or sub.wants(market):
                sub.send(kind, body)
                count += 1
        return count

    def has_audience(self, channel: str) -> bool:
        """Whether any session is subscribed to a channel."""
        return bool(self._channels.get(channel))

    def publish_trade(self, market: SimulatedMarket, taker: str, price: int, count: int) -> int:
        """Record a trade and send it. Returns the number of messages sent."""
        trade = self.trades.record(market, taker, price, count, self.ms)
        if not self.has_audience(TRADE):
            return 0
        return self.publish(TRADE, TRADE, wire.trade_body(trade), market)

    def publish_ticker(self, market: SimulatedMarket) -> int:
        """Send a market's figures. Returns the number of messages sent."""
        if not self.has_audience(TICKER):
            return 0
        return self.publish(TICKER, TICKER, self._ticker(market), market)

    def send_tickers(self, sub: Subscription, tickers: Iterable[str]) -> None:
        """Send the figures of some markets to one subscription, which asked for an initial snapshot."""
        for ticker in tickers:
            market = self.listing.get(ticker)
            if market is not None and market.status not in OVER:
                sub.send(TICKER, self._ticker(market))

    def _ticker(self, market: SimulatedMarket) -> str:
        time = datetime.fromtimestamp(self.now, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        return wire.ticker_body(market, self.book(market), self.ms, time)
