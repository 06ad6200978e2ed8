"""What a generator can be asked to send. Everything is prepared, and encrypted, before the clock starts."""

import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic_ns, process_time, sleep
from typing import Any

from benchmarks.load.certificates import server_context
from benchmarks.load.messages import frames
from benchmarks.load.peer import Peer
from benchmarks.load.server import Server

PATIENCE = 60.0
"""Seconds the clients have to open."""


@dataclass(frozen=True, slots=True)
class Blast:
    """Everything at once: so many messages to each client, as fast as they take it."""

    connections: int
    each: int
    size: int
    certificates: Path | None
    """Folder of the certificates; None for plain TCP."""

    @property
    def total(self) -> int:
        """Messages in all."""
        return self.connections * self.each

    def run(self, pipe: Any) -> None:
        """Listen, prepare, wait for the word, send; then stay until the parent is done."""
        server = open_server(self.certificates, pipe)
        await_clients(server, self.connections)
        stream = frames(self.size, self.each)
        whole = memoryview(b"".join(stream)) if self.certificates is None else None
        prepared = [(peer, encrypt(peer, stream) if whole is None else whole) for peer in server.open]
        for peer, data in prepared:
            peer.waiting = memoryview(data)
        pipe.send("prepared")
        assert pipe.recv() == "go"
        size = sum(len(data) for _, data in prepared)
        began, cpu = monotonic_ns(), process_time()
        server.blast()
        pipe.send({"began": began, "bytes": size, "cpu": process_time() - cpu})
        linger(server, pipe)


@dataclass(frozen=True, slots=True)
class Paced:
    """So many messages a second, each to a client drawn by lot, for so many seconds."""

    connections: int
    rate: int
    seconds: float
    size: int
    certificates: Path | None
    tick: float
    """Seconds between two looks at what is due."""

    @property
    def total(self) -> int:
        """Messages in all."""
        return int(self.rate * self.seconds)

    def run(self, pipe: Any) -> None:
        """As `Blast`; tells of each message whose it was and when it was sent."""
        server = open_server(self.certificates, pipe)
        await_clients(server, self.connections)
        lots = random.Random(1).choices(range(self.connections), k=self.total)
        queues = [self._records(peer, sid, lots.count(sid - 1)) for sid, peer in enumerate(server.open, start=1)]
        line = [(server.open[number], next(queues[number])) for number in lots]
        pipe.send("prepared")
        assert pipe.recv() == "go"
        times, cpu = array("q"), process_time()
        began = monotonic_ns()
        while len(times) < len(line):
            due = min(len(line), int((monotonic_ns() - began) * self.rate / 1e9) + 1)
            for peer, record in line[len(times) : due]:
                times.append(monotonic_ns())
                server.send(peer, record)
            server.poll(0.0)
            sleep(max(0.0, self.tick - (monotonic_ns() - began) / 1e9 % self.tick))
        pipe.send({"began": began, "cpu": process_time() - cpu, "sids": [lot + 1 for lot in lots], "times": times})
        linger(server, pipe)

    def _records(self, peer: Peer, sid: int, count: int) -> Iterator[bytes]:
        return iter([peer.layer.wrap(frame) for frame in frames(self.size, count, sid)])


def open_server(certificates: Path | None, pipe: Any) -> Server:
    """Listen, and tell the parent where."""
    server = Server(None if certificates is None else server_context(certificates))
    pipe.send(server.port)
    return server


def await_clients(server: Server, connections: int) -> None:
    """Until so many upgrades are through and answered."""
    end = monotonic_ns() + PATIENCE * 1e9
    while len(server.open) < connections or any(peer.waiting for peer in server.open):
        server.poll(0.1)
        if monotonic_ns() > end:
            raise TimeoutError(f"{len(server.open)} of {connections} clients after {PATIENCE} s")


def encrypt(peer: Peer, stream: list[bytes]) -> bytearray:
    """One record a frame, as the exchange's servers write them. Nothing else may be sent before it."""
    sealed, wrap = bytearray(), peer.layer.wrap
    for message in stream:
        sealed += wrap(message)
    return sealed


def linger(server: Server, pipe: Any) -> None:
    """Keep the sockets until the parent closes its end."""
    server.listen_to(pipe)
    while not pipe.poll():
        server.poll(1.0)
