"""One channel on one socket: its sid, its numbers, its markets. Pure."""

from collections.abc import Callable

from gatherer.simulator.feed.faults import Faults
from gatherer.simulator.feed.wire import UNNUMBERED, data
from gatherer.simulator.markets.market import SimulatedMarket


class Subscription:
    """A sid. It ends by `unsubscribe`, by a terminal error, or with its socket."""

    __slots__ = (
        "_faults", "_numbered", "_seq", "channel", "everything", "live", "markets", "session_id", "sid", "transmit",
        "use_yes_price",
    )  # fmt: skip

    def __init__(
        self,
        session_id: int,
        transmit: Callable[[bytes], None],
        sid: int,
        channel: str,
        use_yes_price: bool,
        faults: Faults,
    ) -> None:
        self.session_id = session_id
        self.transmit = transmit
        """Writes one message to the socket of the session."""
        self.sid = sid
        self.channel = channel
        self.everything = False
        """Whether it covers all markets, new ones included."""
        self.use_yes_price = use_yes_price
        self.markets: dict[str, SimulatedMarket | None] = {}
        """The markets asked for, in that order; None for a ticker that does not exist."""
        self.live = True
        self._seq = 0
        self._numbered = channel not in UNNUMBERED
        self._faults = faults

    def wants(self, market: SimulatedMarket) -> bool:
        """Whether a data message about the market goes to this subscription."""
        return self.everything or market.ticker in self.markets

    def send(self, kind: str, body: str) -> None:
        """Send one data message, with a number if the channel has numbers."""
        self.transmit(data(kind, self.sid, self.next_seq() if self._numbered else None, body))

    def next_seq(self) -> int:
        """The number of the next message; a scripted fault can make it skip or repeat."""
        if self._faults.has_seq_steps:
            self._seq = max(0, self._seq + self._faults.next_seq_step(self._seq))
        self._seq += 1
        return self._seq
