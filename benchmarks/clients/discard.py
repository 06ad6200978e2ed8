"""Reads and discards, without a client. It shows the highest rate of the generator."""

import select
from time import monotonic_ns, process_time

from benchmarks.clients.dialing import dial
from benchmarks.clients.work import Sink, Task

MOMENT = 0.1
"""Seconds."""


def run(task: Task, sink: Sink) -> None:
    """Upgrade, then discard until the process ends. TLS records are not decrypted.

    Whenever nothing arrives for a moment, it reports how many bytes there were, and when the last ones arrived.
    """
    epoll = select.epoll()
    socks = {}
    for _ in range(task.connections):
        sock, _unwrap = dial(task)
        socks[sock.fileno()] = sock
        epoll.register(sock, select.EPOLLIN)
        sink.opened()
    buffer, total, reported, ended = bytearray(1 << 20), 0, 0, 0
    cpu = process_time()
    while True:
        ready = epoll.poll(MOMENT)
        for number, _ in ready:
            total += socks[number].recv_into(buffer)
        if ready:
            ended = monotonic_ns()
        elif total > reported:
            sink.send({"bytes": total, "ended": ended, "cpu": process_time() - cpu})
            reported = total
