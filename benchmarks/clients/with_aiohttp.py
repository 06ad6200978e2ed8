"""aiohttp's WebSocket client on uvloop. It delivers bytes: by default it would first decode them to text."""

import asyncio
import ssl

import aiohttp
import uvloop

from benchmarks.clients.work import Books, Sink, Task


async def _one(session: aiohttp.ClientSession, task: Task, context: ssl.SSLContext | bool, books: Books) -> None:
    async with session.ws_connect(task.url, ssl=context, max_msg_size=0, decode_text=False) as socket:
        read, receive, text = books.make_reader(), socket.receive, aiohttp.WSMsgType.TEXT
        books.sink.opened()
        while True:
            message = await receive()
            if message.type is not text:
                raise SystemExit(f"aiohttp: {message!r}")
            read(message.data)


async def _all(task: Task, sink: Sink) -> None:
    context = True if task.ca_file is None else ssl.create_default_context(cafile=task.ca_file)
    books = Books(sink)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(_one(session, task, context, books) for _ in range(task.connections)))


def run(task: Task, sink: Sink) -> None:
    """See `benchmarks.clients.process`."""
    uvloop.run(_all(task, sink))
