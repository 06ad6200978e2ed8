"""The record of recent trades, which `GET /markets/trades` reads. Pure."""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from gatherer.simulator.markets.market import SimulatedMarket

MAX_TRADES = 100_000
"""Older trades are forgotten."""


class SimulatedTrade(NamedTuple):
    """One trade."""

    number: int
    """Counts the trades of the exchange from 1."""
    market: SimulatedMarket
    taker: str
    """The outcome of the taker: `yes` or `no`."""
    price: int
    """The yes price, in 1/10000 dollar."""
    quantity: int
    """In 1/100 contract."""
    ms: int
    """Unix time in milliseconds."""

    @property
    def trade_id(self) -> str:
        """The UUID of protocol section 5."""
        return f"00000000-0000-4000-9000-{self.number:012x}"


class TradeLog:
    """The last `limit` trades."""

    def __init__(self, limit: int = MAX_TRADES) -> None:
        self._trades: deque[SimulatedTrade] = deque(maxlen=limit)
        self._last = 0

    def record(self, market: SimulatedMarket, taker: str, price: int, quantity: int, ms: int) -> SimulatedTrade:
        """Number a trade and keep it."""
        self._last += 1
        trade = SimulatedTrade(self._last, market, taker, price, quantity, ms)
        self._trades.append(trade)
        return trade

    def up_to(self, number: int) -> Iterator[SimulatedTrade]:
        """The trades with this number or a lower one, the newest first."""
        return islice(reversed(self._trades), max(0, self._last - number), None)
