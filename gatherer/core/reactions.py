"""What each error code of the exchange means for us (protocol section 3, "Errors")."""

from enum import Enum


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
