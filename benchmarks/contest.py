"""One client process against one generator process."""

from contextlib import ExitStack
from typing import Any

from benchmarks.clients.process import DISCARD, Client
from benchmarks.clients.work import Task
from benchmarks.load.certificates import AUTHORITY
from benchmarks.load.process import Generator, Job

PATIENCE = 120.0
"""Seconds for each step."""


def meet(client: str, job: Job, timed: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the client gives account of, and what the generator says it sent. TimeoutError when one of them hangs."""
    authority = None if job.certificates is None else str(job.certificates / AUTHORITY)
    with ExitStack() as stack:
        generator = stack.enter_context(Generator(job))
        task = Task(client, generator.port, authority, job.connections, job.total, timed)
        opponent = stack.enter_context(Client(task))
        opponent.hear(PATIENCE)  # all its connections are open
        generator.expect("prepared", PATIENCE)
        generator.say("go")
        account, sent = opponent.hear(PATIENCE), generator.hear(PATIENCE)
        while client == DISCARD and account["bytes"] < sent["bytes"]:
            account = opponent.hear(PATIENCE)
    return account, sent
