"""Which markets exist and which are to be carried: REST walks, lifecycle events, timers and look-ups.

The decisions are made in `gatherer.core.markets`; here are the requests and the timers around them. Rows come from
`IExchangeRest`, events from the pool, and the changes go to an `IMarketChangeListener`. It knows no connection.
"""

from gatherer.registry.registry import MarketRegistry

__all__ = ["MarketRegistry"]
