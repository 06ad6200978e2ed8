"""kalshi-simulator as a child process, with commands through a pipe."""

import gc
from time import process_time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import LoopingCall, react

from gatherer.simulator.exchange import Exchange
from gatherer.simulator.feed.session import ClientSession
from gatherer.simulator.feed.wire import BOOKS
from gatherer.simulator.service import SimulatorService

KEY_ID = "bench"
LISTEN_SECONDS = 0.02
"""How often the pipe is looked at."""


def serve(pipe: Any, key: bytes, markets: int, rate: float) -> None:
    """Run until the parent ends. `key` is the raw public key of the client. It first sends its two ports."""
    react(lambda reactor: _open(reactor, pipe, key, markets, rate))


def _open(reactor: Any, pipe: Any, key: bytes, markets: int, rate: float) -> Deferred[Any]:
    exchange = Exchange(markets, now=reactor.seconds(), multivariate=0, clock=reactor)
    gc.freeze()
    endpoints = [TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1") for _ in range(2)]
    simulator = SimulatorService(
        reactor,
        exchange,
        endpoints[0],
        endpoints[1],
        {KEY_ID: Ed25519PublicKey.from_public_bytes(key)},
        rate,
        rest_tokens=20_000.0,
    )
    simulator.startService()
    simulator.when_listening().addCallback(pipe.send)
    done: Deferred[Any] = LoopingCall(_obey, pipe, exchange).start(LISTEN_SECONDS)
    return done.addErrback(lambda failure: failure.trap(EOFError))


def _obey(pipe: Any, exchange: Exchange) -> None:
    while pipe.poll():
        what, number = pipe.recv()
        if what == "cpu":
            pipe.send(process_time())
        elif what == "subscribed":
            pipe.send(sum(len(sessions) == 1 for sessions in exchange.subscribed().values()))
        else:
            victims = [session for session in exchange.sessions.values() if _has_books(session)][:number]
            for session in victims:
                session.cut()
            pipe.send(len(victims))


def _has_books(session: ClientSession) -> bool:
    return session.on_channel(BOOKS) is not None
