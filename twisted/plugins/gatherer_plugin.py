"""Tells twistd of gatherer, and of the reactor it runs on."""

from twisted.application.reactors import Reactor

from gatherer.daemon.plugin import GathererMaker

gatherer = GathererMaker(
    "Kalshi gatherer",
    "gatherer.app.tap",
    "Captures every message of the Kalshi exchange.",
    "gatherer",
)
lean_epoll = Reactor(
    "lean-epoll", "gatherer.daemon.lean_epoll", "epoll(7) at less cost per event; what gatherer runs on."
)
