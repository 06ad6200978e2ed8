"""Which markets exist: the registry, what it asks the exchange by REST, and who acts on its decisions."""

from zope.interface import Attribute, Interface


class IMarketChangeListener(Interface):
    """Who acts on the registry's decisions."""

    def markets_changed(changes):
        """Act on a `Sequence[MarketChange]`, in order, before returning. Nothing may be lost or queued."""


class IExchangeRest(Interface):
    """REST as the registry needs it: each request is paced, retried, and given up with `RestError`."""

    errors = Attribute("`Counter` of tries that failed, by endpoint.")

    def exchange_status():
        """Coroutine: the `ExchangeStatus`, also while the exchange is down but says so properly."""

    def markets(status=None, multivariate="exclude", tickers=None):
        """Async iterator of `list[MarketRow]`; `multivariate`: "exclude", "only" or "include"; at most 300 tickers."""

    def market(ticker):
        """Coroutine: the `MarketRow` of one market, or None when the exchange does not know it."""

    def close():
        """Deferred: fires with None when the connections kept for reuse are closed. Idempotent."""


class IMarketRegistry(Interface):
    """The only one who knows which markets exist and which are active."""

    def start(listener):
        """Walk REST, tell the `IMarketChangeListener` of every market to carry, and go on doing so. Deferred: the
        number of active markets after the first whole walk. Retries an exchange in trouble; `stop` cancels it."""

    def stop():
        """Deferred: fires with None when no request and no timer is left. Idempotent."""

    def lifecycle_messages(batch):
        """Take a `list[bytes]` of raw lifecycle messages, perhaps before `start`, perhaps twice (by a pair)."""

    def lifecycle_missed():
        """No lifecycle connection was up for a while: events were lost, so reconcile soon."""

    def market_missed(ticker):
        """A subscribed market never sent its book: look it up, together with others that never did."""

    def active():
        """A set-like view of the tickers to carry now."""

    def describe(ticker):
        """A JSON-ready dict of all that is known of one market, or None for one never heard of."""

    def status():
        """A JSON-ready dict of the figures in docs/metrics.md (`market_registry_*`)."""
