"""The generator as a child process, at the end of a pipe, on a core of its own when there is one."""

import contextlib
from multiprocessing import get_context
from typing import Any

from benchmarks.cores import GENERATOR, pin

PATIENCE = 60.0
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
