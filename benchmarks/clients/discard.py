"""No client: reads and throws away, without a look at what it is. What the generator can do at most."""

import select
import socket
import ssl
from time import monotonic_ns, process_time
from urllib.parse import urlsplit

from benchmarks.clients.work import Sink, Task

MOMENT = 0.1
"""Seconds."""

_REQUEST = (
    b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def run(task: Task, sink: Sink) -> None:
    """Upgrade, then discard until the process is ended: with TLS the records are not even decrypted.

    Whenever nothing came for a moment it tells how many bytes there were, and when the last of them came.
    """
    epoll = select.epoll()
    socks = {}
    for _ in range(task.connections):
        sock = _dial(task)
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


def _dial(task: Task) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", task.port))
    request = _REQUEST % urlsplit(task.url).path.encode()
    if task.ca_file is None:
        sock.sendall(request)
        _require_answer(sock.recv(1 << 16))
        return sock
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=task.ca_file).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    for step in (tls.do_handshake, lambda: tls.write(request), lambda: _require_answer(tls.read(1 << 16))):
        while not _try(step):
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(1 << 16))
        sock.sendall(outgoing.read())
    return sock


def _try(step: object) -> bool:
    try:
        step()  # type: ignore[operator]
    except ssl.SSLWantReadError:
        return False
    return True


def _require_answer(data: bytes) -> None:
    if not data.startswith(b"HTTP/1.1 101"):
        raise SystemExit(f"no upgrade: {data[:80]!r}")
