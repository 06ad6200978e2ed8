"""One channel on one socket: its sid, its numbers, its markets. Pure."""

from typing import TYPE_CHECKING

from gatherer.simulator.markets.market import Market

if TYPE_CHECKING:
    from gatherer.simulator.feed.faults import Faults
    from gatherer.simulator.feed.session import Session

BOOKS = "orderbook_delta"
TICKER = "ticker"
TRADE = "trade"
LIFECYCLE = "market_lifecycle_v2"
MULTIVARIATE = "multivariate_market_lifecycle"
MARKET_CHANNELS = frozenset((BOOKS, TICKER, TRADE))
"""Channels whose subscriptions can name markets."""
PUBLIC_CHANNELS = frozenset((BOOKS, TICKER, TRADE, LIFECYCLE, MULTIVARIATE))
PRIVATE_CHANNELS = frozenset(("fill", "user_orders", "market_positions", "order_group_updates", "communications"))
"""An account's own affairs. Nobody trades here, so these subscribe cleanly and stay quiet."""
UNNUMBERED = frozenset((TICKER, "fill", "market_positions", "user_orders"))
"""Channels whose data messages carry no seq (protocol section 4); their control messages do."""


class Subscription:
    """A sid. It dies by `unsubscribe`, by a terminal error, or with its socket."""

    __slots__ = ("_faults", "_seq", "channel", "everything", "live", "markets", "session", "sid", "use_yes_price")

    def __init__(self, session: "Session", sid: int, channel: str, use_yes_price: bool, faults: "Faults") -> None:
        self.session = session
        self.sid = sid
        self.channel = channel
        self.everything = False
        """Whether it covers all markets, those to come included."""
        self.use_yes_price = use_yes_price
        self.markets: dict[str, Market | None] = {}
        """The markets asked for, in that order; None for a ticker that does not exist."""
        self.live = True
        self._seq = 0
        self._faults = faults

    def wants(self, market: Market) -> bool:
        """Whether a data message about the market goes to this subscription."""
        return self.everything or market.ticker in self.markets

    def next_seq(self) -> int:
        """The number of the next message; a scripted fault can make it skip or repeat."""
        if self._faults.numbering:
            self._seq = max(0, self._seq + self._faults.disturbance(self._seq))
        self._seq += 1
        return self._seq
