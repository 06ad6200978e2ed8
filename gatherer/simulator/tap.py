"""`twistd kalshi-simulator`: puts the parts together. Only this module of the package imports the reactor."""

import gc
from collections.abc import Mapping
from time import time
from typing import Any

from twisted.application.service import IService
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.python.failure import Failure

from gatherer.daemon.program import OneLineUsageErrors, Program
from gatherer.daemon.signals import fail, give_up, stop_on_signals
from gatherer.errors import ConfigError
from gatherer.simulator.exchange import Exchange
from gatherer.simulator.feed.publisher import Limits
from gatherer.simulator.options import SimulatorOptions
from gatherer.simulator.server.auth import load_public_key
from gatherer.simulator.service import SimulatorService

PROGRAM = "kalshi-simulator"
Reactor = Any
"""No single interface has all that is used: time, endpoints, `running`."""


class ProgramOptions(OneLineUsageErrors, SimulatorOptions):
    """The same options. A mistake gives one line on stderr."""

    program = PROGRAM


Options = ProgramOptions
"""twistd looks for this name."""


class Simulator(Program):
    """The simulator as a program. It ends if it cannot listen."""

    def __init__(self, simulator: SimulatorService, reactor: Reactor, options: Mapping[str, object]) -> None:
        super().__init__(PROGRAM, options)
        self._simulator = simulator
        self._reactor = reactor
        simulator.setServiceParent(self)

    def startService(self) -> None:
        """Start. A port that is in use ends the program, if possible before the reactor runs."""
        super().startService()
        outcome: list[Failure] = []
        self._simulator.when_listening().addErrback(self._refused, outcome)
        if outcome:
            self.give_up(outcome[0].getErrorMessage())

    def _refused(self, failure: Failure, outcome: list[Failure]) -> None:
        outcome.append(failure)
        if self._reactor.running:
            fail(self._reactor)  # the service has logged why


def _endpoint(options: SimulatorOptions, name: str, reactor: Reactor) -> IStreamServerEndpoint:
    try:
        return serverFromString(reactor, options[name])
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"--{name}: {options[name]!r} is not an endpoint: {error}") from error


def build(options: SimulatorOptions, reactor: Reactor) -> SimulatorService:
    """All parts of the simulator. Raises ConfigError for an unusable key file or endpoint."""
    websocket, rest = (_endpoint(options, name, reactor) for name in ("websocket", "rest"))
    keys = {options["key-id"]: load_public_key(options["public-key"])}
    exchange = Exchange(
        options["markets"],
        options["seed"],
        time(),
        unopened=options["unopened"],
        multivariate=options["multivariate"],
        churn=options["churn"],
        clock=reactor,
        limits=Limits(options["market-limit"], options["command-rate"]),
    )
    return SimulatorService(
        reactor,
        exchange,
        websocket,
        rest,
        keys,
        options["rate"],
        options["heartbeat"],
        connections=options["connections"],
        buffer_bytes=options["buffer-bytes"],
        rest_tokens=options["rest-tokens"],
        rest_burst=options["rest-burst"],
        rest_must_sign=bool(options["rest-auth"]),
        compression=bool(options["compression"]),
        faults=options.faults,
        now=time,
    )


def makeService(options: SimulatorOptions) -> IService:
    """What twistd runs."""
    from twisted.internet import reactor

    try:
        simulator = build(options, reactor)
    except ConfigError as error:
        give_up(PROGRAM, error)
    gc.freeze()  # the garbage collector need not visit a million lasting markets
    stop_on_signals(reactor)
    return Simulator(simulator, reactor, options.parent or {})
