"""The registry over the real REST client against the simulated exchange, on loopback sockets."""

from collections.abc import Iterator, Sequence
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from zope.interface import implementer

from gatherer.exchange.auth import Signer
from gatherer.exchange.rest.client import RestClient
from gatherer.exchange.rest.http import make_http_client
from gatherer.interfaces import IMarketChangeListener
from gatherer.registry.registry import MarketRegistry
from gatherer.values import Change, MarketChange, MarketRow
from tests.simulator.loopback import LoopbackCase
from tests.support.wall import wall_of


@implementer(IMarketChangeListener)
class Follower:
    """Remembers the changes."""

    def __init__(self) -> None:
        self.tickers: set[str] = set()

    def markets_changed(self, changes: Sequence[MarketChange]) -> None:
        """In order."""
        for change in changes:
            if change.change is not Change.REFRESH:
                (self.tickers.add if change.change is Change.ADD else self.tickers.discard)(change.ticker)

    def carries(self, ticker: str) -> bool:
        return ticker in self.tickers

    def carried(self) -> Iterator[str]:
        return iter(set(self.tickers))


class RegistryOverRestTests(LoopbackCase):
    """Signatures, paging, filters and look-ups as the simulator understands them."""

    MARKETS = 50

    def setUp(self) -> Any:
        """A client with pages of 7, so that a walk has several."""
        return super().setUp().addCallback(self._connect)

    def _connect(self, _: object) -> None:
        http = make_http_client(self.reactor)
        base = f"http://127.0.0.1:{self.rest_port}/trade-api/v2"
        self.rest = RestClient(http, base, Signer("key", self.key), self.clock, wall_of(self.clock), page_size=7)
        self.addCleanup(self.rest.close)

    async def moving(self, awaited: Deferred[Any]) -> Any:
        """Wait for real sockets. The clock stands still, because signatures would expire on a busy machine."""
        while not awaited.called:
            self.clock.advance(0)
            await deferLater(self.reactor, 0)
        return await awaited

    async def list(self, **filters: Any) -> list[MarketRow]:
        """One listing, whole."""
        return [row async for page in self.rest.markets(**filters) for row in page]

    def test_walk(self) -> Deferred[None]:
        """After the first walk exactly the markets that the exchange lists as open are carried."""

        async def scenario() -> None:
            follower, registry = Follower(), MarketRegistry(self.rest, self.clock, wall_of(self.clock))
            active = await self.moving(registry.start(follower))
            rows = await self.moving(Deferred.fromCoroutine(self.list(status="open")))
            self.assertGreater(active, 7)
            self.assertEqual(follower.tickers, {row.ticker for row in rows})
            self.assertEqual(follower.tickers, registry.active())
            self.assertTrue(registry.status().exchange_active)
            self.assertEqual(registry.status().rest_errors, {})
            await self.moving(registry.stop())

        return ensureDeferred(scenario())

    def test_look_up(self) -> Deferred[None]:
        """Known tickers come back, unknown ones are left out of a listing and None when asked alone."""

        async def scenario() -> None:
            rows = await self.moving(Deferred.fromCoroutine(self.list(status="open")))
            known = [row.ticker for row in rows[:3]]
            found = await self.moving(Deferred.fromCoroutine(self.list(tickers=[*known, "NO-SUCH"])))
            self.assertEqual(sorted(row.ticker for row in found), sorted(known))
            self.assertIsNone(await self.moving(Deferred.fromCoroutine(self.rest.market("NO-SUCH"))))
            self.assertEqual(await self.moving(Deferred.fromCoroutine(self.rest.market(known[0]))), found[0])

        return ensureDeferred(scenario())
