"""Tells twistd of the simulator."""

from twisted.application.service import ServiceMaker

kalshi_simulator = ServiceMaker(
    "Kalshi simulator",
    "gatherer.simulator.tap",
    "A Kalshi-compatible exchange on this machine, for demos and tests.",
    "kalshi-simulator",
)
