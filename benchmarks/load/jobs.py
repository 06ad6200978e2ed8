"""What a generator can send. Everything is prepared, and encrypted, before the clock starts."""

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

MAX_WAIT = 60.0
"""Seconds the clients have to open."""


@dataclass(frozen=True, slots=True)
class Blast:
    """A number of messages to each client, as fast as the clients take them."""

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
        """Listen, prepare, wait for the start, send; then wait until the parent is done."""
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
    """A number of messages a second, each to a random client, for a number of seconds."""

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
        """As `Blast`; reports the client and the send time of each message."""
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
    """Listen, and send the port to the parent."""
    server = Server(None if certificates is None else server_context(certificates))
    pipe.send(server.port)
    return server


def await_clients(server: Server, connections: int) -> None:
    """Wait until this many upgrades are answered."""
    end = monotonic_ns() + MAX_WAIT * 1e9
    while len(server.open) < connections or any(peer.waiting for peer in server.open):
        server.poll(0.1)
        if monotonic_ns() > end:
            raise TimeoutError(f"{len(server.open)} of {connections} clients after {MAX_WAIT} s")


def encrypt(peer: Peer, stream: list[bytes]) -> bytearray:
    """One record a frame, as the servers of the exchange write them. No other record may be sent before these."""
    sealed, wrap = bytearray(), peer.layer.wrap
    for message in stream:
        sealed += wrap(message)
    return sealed


def linger(server: Server, pipe: Any) -> None:
    """Keep the sockets open until the parent closes its end."""
    server.listen_to(pipe)
    while not pipe.poll():
        server.poll(1.0)
