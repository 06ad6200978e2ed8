"""gatherer's own path: the real dialler, protocol, client, connection, session and tracker; the router counts.

`gatherer` is what `twistd gatherer` would run; `gatherer@epoll`, `gatherer@asyncio` and `gatherer@uvloop` name a
reactor.
"""

import random
from time import monotonic_ns
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from zope.interface import implementer

from benchmarks.clients.reactors import install, name_of
from benchmarks.clients.work import Sink, Task
from benchmarks.standins import NullRouter
from gatherer.core.wire.codec import decode_envelope
from gatherer.interfaces import IMessageRouter
from gatherer.values import RawMessage

DIAL_RATE = 1000.0


@implementer(IMessageRouter)
class CountingRouter(NullRouter):
    """Takes the batches, and keeps the last message of each connection."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self._took = sink.took
        self.last: dict[int, RawMessage] = {}

    def deliver(self, batch: list[RawMessage]) -> int:
        """See `IMessageRouter`."""
        last = batch[-1]
        self.last[last.conn_id] = last
        self._took(len(batch))
        return 0


@implementer(IMessageRouter)
class TimingRouter(CountingRouter):
    """Also notes when each message arrived."""

    def deliver(self, batch: list[RawMessage]) -> int:
        """See `IMessageRouter`."""
        self._sink.arrivals[batch[0].conn_id - 1].extend([monotonic_ns()] * len(batch))
        return super().deliver(batch)


def run(task: Task, sink: Sink) -> None:
    """See `benchmarks.clients.process`."""
    install(task.variant)
    from twisted.internet import reactor

    loop: Any = reactor
    router = (TimingRouter if task.timed else CountingRouter)(sink)
    manager = _manager(task, router, loop)

    def account() -> dict[str, Any]:
        connections = manager.status().connections
        ends = [decode_envelope(router.last[connection.conn_id].data) for connection in connections]
        return {
            "bytes": sum(connection.bytes_received for connection in connections),
            "gaps": sum(connection.gaps + connection.repeats for connection in connections),
            "last": [envelope.seq for envelope in ends],
            "sids": [envelope.sid for envelope in ends],
            "reactor": name_of(loop),
        }

    def ready(_: object) -> None:
        for _number in range(task.connections):
            sink.opened()

    sink.account = account
    manager.when_ready().addCallback(ready)
    manager.startService()
    loop.run()


def _manager(task: Task, router: Any, reactor: Any) -> Any:
    """The pool as the service builds it, with order book connections only, which want no market."""
    from gatherer.app.builder import Builder
    from gatherer.config.settings import ExchangeSettings, PoolSettings, Settings
    from gatherer.exchange.auth import Signer

    settings = Settings(
        exchange=ExchangeSettings(task.url, "http://127.0.0.1:9", "bench", ca_file=task.ca_file or ""),
        pool=PoolSettings(0, 0, 0, task.connections, task.connections, DIAL_RATE),
    )
    signer = Signer("bench", Ed25519PrivateKey.generate())
    builder = Builder(settings, signer, reactor, random.random, lambda reason: print(reason, flush=True))
    return builder.manager(router, builder.registry(builder.rest()))
