"""What can be asked of the exchange, as values (protocol section 3)."""

from dataclasses import dataclass
from enum import Enum


class Action(Enum):
    """Kinds of command. Those of `update_subscription` have its wire name as value."""

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
    """The subscription it is about; 0 for `SUBSCRIBE`, which has none yet."""


class Reaction(Enum):
    """How a plan takes a rejected command."""

    SUBSCRIPTION_OVER = "the subscription is over and must be made again"
    START_OVER = "we and the exchange disagree about what is subscribed: only a new session has no leftovers"
    UNKNOWN_RESULT = "it may or may not have taken effect: repeat it until it is acknowledged"
    OVER_LIMIT = "no more markets fit on this connection: move the surplus"
    SLOW_DOWN = "too fast, or the exchange has trouble: the same again later and smaller"
    BAD_MARKET = "one of the markets is not accepted: find it and set it aside"


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
"""Codes that end a subscription even when no command asked for anything."""


def reaction_to(code: int) -> Reaction:
    """Codes about the command as a whole, and those nobody knows, are tried again at a slower pace:
    none of them may cost a market its place."""
    return _TABLE.get(code, Reaction.SLOW_DOWN)
