"""One client process against one generator process."""

from contextlib import ExitStack
from typing import Any

from benchmarks.clients.process import DISCARD, Client
from benchmarks.clients.work import Task
from benchmarks.load.certificates import AUTHORITY
from benchmarks.load.process import Generator, Job

MAX_WAIT = 120.0
"""Seconds for each step."""


def meet(client: str, job: Job, timed: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """The result of the client, and what the generator sent. Raises TimeoutError if one of them hangs."""
    authority = None if job.certificates is None else str(job.certificates / AUTHORITY)
    with ExitStack() as stack:
        generator = stack.enter_context(Generator(job))
        task = Task(client, generator.port, authority, job.connections, job.total, timed)
        opponent = stack.enter_context(Client(task))
        opponent.receive(MAX_WAIT)  # all its connections are open
        generator.expect("prepared", MAX_WAIT)
        generator.send("go")
        account, sent = opponent.receive(MAX_WAIT), generator.receive(MAX_WAIT)
        while client == DISCARD and account["bytes"] < sent["bytes"]:
            account = opponent.receive(MAX_WAIT)
    return account, sent
