"""The commands of the exchange as values, and the planner's reaction to each error code (protocol section 3)."""

from dataclasses import dataclass
from enum import Enum


class Action(Enum):
    """Kinds of command. For those of `update_subscription` the value is the action's name on the wire."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    ADD = "add_markets"
    DELETE = "delete_markets"
    SNAPSHOT = "get_snapshot"


@dataclass(frozen=True, slots=True)
class Command:
    """One command before it has an id."""

    action: Action
    channel: str
    tickers: tuple[str, ...] = ()
    sid: int = 0
    """The subscription concerned. 0 for `SUBSCRIBE`, which makes one."""

    @property
    def ended_sid(self) -> int:
        """The subscription that it ends as a whole, with markets of it whose acknowledgement was lost; 0 for none."""
        return self.sid if self.action is Action.UNSUBSCRIBE else 0


class Reaction(Enum):
    """What follows from a rejected command."""

    SUBSCRIPTION_OVER = "the subscription is over: make it again"
    START_OVER = (
        "we and the exchange disagree about what is subscribed: only a new session is sure to have no leftovers"
    )
    UNKNOWN_RESULT = "it may or may not have taken effect: repeat it until it is acknowledged"
    OVER_LIMIT = "no more markets fit on this connection: move the surplus"
    SLOW_DOWN = "too fast, or the exchange is not well: repeat it later and smaller"
    BAD_MARKET = "the exchange does not accept one of the markets: find it and set it aside"


_TABLE = {
    7: Reaction.START_OVER,
    10: Reaction.SUBSCRIPTION_OVER,
    25: Reaction.SUBSCRIPTION_OVER,
    18: Reaction.UNKNOWN_RESULT,
    26: Reaction.OVER_LIMIT,
    11: Reaction.BAD_MARKET,
    14: Reaction.BAD_MARKET,
    16: Reaction.BAD_MARKET,  # retired, "market not found"
}

TERMINAL = frozenset({10, 25})
"""Codes that end a subscription even without a command."""


def reaction_to(code: int) -> Reaction:
    """The reaction to a code. Unknown codes, and codes about the command as a whole, are tried again at a slower pace:
    no such code may cost a market its place."""
    return _TABLE.get(code, Reaction.SLOW_DOWN)
