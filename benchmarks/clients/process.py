"""A client as a child process."""

from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

from benchmarks.clients.work import Sink, Task
from benchmarks.cores import CLIENT, pin

DISCARD = "discard"
MODULES = {
    "autobahn": ("with_autobahn", ()),
    "websockets": ("with_websockets", ("websockets", "uvloop")),
    "aiohttp": ("with_aiohttp", ("aiohttp", "uvloop")),
    "picows": ("with_picows", ("picows", "uvloop")),
    "gatherer": ("with_gatherer", ()),
    "bare": ("bare", ()),
    DISCARD: ("discard", ()),
}
"""Module of each client, and the packages it needs."""
CLIENTS = tuple(name for name in MODULES if name != DISCARD)


def is_there(client: str) -> bool:
    """Whether its packages are installed. Raises KeyError for an unknown client."""
    return all(find_spec(package) is not None for package in MODULES[client.partition("@")[0]][1])


def run(pipe: Any, task: Task) -> None:
    """The child. It imports only its own framework."""
    pin(CLIENT)
    module = import_module("benchmarks.clients." + MODULES[task.client.partition("@")[0]][0])
    module.run(task, Sink(task, pipe))


class Client:
    """The parent's handle. A context manager: the child ends with it."""

    def __init__(self, task: Task) -> None:
        context = get_context("spawn")
        self.task = task
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=run, args=(theirs, task), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def receive(self, timeout: float) -> Any:
        """The next message of the child: "open" once all its connections are open, then its result."""
        if not self._pipe.poll(timeout):
            raise TimeoutError(f"{self.task.client} sent nothing for {timeout:.0f} s")
        try:
            return self._pipe.recv()
        except EOFError:
            raise SystemExit(f"{self.task.client} died") from None
