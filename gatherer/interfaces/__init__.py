"""The contracts of the seams, and the frozen values that pass them: messages, statuses, verdicts.

A contract says what fires, what fails and in which unit. Every Deferred a method returns belongs to the caller. Nothing
of ours but `errors` is imported here, so that every package may import this one.
"""

from gatherer.interfaces.health import ComponentHealth, HealthStatus, Readiness
from gatherer.interfaces.pool import IConnection, IConnectionManager, IConnectionOwner, IPoolAdmin
from gatherer.interfaces.registry import IExchangeRest, IMarketChangeListener, IMarketRegistry
from gatherer.interfaces.router import IMessageRouter
from gatherer.interfaces.status import ConnectionStatus, GathererStatus, PoolStatus, RegistryStatus, RouterStatus
from gatherer.interfaces.subscriptions import IAllocator, ICommandCorrelator

__all__ = [
    "ComponentHealth",
    "ConnectionStatus",
    "GathererStatus",
    "HealthStatus",
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
    "PoolStatus",
    "Readiness",
    "RegistryStatus",
    "RouterStatus",
]  # fmt: skip
