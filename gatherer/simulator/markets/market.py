"""Markets and events, small enough for a million of them. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gatherer.simulator.markets.book import Book


class Status(StrEnum):
    """`market.status` of protocol section 6, in the order in which a market goes through them."""

    INITIALIZED = "initialized"
    ACTIVE = "active"
    INACTIVE = "inactive"
    CLOSED = "closed"
    DETERMINED = "determined"
    FINALIZED = "finalized"


OVER = frozenset((Status.DETERMINED, Status.FINALIZED))
"""Such a market accepts subscriptions and sends nothing: no snapshot, no delta (protocol section 3)."""


class BookHolder(Protocol):
    """An order book subscription, as a market knows it."""

    session_id: int
    use_yes_price: bool

    def send(self, kind: str, body: str) -> None:
        """Send one data message."""


PRICE_LEVEL_STRUCTURE = "linear_cent"
PRICE_RANGES = ({"start": "0.0000", "end": "1.0000", "step": "0.0100"},)
"""All markets have a tick of one cent."""


@dataclass(slots=True, eq=False)
class SimulatedEvent:
    """The question that several markets belong to."""

    ticker: str
    series: str
    multivariate: bool = False
    markets: list[int] = field(default_factory=list)
    """Indexes of its markets."""


@dataclass(slots=True, eq=False)
class SimulatedMarket:
    """One market. Its index is its place in the listing; it never changes, and pages are in its order."""

    index: int
    ticker: str
    event: SimulatedEvent
    status: Status
    created_ts: int
    updated_ts: int
    open_ts: int
    close_ts: int
    book: Book | None = None
    """None before the first change: the market then has one of the shared books."""
    holders: tuple[BookHolder, ...] = ()
    """Order book subscriptions that have its snapshot and get its deltas."""
    held_at: int = -1
    """Its place in the publisher's list of held markets; -1 if no subscription holds it."""
    result: str = ""
    """`yes` or `no` once determined."""
    settled_ts: int = 0

    @property
    def market_id(self) -> str:
        """The UUID of protocol section 5."""
        return f"00000000-0000-4000-8000-{self.index:012x}"

    @property
    def title(self) -> str:
        """The question."""
        return f"Will {self.ticker} come true?"

    @property
    def rules(self) -> str:
        """What decides the market."""
        return f"If {self.ticker} comes true, the market resolves to Yes. It is simulated; there is no money in it."

    @property
    def expected_expiration_ts(self) -> int:
        """When the result should be known, in Unix seconds."""
        return self.close_ts + 3_600
