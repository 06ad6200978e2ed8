"""Random market data: mostly deltas, some trades and tickers. Pure."""

from random import Random

from gatherer.simulator.feed.publisher import Publisher
from gatherer.simulator.markets.book import DOLLAR, MAX_LEVELS, price_below
from gatherer.simulator.markets.market import SimulatedMarket, Status

DELTAS = 0.8
"""The share of changed levels; the rest is half trades, half tickers."""


class Traffic:
    """Makes random market data for active markets; deltas go to held markets if there are any."""

    def __init__(self, publisher: Publisher, random: Random) -> None:
        self._publisher = publisher
        self._draw = random.random

    def emit(self, count: int) -> int:
        """Make so many random events. Returns the number of messages sent."""
        sent = 0
        for _ in range(count):
            kind = self._draw()
            market = self._any_held() if kind < DELTAS else self._any_active()
            if market is None:
                continue
            if kind < DELTAS:
                sent += self.change(market)
            elif kind < (1 + DELTAS) / 2:
                sent += self._trade(market)
            else:
                sent += self._publisher.publish_ticker(market)
        return sent

    def _any_active(self) -> SimulatedMarket | None:
        listing = self._publisher.listing
        indexes = listing.with_status(Status.ACTIVE)
        return listing.markets[indexes[int(self._draw() * len(indexes))]] if indexes else None

    def _any_held(self) -> SimulatedMarket | None:
        """An active market that a subscription holds; any active market if four draws find none."""
        held = self._publisher.held
        for _ in range(4 if held else 0):
            market = held[int(self._draw() * len(held))]
            if market.status is Status.ACTIVE:
                return market
        return self._any_active()

    def change(self, market: SimulatedMarket) -> int:
        """Add, enlarge, shrink or remove a level."""
        book = self._publisher.own_book(market)
        side, limit = ("yes", book.middle) if self._draw() < 0.5 else ("no", DOLLAR - book.middle)
        price = price_below(limit, int(self._draw() * MAX_LEVELS))
        resting = book.side(side).get(price, 0)
        choice = self._draw()
        if not resting or choice < 0.4:
            delta = 25 + 25 * int(self._draw() * 2_000)
        else:
            delta = -resting if choice < 0.6 else -max(1, int(self._draw() * resting))
        return self._publisher.change_level(market, side, price, delta)

    def _trade(self, market: SimulatedMarket) -> int:
        """Let a taker meet the best bid of one side: the level shrinks and a trade is published."""
        book = self._publisher.own_book(market)
        maker, taker = ("yes", "no") if self._draw() < 0.5 else ("no", "yes")
        side = book.side(maker)
        if not side:
            return self.change(market)
        best = max(side)
        count = min(side[best], 100 + 100 * int(self._draw() * 50))
        book.last, book.last_count = (best if maker == "yes" else DOLLAR - best), count
        book.volume += count
        sent = self._publisher.change_level(market, maker, best, -count)
        return sent + self._publisher.publish_trade(market, taker, book.last, count)
