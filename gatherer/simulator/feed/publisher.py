"""Where sessions and markets meet: who gets which message. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Protocol

from gatherer.simulator.feed import wire
from gatherer.simulator.feed.faults import Faults, FaultySession
from gatherer.simulator.feed.subscription import Subscription
from gatherer.simulator.feed.wire import TICKER, TRADE
from gatherer.simulator.markets.book import DOLLAR, Book, Drawers
from gatherer.simulator.markets.listing import Listing
from gatherer.simulator.markets.market import OVER, Market


class Scheduler(Protocol):
    """The part of `IReactorTime` that is needed here."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> Any:
        """Call something later; seconds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a subscription may ask for (protocol section 3, "Limits")."""

    markets_per_subscription: int = 500_000
    """Error 26 above it."""
    commands_per_second: int = 10_000
    """Error 27 above it, per session."""
    snapshots_per_turn: int = 1_000
    """Books written in one go; the rest of a big batch follows in later turns."""


class Publisher:
    """Sessions, their subscriptions, and the way of a message to them."""

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
        self.drawers = Drawers(random)
        self.held: list[Market] = []
        """Markets whose order book somebody holds, in no order."""
        self.on_sent: Callable[[int, bytes], None] | None = None
        self._clock = clock
        self._channels: dict[str, list[Subscription]] = {}
        self._delayed: set[Any] = set()

    def opened(self, sub: Subscription) -> None:
        """A subscription begins."""
        self._channels.setdefault(sub.channel, []).append(sub)

    def dropped(self, sub: Subscription) -> None:
        """A subscription ends."""
        self._channels[sub.channel].remove(sub)
        for market in sub.markets.values():
            if market is not None:
                self.release(sub, market)

    def hold(self, sub: Subscription, market: Market) -> None:
        """From now on the market's deltas go to the subscription too."""
        if sub in market.holders:
            return
        market.holders += (sub,)
        if market.held_at < 0:
            market.held_at = len(self.held)
            self.held.append(market)

    def release(self, sub: Subscription, market: Market) -> None:
        """No more deltas of the market on the subscription."""
        if sub not in market.holders:
            return
        market.holders = tuple(holder for holder in market.holders if holder is not sub)
        if not market.holders:
            last = self.held.pop()
            if last is not market:
                self.held[market.held_at] = last
                last.held_at = market.held_at
            market.held_at = -1

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after some seconds; at once when the exchange has no clock."""
        if self._clock is None:
            action()
            return

        def act() -> None:
            self._delayed.discard(call)
            action()

        call = self._clock.callLater(seconds, act)
        self._delayed.add(call)

    def cancel_delayed(self) -> None:
        """Forget all that was to be done later: no timer is left."""
        delayed, self._delayed = self._delayed, set()
        for call in delayed:
            call.cancel()

    def book(self, market: Market) -> Book:
        """The market's book, to read."""
        return self.drawers.book(market.index) if market.book is None else market.book

    def own_book(self, market: Market) -> Book:
        """The market's book, to change: from now on its own."""
        if market.book is None:
            market.book = self.drawers.book(market.index).copy()
        return market.book

    def snapshot(self, sub: Subscription, market: Market, command_id: int | None = None) -> bytes:
        """The market's whole book, as one subscription sees it. Takes a number."""
        book = market.book
        mirrored = sub.use_yes_price
        ladders = self.drawers.ladders(market.index, mirrored) if book is None else book.ladders(mirrored)
        return wire.snapshot(market, ladders, sub.sid, sub.next_seq(), command_id)

    def change_level(self, market: Market, side: str, price: int, delta: int) -> int:
        """Change a book and tell its holders. Returns how many messages that took."""
        self.own_book(market).add(side, price, delta)
        holders = market.holders
        if holders and self.faults.freezing:
            holders = tuple(sub for sub in holders if not self.faults.is_frozen(sub.session_id))
        if not holders:
            return 0
        body = wire.delta_body(market, side, price, delta, self._stamp())
        for sub in holders:
            if sub.use_yes_price and side == "no":
                own = wire.delta_body(market, side, DOLLAR - price, delta, self._stamp())
                sub.send("orderbook_delta", own)
            else:
                sub.send("orderbook_delta", body)
        return len(holders)

    def _stamp(self) -> str:
        """The two times of a delta. Their deprecated text form has microseconds, the number milliseconds."""
        text = datetime.fromtimestamp(self.now, UTC).isoformat(timespec="microseconds")[:-6]
        return f'"ts":"{text}Z","ts_ms":{self.ms}'

    @property
    def ms(self) -> int:
        """Unix time in milliseconds."""
        return int(self.now * 1000)

    def publish(self, channel: str, kind: str, body: str, market: Market | None = None) -> int:
        """Send one message to everybody on a channel who wants it. Returns how many messages that took."""
        count = 0
        for sub in tuple(self._channels.get(channel, ())):
            if self.faults.freezing and self.faults.is_frozen(sub.session_id):
                continue
            if market is None or sub.wants(market):
                sub.send(kind, body)
                count += 1
        return count

    def has_audience(self, channel: str) -> bool:
        """Whether anybody is subscribed to a channel."""
        return bool(self._channels.get(channel))

    def publish_trade(self, market: Market, number: int, side: str, price: int, count: int) -> int:
        """Tell of a trade. Returns how many messages that took."""
        if not self.has_audience(TRADE):
            return 0
        return self.publish(TRADE, "trade", wire.trade_body(market, number, side, price, count, self.ms), market)

    def publish_ticker(self, market: Market) -> int:
        """Tell of a market's figures. Returns how many messages that took."""
        if not self.has_audience(TICKER):
            return 0
        return self.publish(TICKER, "ticker", self._ticker(market), market)

    def tickers_at_once(self, sub: Subscription, tickers: Iterable[str]) -> None:
        """The figures of some markets, for one subscription that asked for them to begin with."""
        for ticker in tickers:
            market = self.listing.get(ticker)
            if market is not None and market.status not in OVER:
                sub.send("ticker", self._ticker(market))

    def _ticker(self, market: Market) -> str:
        time = datetime.fromtimestamp(self.now, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        return wire.ticker_body(market, self.book(market), self.ms, time)
