"""One TLS connection without a socket: ciphertext in, plaintext out, and the reverse.

Versions, ciphers and the check of certificate and host name are those of Twisted's own clients. The handshake and all
sending use pyOpenSSL's public methods. Only reading goes below them. `recv` costs 3.1 µs for a record of 280 bytes, of
which OpenSSL needs 0.6 µs, and the exchange sends one record for each message. With `FastRecords` it is 0.7 µs; the
standard library's `SSLObject.read` takes 1.1 µs. (CPython 3.11; OpenSSL 4.0.3 in pyOpenSSL, 3.0.19 in the standard
library; best of 4 runs over 40,000 records.)
"""

from contextlib import suppress
from typing import Any

import OpenSSL
from OpenSSL.SSL import (
    VERIFY_FAIL_IF_NO_PEER_CERT,
    VERIFY_PEER,
    Connection,
    Error,
    WantReadError,
    ZeroReturnError,
)
from service_identity.hazmat import DNS_ID
from twisted.internet.ssl import CertificateOptions

from gatherer.errors import TlsError
from gatherer.exchange.tls.trust import PlatformTrustAnd, Verifier, identity

MAX_RECORD = 16384
"""Bytes of the largest record's plaintext. A read of this size leaves nothing of a record behind."""
MAX_CIPHERTEXT = 256 * 1024
"""Bytes of ciphertext that one pass decrypts. A socket read is 64 KiB."""
WANT_READ = 2
"""SSL_ERROR_WANT_READ."""


class TlsClient:
    """The parts that all connections to one host share."""

    def __init__(self, host: str, trust: PlatformTrustAnd) -> None:
        """The certificate must be for `host`, a name or an address, and `trust` names the authorities that may sign it.
        Raises ValueError for a host that no certificate can have."""
        self._host = host
        self._identity = identity(host)
        self._context = CertificateOptions(trustRoot=trust).getContext()
        self._scratch = bytearray(MAX_CIPHERTEXT + 2 * MAX_RECORD)

    def connection(self) -> "Records":
        """A new connection."""
        verifier = Verifier(self._host, self._identity)
        tls = Connection(self._context, None)
        tls.set_connect_state()
        tls.set_verify(VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERT, verifier)
        if isinstance(self._identity, DNS_ID):
            tls.set_tlsext_host_name(self._host.encode("ascii"))
        try:
            return FastRecords(tls, verifier, self._scratch)
        except AttributeError:
            return Records(tls, verifier)


class Records:
    """Uses pyOpenSSL's public methods only, for a pyOpenSSL that hides what `FastRecords` needs."""

    def __init__(self, tls: Connection, verifier: Verifier) -> None:
        self._tls = tls
        self._verifier = verifier
        self.ended = False
        """Whether no more plaintext can come, because the peer announced its end, or because of `error`."""
        self.error: TlsError | None = None

    def feed(self, ciphertext: bytes) -> None:
        """Take ciphertext from the network."""
        if ciphertext:
            self._tls.bio_write(ciphertext)

    def shake_hands(self) -> bool:
        """Continue the handshake. True when it is done. Raises `TlsError` when it has failed."""
        try:
            self._tls.do_handshake()
        except WantReadError:
            return False
        except Error as error:
            if self._verifier.refusal is not None:
                raise TlsError(f"certificate verify failed: {self._verifier.refusal}") from None
            raise explain(error) from None
        if not self._verifier.passed:
            raise TlsError("certificate verify failed: no certificate was checked")
        return True

    def decrypt(self, ciphertext: bytes) -> bytes:
        """The plaintext of all records that are complete now. An error is not raised: it sets `ended`, because the
        records before it are good."""
        self.feed(ciphertext)
        plain: list[bytes] = []
        try:
            while True:
                plain.append(self._tls.recv(MAX_RECORD))
        except WantReadError:
            pass
        except ZeroReturnError:
            self.ended = True
        except Error as error:
            self.ended, self.error = True, explain(error)
        return b"".join(plain)

    def encrypt(self, plaintext: bytes) -> None:
        """Make records of the plaintext. Raises `TlsError` when the connection cannot be written to any more."""
        rest = memoryview(plaintext)
        try:
            while rest:
                rest = rest[self._tls.send(rest) :]  # a record at a time
        except Error as error:
            raise explain(error) from None

    def end(self) -> None:
        """Make the close_notify."""
        with suppress(Error):  # a failed connection has already made its alert
            self._tls.shutdown()

    def outgoing(self) -> bytes:
        """Take the ciphertext that is to be sent to the peer."""
        pieces: list[bytes] = []
        try:
            while True:
                pieces.append(self._tls.bio_read(MAX_RECORD))
        except WantReadError:
            return b"".join(pieces)


def explain(error: Error) -> TlsError:
    """The error in words. OpenSSL queues (library, function, reason), the innermost first."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return TlsError(f"TLS failed: {'; '.join(dict.fromkeys(entry[2] for entry in queue)) or error}")


class FastRecords(Records):
    """Reads with OpenSSL's own functions, because every message passes here. Raises AttributeError without them."""

    def __init__(self, tls: Any, verifier: Verifier, scratch: bytearray) -> None:
        """`scratch` is used only during a call and may be shared. `tls` has private attributes without types."""
        super().__init__(tls, verifier)
        ffi, lib = OpenSSL._util.ffi, OpenSSL._util.lib
        self._ssl, self._into, self._from = tls._ssl, tls._into_ssl, tls._from_ssl
        self._memory = ffi.from_buffer("char[]", scratch)
        self._scratch = self._memory + 0  # a pointer; it does not keep the memory
        self._buffer = ffi.buffer
        self._read, self._write = lib.SSL_read, lib.BIO_write
        self._get_error, self._clear_error = lib.SSL_get_error, lib.ERR_clear_error
        self._read_out = lib.BIO_read

    def shake_hands(self) -> bool:
        """See `Records`."""
        self._clear_error()  # OpenSSL's queue belongs to the thread: an older error would look like ours
        return super().shake_hands()

    def encrypt(self, plaintext: bytes) -> None:
        """See `Records`."""
        self._clear_error()
        super().encrypt(plaintext)

    def decrypt(self, ciphertext: bytes) -> bytes:
        """See `Records`."""
        size = len(ciphertext)
        if size > MAX_CIPHERTEXT:
            return b"".join(self.decrypt(ciphertext[at : at + MAX_CIPHERTEXT]) for at in range(0, size, MAX_CIPHERTEXT))
        read, ssl, start = self._read, self._ssl, self._scratch
        self._clear_error()
        self._write(self._into, ciphertext, size)
        end = start
        while (got := read(ssl, end, MAX_RECORD)) > 0:
            end += got
        plain: bytes = self._buffer(start, end - start)[:]
        if self._get_error(ssl, got) != WANT_READ:
            plain += super().decrypt(b"")  # once more, to get the error in words
        return plain

    def outgoing(self) -> bytes:
        """See `Records`."""
        got = self._read_out(self._from, self._scratch, MAX_CIPHERTEXT)
        if got <= 0:
            return b""
        piece: bytes = self._buffer(self._scratch, got)[:]
        return piece + self.outgoing() if got == MAX_CIPHERTEXT else piece
