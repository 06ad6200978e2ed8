"""Tells twistd of gatherer."""

from twisted.application.service import ServiceMaker

gatherer = ServiceMaker(
    "Kalshi gatherer",
    "gatherer.tap",
    "Captures every message of the Kalshi exchange.",
    "gatherer",
)
