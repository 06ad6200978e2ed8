"""The WebSocket side of the simulated exchange, without sockets: sessions, commands, messages, faults.

Pure: time, randomness and the way to a socket are arguments. Commands come from `server` as JSON text; messages leave
through the `send` function of each session. `wire` alone knows how a message is written.
"""

from gatherer.simulator.feed.faults import Faults
from gatherer.simulator.feed.lifecycle import LifecycleError
from gatherer.simulator.feed.publisher import Limits
from gatherer.simulator.feed.session import ClientSession

__all__ = ["ClientSession", "Faults", "LifecycleError", "Limits"]
