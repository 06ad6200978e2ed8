"""The generator as a child process, at the end of a pipe, on a core of its own when there is one."""

import contextlib
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import monotonic_ns, process_time
from typing import Any

from benchmarks.cores import GENERATOR, pin
from benchmarks.load.certificates import server_context
from benchmarks.load.messages import frames
from benchmarks.load.peer import Peer
from benchmarks.load.server import Server

PATIENCE = 60.0
"""Seconds for everything but the measurement itself."""


@dataclass(frozen=True, slots=True)
class Blast:
    """Everything at once: so many messages to each client, as fast as they take it."""

    connections: int
    each: int
    size: int
    certificates: Path | None
    """Folder of the certificates; None for plain TCP."""

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


Job = Any
"""What has a `run`; it says its port first."""


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


def serve(pipe: Any, job: Job) -> None:
    """The child."""
    pin(GENERATOR)
    with contextlib.suppress(EOFError):  # the parent gave up
        job.run(pipe)


class Generator:
    """The parent's handle of a generator. A context manager: the child ends with it."""

    def __init__(self, job: Job) -> None:
        context = get_context("spawn")  # a fork would share the parent's reactor, if it has one
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, job), daemon=True)
        self._process.start()
        theirs.close()
        self.port: int = self.hear()

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *exception: object) -> None:
        self._pipe.close()
        self._process.join(2)
        self._process.kill()

    def say(self, what: Any) -> None:
        """Tell the child."""
        self._pipe.send(what)

    def hear(self, patience: float = PATIENCE) -> Any:
        """What the child says next; TimeoutError when it says nothing."""
        if not self._pipe.poll(patience):
            raise TimeoutError(f"the load generator says nothing for {patience} s")
        return self._pipe.recv()

    def expect(self, word: str, patience: float = PATIENCE) -> None:
        """Wait until the child says just that."""
        if (said := self.hear(patience)) != word:
            raise ValueError(f"the load generator says {said!r}, not {word!r}")
