"""websockets on uvloop. It delivers bytes: by default it would first decode them to text."""

import asyncio
import ssl

import uvloop
from websockets.asyncio.client import connect

from benchmarks.clients.work import Books, Sink, Task


async def _one(task: Task, context: ssl.SSLContext | None, books: Books, sink: Sink) -> None:
    async with connect(task.url, ssl=context, max_size=None, ping_interval=None, compression=None) as socket:
        read, receive = books.make_reader(), socket.recv
        sink.opened()
        while True:
            read(await receive(decode=False))


async def _all(task: Task, sink: Sink) -> None:
    context = None if task.ca_file is None else ssl.create_default_context(cafile=task.ca_file)
    books = Books(sink)
    await asyncio.gather(*(_one(task, context, books, sink) for _ in range(task.connections)))


def run(task: Task, sink: Sink) -> None:
    """See `benchmarks.clients.process`."""
    uvloop.run(_all(task, sink))
