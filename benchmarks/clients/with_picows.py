"""picows on uvloop: a call of the listener for each frame.

`picows` is what pip installs: its transports are those of aiofastnet, on which it depends. `picows@uvloop` keeps to
uvloop's own transports.
"""

import asyncio
import ssl
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.clients.work import Books, Sink, Task

TEXT = WSMsgType.TEXT


class Listener(WSListener):
    """One connection."""

    def __init__(self, books: Books) -> None:
        super().__init__()
        self._books = books

    def on_ws_connected(self, transport: WSTransport) -> None:
        """See `WSListener`."""
        self._read = self._books.make_reader()
        self._books.sink.opened()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """See `WSListener`."""
        if frame.msg_type == TEXT:
            self._read(frame.get_payload_as_bytes())


async def _all(task: Task, sink: Sink) -> None:
    options: dict[str, Any] = {"use_aiofastnet": False} if task.variant == "uvloop" else {}
    if task.ca_file is not None:
        options["ssl_context"] = ssl.create_default_context(cafile=task.ca_file)
    books = Books(sink)
    dials = (ws_connect(lambda: Listener(books), task.url, **options) for _ in range(task.connections))
    for transport, _ in await asyncio.gather(*dials):
        await transport.wait_disconnected()


def run(task: Task, sink: Sink) -> None:
    """See `benchmarks.clients.process`."""
    uvloop.run(_all(task, sink))
