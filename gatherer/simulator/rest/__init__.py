"""The REST answers of the simulated exchange, without HTTP: a path and a query go in, a status and JSON come out.

Pure. It reads the markets and changes nothing; signatures, rate limits and sockets belong to `server`.
"""

from gatherer.simulator.rest.api import RestApi, SimulatedAnswer

__all__ = ["RestApi", "SimulatedAnswer"]
