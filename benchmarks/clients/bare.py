"""No framework and half a protocol: epoll, the standard library's TLS, our scan of frames, and the work.

It cannot work with a real exchange. It shows the cost without everything that can be left out: a client that is much
cheaper does less of this in Python.
"""

import select
from collections.abc import Callable

from benchmarks.clients.dialing import READ, dial
from benchmarks.clients.work import Books, Sink, Task
from gatherer.core.wire.frames import scan


def run(task: Task, sink: Sink) -> None:
    """See `benchmarks.clients.process`."""
    epoll, books = select.epoll(), Books(sink)
    serve: dict[int, Callable[[], None]] = {}
    for _ in range(task.connections):
        sock, unwrap = dial(task)
        serve[sock.fileno()] = _reader(sock.recv, unwrap, books.make_reader())
        epoll.register(sock, select.EPOLLIN)
    for _ in range(task.connections):
        sink.opened()
    while True:
        for number, _event in epoll.poll():
            serve[number]()


def _reader(
    receive: Callable[[int], bytes], unwrap: Callable[[bytes], bytes], read: Callable[[bytes], None]
) -> Callable[[], None]:
    rest = b""

    def serve() -> None:
        nonlocal rest
        texts: list[bytes] = []
        data = rest + unwrap(receive(READ))
        rest = data[scan(data, 1 << 24, texts) :]
        for text in texts:
            read(text)

    return serve
