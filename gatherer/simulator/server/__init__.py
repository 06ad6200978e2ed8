"""The sockets of the simulated exchange: signatures, rate limits, the WebSocket upgrade, heartbeats and HTTP.

It decides nothing about markets. Frames go to the session of a socket, REST requests to the `RestApi`, and what they
answer goes out here.
"""

from gatherer.simulator.server.auth import KeyRing, load_public_key
from gatherer.simulator.server.rate_limit import RateLimiter
from gatherer.simulator.server.rest import RestFactory, RestResource
from gatherer.simulator.server.websocket import SimulatorFactory, SocketSettings

__all__ = [
    "KeyRing",
    "RateLimiter",
    "RestFactory",
    "RestResource",
    "SimulatorFactory",
    "SocketSettings",
    "load_public_key",
]
