"""The generator's sockets, on one epoll."""

import select
import socket
import ssl
from collections.abc import Callable
from typing import Any

from benchmarks.load.peer import Peer

IN, OUT = select.EPOLLIN, select.EPOLLOUT


class Server:
    """Accepts sockets, answers handshakes, passes on what clients send."""

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
        """The port on 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    @property
    def open(self) -> list[Peer]:
        """The upgraded clients, in the order of their arrival."""
        return [peer for peer in self.peers.values() if peer.upgraded]

    def poll(self, timeout: float) -> None:
        """One round; waits for at most this many seconds."""
        for number, event in self.epoll.poll(timeout):
            peer = self.peers.get(number)
            if peer is not None:
                self._serve(peer, number, event)
            elif number == self._listener.fileno():
                self._accept()

    def blast(self) -> None:
        """Send all waiting bytes to all clients, as fast as they take them."""
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
        """Send wrapped bytes, and the rest when the socket takes more."""
        try:
            peer.put(data)
        except OSError:
            return  # poll() will find out
        if peer.waiting:
            self.watch(peer)

    def watch(self, peer: Peer) -> None:
        """Bytes wait for this socket: continue when it takes more."""
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
        """Return from `poll` when the parent sends something."""
        self.epoll.register(pipe.fileno(), IN)
