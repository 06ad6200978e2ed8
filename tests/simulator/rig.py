"""A client without a socket: what tests of the pure exchange hold in their hand."""

from typing import Any

import msgspec

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.session import Session

NOW = 1_792_072_800.0
"""Some second in October 2026."""


class Client:
    """Speaks to a session and remembers every message, decoded."""

    def __init__(self, exchange: Exchange, **sockets: Any) -> None:
        self.raw: list[bytes] = []
        self.session: Session = exchange.open_session(self.raw.append, **sockets)
        self._read = 0
        self._id = 0

    def ask(self, cmd: str, **params: Any) -> list[Any]:
        """Send a command with the next id; returns what came at once."""
        self._id += 1
        return self.say({"id": self._id, "cmd": cmd, "params": params})

    def say(self, command: Any) -> list[Any]:
        """Send anything, encoded unless it is bytes; returns what came at once."""
        self.session.receive(command if isinstance(command, bytes) else msgspec.json.encode(command))
        return self.news()

    def news(self) -> list[Any]:
        """The messages that came since the last look."""
        fresh, self._read = self.raw[self._read :], len(self.raw)
        return [msgspec.json.decode(payload) for payload in fresh]

    def books(self, *tickers: str, **options: Any) -> list[Any]:
        """Subscribe to order books."""
        return self.ask("subscribe", channels=["orderbook_delta"], market_tickers=list(tickers), **options)
