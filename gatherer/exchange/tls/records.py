"""One TLS connection without a socket: ciphertext in, plaintext out, and the other way round.

Versions and ciphers are those of Twisted's own clients, and so is the check of certificate and host name. The handshake
and everything that is sent use pyOpenSSL's public methods. Only the reading goes underneath them: `recv` costs 3.1 µs
for a record of 280 bytes, of which OpenSSL needs 0.6 µs, and the exchange sends a record per message. With
`FastRecords` it is 0.7 µs; the standard library's `SSLObject.read` takes 1.1 µs. (CPython 3.11; OpenSSL 4.0.3 in
pyOpenSSL, 3.0.19 in the standard library; best of 4 runs over 40,000 records.)
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
from gatherer.exchange.tls.trust import Verifier, identity

RECORD = 16384
"""Bytes of the largest record's plaintext: whoever asks for so many leaves nothing behind."""
MOST = 256 * 1024
"""Bytes of ciphertext that are decrypted in one go. A socket read is 64 KiB."""
WANT_READ = 2
"""SSL_ERROR_WANT_READ."""


class TlsClient:
    """What all connections to one host share."""

    def __init__(self, host: str, trust: Any) -> None:
        """`host` is the name or address that the certificate must be for, `trust` who may have signed it.
        Raises ValueError for a host that no certificate can be for."""
        self._host = host
        self._identity = identity(host)
        self._context = CertificateOptions(trustRoot=trust).getContext()
        self._scratch = bytearray(MOST + 2 * RECORD)

    def connection(self) -> "Records":
        """The start of a connection."""
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
    """By pyOpenSSL's public methods only: the way out should a pyOpenSSL come that hides what `FastRecords` needs."""

    def __init__(self, tls: Connection, verifier: Verifier) -> None:
        self._tls = tls
        self._verifier = verifier
        self.ended = False
        """Whether no more plaintext can come: the peer has announced its end, or see `error`."""
        self.error: TlsError | None = None

    def feed(self, ciphertext: bytes) -> None:
        """The network brought this."""
        if ciphertext:
            self._tls.bio_write(ciphertext)

    def shake_hands(self) -> bool:
        """Go on with the handshake; True when it is done. Raises `TlsError` when it has failed."""
        try:
            self._tls.do_handshake()
        except WantReadError:
            return False
        except Error as error:
            if self._verifier.refusal is not None:
                raise TlsError(f"certificate verify failed: {self._verifier.refusal}") from None
            raise explain(error) from None
        if not self._verifier.passed:
            raise TlsError("certificate verify failed: nobody has looked at one")
        return True

    def decrypt(self, ciphertext: bytes) -> bytes:
        """The plaintext of all records that are complete now. What can never be read is told by `ended`, not raised:
        the records before it are good."""
        self.feed(ciphertext)
        plain: list[bytes] = []
        try:
            while True:
                plain.append(self._tls.recv(RECORD))
        except WantReadError:
            pass
        except ZeroReturnError:
            self.ended = True
        except Error as error:
            self.ended, self.error = True, explain(error)
        return b"".join(plain)

    def encrypt(self, plaintext: bytes) -> None:
        """Make records of it. Raises `TlsError` when the connection cannot be written to any more."""
        rest = memoryview(plaintext)
        try:
            while rest:
                rest = rest[self._tls.send(rest) :]  # a record at a time
        except Error as error:
            raise explain(error) from None

    def end(self) -> None:
        """Make the close_notify."""
        with suppress(Error):  # of a connection that has failed: it has sent its alert
            self._tls.shutdown()

    def outgoing(self) -> bytes:
        """Take what the network shall bring to the peer."""
        pieces: list[bytes] = []
        try:
            while True:
                pieces.append(self._tls.bio_read(RECORD))
        except WantReadError:
            return b"".join(pieces)


def explain(error: Error) -> TlsError:
    """In words, from what OpenSSL has queued: (library, function, reason), the innermost first."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return TlsError(f"TLS failed: {'; '.join(dict.fromkeys(entry[2] for entry in queue)) or error}")


class FastRecords(Records):
    """The same with OpenSSL's own functions where every message passes. Raises AttributeError if they are not there."""

    def __init__(self, tls: Any, verifier: Verifier, scratch: bytearray) -> None:
        """`scratch` is used within a call only and may be shared."""
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
        self._clear_error()  # OpenSSL's queue belongs to the thread, and an older error would be taken for ours
        return super().shake_hands()

    def encrypt(self, plaintext: bytes) -> None:
        """See `Records`."""
        self._clear_error()
        super().encrypt(plaintext)

    def decrypt(self, ciphertext: bytes) -> bytes:
        """See `Records`."""
        size = len(ciphertext)
        if size > MOST:
            return b"".join(self.decrypt(ciphertext[at : at + MOST]) for at in range(0, size, MOST))
        read, ssl, start = self._read, self._ssl, self._scratch
        self._clear_error()
        self._write(self._into, ciphertext, size)
        end = start
        while (got := read(ssl, end, RECORD)) > 0:
            end += got
        plain: bytes = self._buffer(start, end - start)[:]
        if self._get_error(ssl, got) != WANT_READ:
            plain += super().decrypt(b"")  # the same again, to have it explained
        return plain

    def outgoing(self) -> bytes:
        """See `Records`."""
        got = self._read_out(self._from, self._scratch, MOST)
        if got <= 0:
            return b""
        piece: bytes = self._buffer(self._scratch, got)[:]
        return piece + self.outgoing() if got == MOST else piece
