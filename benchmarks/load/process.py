"""The generator as a child process behind a pipe, on its own core if there is one."""

import contextlib
from multiprocessing import get_context
from typing import Any

from benchmarks.cores import GENERATOR, pin

MAX_WAIT = 60.0
"""Seconds for everything but the measurement itself."""


Job = Any
"""What has a `run` (see `benchmarks.load.jobs`); it says its port first."""


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
        self.port: int = self.receive()

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *exception: object) -> None:
        self._pipe.close()
        self._process.join(2)
        self._process.kill()

    def send(self, what: Any) -> None:
        """Send something to the child."""
        self._pipe.send(what)

    def receive(self, timeout: float = MAX_WAIT) -> Any:
        """The next message of the child. Raises TimeoutError if none comes."""
        if not self._pipe.poll(timeout):
            raise TimeoutError(f"the load generator sent nothing for {timeout} s")
        return self._pipe.recv()

    def expect(self, word: str, timeout: float = MAX_WAIT) -> None:
        """Wait for exactly this message of the child."""
        if (received := self.receive(timeout)) != word:
            raise ValueError(f"the load generator says {received!r}, not {word!r}")
