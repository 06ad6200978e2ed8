"""The contracts of the seams, and the values that pass them. Nothing of ours is imported here.

A contract says what fires, what fails and in which unit. `RawMessage`, `Marker` and `MarketChange` are the values of
`gatherer.core.messages`. Every Deferred a method returns belongs to the caller.
"""

from gatherer.interfaces.pool import IConnection, IConnectionManager, IConnectionOwner, IPoolAdmin
from gatherer.interfaces.registry import IExchangeRest, IMarketChangeListener, IMarketRegistry
from gatherer.interfaces.router import IMessageRouter
from gatherer.interfaces.subscriptions import IAllocator, ICommandCorrelator, ISequenceTracker

__all__ = [
    "IAllocator",
    "ICommandCorrelator",
    "IConnection",
    "IConnectionManager",
    "IConnectionOwner",
    "IExchangeRest",
    "IMarketChangeListener",
    "IMarketRegistry",
    "IMessageRouter",
    "IPoolAdmin",
    "ISequenceTracker",
]  # fmt: skip
