"""A gatherer on an exchange of its own, its pages on a port, and a browser that looks at them."""

from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.logger import globalLogPublisher

from gatherer.ops.web import WebService
from gatherer.settings import PoolSettings
from tests.browser.chrome import Chrome
from tests.support.world import World


class Stage(World):
    """`world` with `chrome`; `url` is the status page's."""

    def __init__(self, reactor: Any, directory: str, markets: int, rate: float, pool: PoolSettings) -> None:
        super().__init__(reactor, directory, markets, rate, pool)
        self.chrome = Chrome(reactor)
        self.web: Any = None
        self.port = 0

    @property
    def url(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.port}/"

    async def open(self) -> None:
        """Both sides of the feed, then the pages."""
        await super().open()
        await self.serve()

    async def serve(self) -> None:
        """Open the pages, on the port they had before if there was one."""
        gatherer = self.gatherer
        endpoint = TCP4ServerEndpoint(self.reactor, self.port, interface="127.0.0.1")
        self.web = WebService(
            endpoint, gatherer.manager, gatherer.registry, gatherer.router, self.reactor, globalLogPublisher
        )
        self.web.startService()
        self.port = (await self.web.when_listening()).port

    async def unserve(self) -> None:
        """Close the pages; the feed goes on."""
        web, self.web = self.web, None
        if web is not None:
            await web.stopService()

    async def close(self) -> None:
        """The browser first."""
        await self.chrome.close()
        await self.unserve()
        await super().close()

    def session(self, conn_id: int) -> int:
        """The exchange's number for the socket of a connection that carries a market."""
        connection = self.gatherer.manager.connections()[conn_id - 1]
        session: int = self.exchange.subscribed()[next(iter(connection.wanted))][0]
        return session
