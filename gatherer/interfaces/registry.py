"""Which markets exist: the registry, what it asks the exchange by REST, and who acts on its decisions."""

from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence, Set
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from gatherer.interfaces.status import RegistryStatus
from gatherer.values import ExchangeStatus, Facts, MarketChange, MarketRow


class IMarketChangeListener(Interface):
    """Acts on the registry's decisions."""

    def markets_changed(changes: Sequence[MarketChange]) -> None:
        """Act on the changes, in order, before returning. Nothing may be lost or queued.

        An exception is logged, and what it lost is passed on again: `carries` and `carried` say what that is.
        """

    def carries(ticker: str) -> bool:
        """Whether a market is carried, or waits for a place."""

    def carried() -> Iterator[str]:
        """All markets for which `carries` is true. They may change between two steps. A ticker may come twice."""


class IExchangeRest(Interface):
    """REST as the registry needs it: each request is paced, retried, and given up with `RestError`."""

    errors: Counter[str] = Attribute("Tries that failed, by endpoint.")

    def exchange_status() -> Coroutine[Any, Any, ExchangeStatus]:
        """The `ExchangeStatus`, also while the exchange is down but says so properly."""

    def markets(
        status: str | None = None, multivariate: str = "exclude", tickers: Sequence[str] | None = None
    ) -> AsyncIterator[list[MarketRow]]:
        """Page by page; `multivariate`: "exclude", "only" or "include"; at most 300 tickers."""

    def market(ticker: str) -> Coroutine[Any, Any, MarketRow | None]:
        """The `MarketRow` of one market, or None when the exchange does not know it."""

    def close() -> Deferred[None]:
        """Deferred: fires with None when the connections kept for reuse are closed. Idempotent."""


class IMarketRegistry(Interface):
    """The only part that knows which markets exist and which are active."""

    def start(listener: IMarketChangeListener) -> Deferred[int]:
        """Walk REST, give the `IMarketChangeListener` every market to carry, and go on doing so. Deferred: the
        number of active markets after the first whole walk. Retries an exchange in trouble; `stop` cancels it."""

    def stop() -> Deferred[None]:
        """Deferred: fires with None when no request and no timer is left. Idempotent."""

    def lifecycle_messages(batch: list[bytes]) -> None:
        """Take raw lifecycle messages, perhaps before `start`, perhaps twice (by a pair)."""

    def lifecycle_missed() -> None:
        """No lifecycle connection was up for a while: events were lost, so reconcile soon."""

    def clock_stepped() -> None:
        """The wall clock jumped: opening and closing times are due by it as it is now."""

    def market_missed(ticker: str) -> None:
        """A subscribed market never sent its book: look it up, together with others that never did."""

    def active() -> Set[str]:
        """A set-like view of the tickers to carry now."""

    def describe(ticker: str) -> Facts | None:
        """A JSON-ready dict of all that is known of one market, or None for one never heard of."""

    def status() -> RegistryStatus:
        """The figures in docs/metrics.md (`market_registry_*`)."""
