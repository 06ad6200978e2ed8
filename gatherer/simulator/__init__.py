"""A Kalshi-compatible exchange on loopback, for demos, tests and benchmarks.

`exchange` puts the pure parts together (`markets`, `feed`, `rest`); `server` and `service` put them on sockets. It may
share no code with the service that it tests, because a mistake in shared code would go unnoticed. Its data comes from a
seed, from commands of clients and from scripts; it leaves as WebSocket messages and REST answers.
"""

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.feed import Faults, LifecycleError, Limits
from gatherer.simulator.markets import Status

__all__ = ["Exchange", "Faults", "LifecycleError", "Limits", "Status"]
