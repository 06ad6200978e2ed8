"""No client: reads and throws away, without a look at what it is. What the generator can do at most."""

import select
from time import monotonic_ns, process_time

from benchmarks.clients.dialing import dial
from benchmarks.clients.work import Sink, Task

MOMENT = 0.1
"""Seconds."""


def run(task: Task, sink: Sink) -> None:
    """Upgrade, then discard until the process is ended: with TLS the records are not even decrypted.

    Whenever nothing came for a moment it tells how many bytes there were, and when the last of them came.
    """
    epoll = select.epoll()
    socks = {}
    for _ in range(task.connections):
        sock, _unwrap = dial(task)
        socks[sock.fileno()] = sock
        epoll.register(sock, select.EPOLLIN)
        sink.opened()
    buffer, total, told, ended = bytearray(1 << 20), 0, 0, 0
    cpu = process_time()
    while True:
        ready = epoll.poll(MOMENT)
        for number, _ in ready:
            total += socks[number].recv_into(buffer)
        if ready:
            ended = monotonic_ns()
        elif total > told:
            sink.tell({"bytes": total, "ended": ended, "cpu": process_time() - cpu})
            told = total
