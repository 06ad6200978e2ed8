"""One command being carried out. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatherer.simulator import params, wire
from gatherer.simulator.faults import Fate
from gatherer.simulator.subscription import Subscription

if TYPE_CHECKING:
    from gatherer.simulator.floor import Floor
    from gatherer.simulator.session import Session


@dataclass(slots=True)
class Turn:
    """What a command needs while it is carried out."""

    session: "Session"
    floor: "Floor"
    id: int | None
    """What replies carry; None when the client gave none, or 0, which counts as none."""
    params: Any
    fate: Fate

    def reply(self, build: Callable[[], bytes]) -> None:
        """Answer, unless a fault loses or delays it. The number is taken when the answer is sent."""
        if self.fate.delay:
            self.floor.later(self.fate.delay, lambda: self.session.transmit(build()))
        elif not self.fate.lost:
            self.session.transmit(build())

    def acknowledge(self, sub: Subscription, options: dict[str, Any]) -> None:
        """`ok`: the whole list after the change, unless the client does not care for it."""

        def build() -> bytes:
            skip = params.flag(options, "skip_ticker_ack")
            msg = {} if skip else {"market_tickers": list(sub.markets)}
            return wire.reply(self.id, "ok", msg, sub.sid, sub.next_seq())

        self.reply(build)
