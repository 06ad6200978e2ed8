"""One accepted socket: parses its input, and keeps its output until the socket takes it."""

import socket
import ssl

from benchmarks.load.wire import take_frames, upgrade_answer

READ, SEND = 1 << 18, 1 << 20


class Plain:
    """No encryption."""

    def unwrap(self, data: bytes) -> bytes:
        """Decrypt received bytes."""
        return data

    def wrap(self, data: bytes) -> bytes:
        """Encrypt bytes to send; one call makes one record."""
        return data

    def owed(self) -> bytes:
        """Bytes that TLS itself has to send."""
        return b""


class Tls(Plain):
    """TLS of the server. After the handshake `wrap` may run before the socket is ready: only the order matters."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._shaken = False

    def unwrap(self, data: bytes) -> bytes:
        """See `Plain`."""
        self._in.write(data)
        clear = []
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            while piece := self._tls.read(READ):
                clear.append(piece)
        except ssl.SSLWantReadError:
            pass  # the rest of a record is still to come
        return b"".join(clear)

    def wrap(self, data: bytes) -> bytes:
        """See `Plain`."""
        self._tls.write(data)
        return self._out.read()

    def owed(self) -> bytes:
        """See `Plain`."""
        return self._out.read()


class Peer:
    """A client, as the server sees it."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.layer = Plain() if context is None else Tls(context)
        self.upgraded = False
        self.waiting = memoryview(b"")
        """What the socket did not take yet."""
        self._inbox = bytearray()

    def read(self) -> tuple[list[bytes], list[tuple[int, bytes]]] | None:
        """Heads of HTTP requests and frames that came in; None if the client has closed."""
        try:
            data = self.sock.recv(READ)
        except BlockingIOError:
            return [], []
        except OSError:
            return None
        if not data:
            return None
        try:
            self._inbox += self.layer.unwrap(data)
        except ssl.SSLError:
            return None
        if owed := self.layer.owed():
            self.put(owed)
        heads = []
        while not self.upgraded and b"\r\n\r\n" in self._inbox:
            head, _, rest = bytes(self._inbox).partition(b"\r\n\r\n")
            self._inbox = bytearray(rest)
            if b"\r\nsec-websocket-key:" in head.lower():
                self.upgraded = True
                self.put(self.layer.wrap(upgrade_answer(head)))
            else:
                heads.append(head)
        return heads, take_frames(self._inbox) if self.upgraded else []

    def put(self, data: bytes | bytearray | memoryview) -> None:
        """Send wrapped bytes as soon as the socket takes them."""
        self.waiting = memoryview(bytes(self.waiting) + data) if self.waiting else memoryview(data)
        self.flush()

    def flush(self) -> bool:
        """Send until the socket takes no more; whether nothing is left. Raises OSError if the client has closed."""
        waiting, send = self.waiting, self.sock.send
        try:
            while waiting:
                waiting = waiting[send(waiting[:SEND]) :]
        except BlockingIOError:
            return False
        finally:
            self.waiting = waiting
        return True
