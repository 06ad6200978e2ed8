"""A gatherer with its own exchange, its pages on a port, and a browser for them."""

import socket
from typing import Any

from gatherer.config.settings import PoolSettings
from tests.browser.chrome import Chrome
from tests.support.loopback_service import LoopbackService


class Stage(LoopbackService):
    """`loopback` with `chrome`; `url` is the status page's."""

    def __init__(self, reactor: Any, directory: str, markets: int, rate: float, pool: PoolSettings) -> None:
        super().__init__(reactor, directory, markets, rate, pool)
        self.chrome = Chrome(reactor)
        with socket.socket() as free:  # pages that come back need the same port
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.web_listen = f"tcp:{port}:interface=127.0.0.1"
        self.url = f"http://127.0.0.1:{port}/"

    @property
    def web(self) -> Any:
        """The service of the pages."""
        return self.gatherer.getServiceNamed("web")

    async def close(self) -> None:
        """Close the browser first."""
        await self.chrome.close()
        await super().close()

    def session(self, conn_id: int) -> int:
        """The exchange's number for the socket of a connection that carries a market."""
        connection = self.gatherer.manager.connections()[conn_id - 1]
        session: int = self.exchange.subscribed()[next(iter(connection.wanted))][0]
        return session
