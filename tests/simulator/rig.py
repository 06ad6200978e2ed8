"""A client without a socket, for tests of the pure exchange."""

from typing import Any

import msgspec

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.feed.session import ClientSession

NOW = 1_792_072_800.0
"""Some second in October 2026."""


class Client:
    """Sends commands to a session and keeps every message."""

    def __init__(self, exchange: Exchange, **sockets: Any) -> None:
        self.raw: list[bytes] = []
        self.session: ClientSession = exchange.open_session(self.raw.append, **sockets)
        self._read = 0
        self._id = 0

    def ask(self, cmd: str, **params: Any) -> list[Any]:
        """Send a command with the next id; returns the messages that came at once."""
        self._id += 1
        return self.say({"id": self._id, "cmd": cmd, "params": params})

    def say(self, command: Any) -> list[Any]:
        """Send anything, encoded unless it is bytes; returns the messages that came at once."""
        self.session.receive(command if isinstance(command, bytes) else msgspec.json.encode(command))
        return self.fresh()

    def fresh(self) -> list[Any]:
        """The messages since the last call."""
        new, self._read = self.raw[self._read :], len(self.raw)
        return [msgspec.json.decode(payload) for payload in new]

    def books(self, *tickers: str, **options: Any) -> list[Any]:
        """Subscribe to order books."""
        return self.ask("subscribe", channels=["orderbook_delta"], market_tickers=list(tickers), **options)

    def update(self, action: str, *tickers: str, **options: Any) -> list[Any]:
        """Update the subscription with sid 1."""
        return self.ask("update_subscription", sids=[1], action=action, market_tickers=list(tickers), **options)


def kinds(messages: list[Any]) -> list[str]:
    """The types of the messages."""
    return [message["type"] for message in messages]


def codes(messages: list[Any]) -> list[int]:
    """The codes of the errors among the messages."""
    return [message["msg"]["code"] for message in messages if message["type"] == "error"]


def cents(price: str) -> int:
    """A price text in 1/10000 dollar, exactly."""
    whole, _, fraction = price.partition(".")
    assert len(fraction) == 4, price
    return int(whole) * 10_000 + int(fraction)


def hundredths(count: str) -> int:
    """A count text in 1/100 contract, exactly."""
    assert count[-3] == ".", count
    return int(count.replace(".", ""))


class Replica:
    """The books of a client, built from snapshots and deltas only."""

    def __init__(self) -> None:
        self.books: dict[str, dict[str, dict[int, int]]] = {}

    def apply(self, message: Any) -> None:
        """Apply one message. Ignores messages that are not about an order book."""
        body = message.get("msg")
        if message["type"] == "orderbook_snapshot":
            sides = {side: body.get(f"{side}_dollars_fp", []) for side in ("yes", "no")}
            self.books[body["market_ticker"]] = {
                side: {cents(price): hundredths(count) for price, count in levels} for side, levels in sides.items()
            }
        elif message["type"] == "orderbook_delta":
            side = self.books[body["market_ticker"]][body["side"]]
            price = cents(body["price_dollars"])
            side[price] = side.get(price, 0) + hundredths(body["delta_fp"])
            if not side[price]:
                del side[price]

    def book(self, ticker: str) -> tuple[dict[int, int], dict[int, int]]:
        """(yes, no), as `Exchange.book` has it."""
        return self.books[ticker]["yes"], self.books[ticker]["no"]
