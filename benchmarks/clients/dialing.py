"""A plain WebSocket, for the client that discards and for the one that does the bare minimum."""

import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from benchmarks.clients.work import Task

READ = 1 << 16  # from twice as much on, malloc maps and faults pages for every read
_REQUEST = (
    b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def dial(task: Task) -> tuple[socket.socket, Callable[[bytes], bytes]]:
    """An upgraded socket, and the function that decrypts received bytes. Blocks."""
    sock = socket.create_connection(("127.0.0.1", task.port))
    request = _REQUEST % urlsplit(task.url).path.encode()
    if task.ca_file is None:
        sock.sendall(request)
        _require_answer(sock.recv(READ))
        return sock, bytes
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=task.ca_file).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    for step in (tls.do_handshake, lambda: tls.write(request), lambda: _require_answer(tls.read(READ))):
        while not _try(step):
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(READ))
        sock.sendall(outgoing.read())
    return sock, reader_of(tls, incoming)


def reader_of(tls: ssl.SSLObject, incoming: ssl.MemoryBIO) -> Callable[[bytes], bytes]:
    """A function that decrypts received bytes: all records that are complete."""
    read = tls.read

    def unwrap(data: bytes) -> bytes:
        incoming.write(data)
        pieces = []
        try:
            while True:
                pieces.append(read(READ))
        except ssl.SSLWantReadError:
            return b"".join(pieces)

    return unwrap


def _try(step: Callable[[], object]) -> bool:
    try:
        step()
    except ssl.SSLWantReadError:
        return False
    return True


def _require_answer(data: bytes) -> None:
    if not data.startswith(b"HTTP/1.1 101"):
        raise SystemExit(f"no upgrade: {data[:80]!r}")
