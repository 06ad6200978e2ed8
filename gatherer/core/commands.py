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
