"""The generator's sockets, on one epoll."""

import select
import socket
import ssl
from collections.abc import Callable
from typing import Any

from benchmarks.load.peer import Peer

IN, OUT = select.EPOLLIN, select.EPOLLOUT


class Server:
    """Accepts, answers handshakes, hands on what clients say."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listener.setblocking(False)
        self.epoll = select.epoll()
        self.epoll.register(self._listener, IN)
        self.peers: dict[int, Peer] = {}
        self.said: Callable[[Peer, list[bytes], list[tuple[int, bytes]]], None] = lambda peer, heads, frames: None
        """Told of HTTP heads and frames of a client."""

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    @property
    def open(self) -> list[Peer]:
        """Those whose upgrade is through, in the order they came in."""
        return [peer for peer in self.peers.values() if peer.upgraded]

    def poll(self, timeout: float) -> None:
        """One round; waits for at most so many seconds."""
        for number, event in self.epoll.poll(timeout):
            peer = self.peers.get(number)
            if peer is not None:
                self._serve(peer, number, event)
            elif number == self._listener.fileno():
                self._accept()

    def blast(self) -> None:
        """Send everything that waits, to all of them at once, as fast as they take it."""
        for number in self.peers:
            self.epoll.modify(number, OUT)
        left = {number for number, peer in self.peers.items() if peer.waiting}
        while left:
            for number, _ in self.epoll.poll():
                peer = self.peers.get(number)
                if peer is None:
                    continue
                try:
                    done = peer.flush()
                except OSError:
                    self._drop(number)
                    done = True
                if done and number in left:
                    left.discard(number)
                    if number in self.peers:
                        self.epoll.modify(number, IN)

    def send(self, peer: Peer, data: bytes) -> None:
        """Send bytes that are wrapped already, the rest of them when the socket takes more."""
        try:
            peer.put(data)
        except OSError:
            return  # poll() will find out
        if peer.waiting:
            self.watch(peer)

    def watch(self, peer: Peer) -> None:
        """Something waits for this socket: go on as soon as it takes more."""
        self.epoll.modify(peer.sock.fileno(), IN | OUT)

    def _serve(self, peer: Peer, number: int, event: int) -> None:
        try:
            if event & OUT and peer.flush():
                self.epoll.modify(number, IN)
            came = peer.read() if event & ~OUT else ([], [])
        except OSError:
            came = None
        if came is None:
            self._drop(number)
            return
        if came[0] or came[1]:
            self.said(peer, *came)
        if peer.waiting:
            self.watch(peer)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            self.peers[sock.fileno()] = Peer(sock, self._context)
            self.epoll.register(sock, IN)

    def _drop(self, number: int) -> None:
        self.epoll.unregister(number)
        self.peers.pop(number).sock.close()

    def listen_to(self, pipe: Any) -> None:
        """Return from `poll` when the parent says something."""
        self.epoll.register(pipe.fileno(), IN)
