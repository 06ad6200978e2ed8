"""Tests for `gatherer.exchange.tls.transport` and `gatherer.exchange.tls.records`: both ends in memory, cut."""

import ssl
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import OpenSSL
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer, ISSLTransport, ITransport
from twisted.internet.ssl import PrivateCertificate
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.errors import TlsError
from gatherer.exchange.tls import records
from gatherer.exchange.tls.records import FastRecords, Records, TlsClient
from tests.support.certificates import Authority
from tests.support.tls_ends import Above, Pair, PublicClient, make_client, server_context

KINDS = range(4)

sizes = st.one_of(st.integers(0, 300), st.sampled_from([16383, 16384, 16385, 40_000]))


def pieces(whole: bytes, cuts: list[int]) -> list[bytes]:
    """The same bytes in several reads."""
    ends = sorted({cut % (len(whole) + 1) for cut in cuts} | {0, len(whole)})
    return [whole[a:b] for a, b in pairwise(ends)]


class Ends(SynchronousTestCase):
    """An authority, an exchange's contexts and clients that trust it: kinds 0 and 1 speak TLS 1.3, 2 and 3 TLS 1.2;
    the even ones read records the fast way."""

    versions: tuple[ssl.TLSVersion | None, ...] = (None, ssl.TLSVersion.TLSv1_2)

    def setUp(self) -> None:
        self.authority = Authority()
        self.pem = self.authority.issue()
        self.clients = [make_client(self.authority, self.mktemp(), kind) for kind in (TlsClient, PublicClient)]
        self.contexts = [server_context(self.mktemp(), self.pem, newest) for newest in self.versions]

    def pair(self, kind: int = 0) -> Pair:
        """TCP is up, and nothing was sent yet."""
        return Pair(self.contexts[kind // 2], self.clients[kind % 2])

    def open(self, kind: int = 0) -> Pair:
        """The handshake is complete."""
        pair = self.pair(kind).shake_hands()
        self.assertTrue(pair.server.open)
        return pair

    def all_open(self) -> Iterator[Pair]:
        """One of each kind."""
        return map(self.open, KINDS)

    def lose(self, pair: Pair, error: Exception | None = None) -> Any:
        """TCP is gone. Returns the reason that the protocol above gets."""
        pair.secure.connectionLost(Failure(error or ConnectionDone()))
        self.assertEqual(len(pair.above.lost), 1)
        return pair.above.lost[0].value


class StreamTests(Ends):
    """TCP may cut the ciphertext anywhere: the plaintext is the same."""

    def test_the_fast_way_is_in_use(self) -> None:
        """The installed pyOpenSSL has what `FastRecords` needs. Without it `Records` is used."""
        self.assertIs(type(self.pair().secure._tls), FastRecords)
        self.assertIs(type(self.pair(1).secure._tls), Records)
        self.patch(records, "OpenSSL", object())
        self.assertIs(type(self.pair().secure._tls), Records)

    def test_versions(self) -> None:
        """Each kind has its version and its records."""
        self.assertEqual([pair.server.tls.version() for pair in self.all_open()], ["TLSv1.3"] * 2 + ["TLSv1.2"] * 2)

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(KINDS), st.lists(sizes, max_size=12), st.lists(st.integers(0, 200_000), max_size=12))
    def test_same_plaintext_in_order(self, kind: int, lengths: list[int], cuts: list[int]) -> None:
        """Each message arrives complete and in order, and no read calls the protocol above twice."""
        pair = self.pair(kind)
        messages = [bytes([65 + i]) * length for i, length in enumerate(lengths)]
        pair.to_server()
        for read in pieces(pair.server.take(), cuts):
            pair.to_client(read)
            self.assertEqual(pair.above.reads, [])
        pair.shake_hands()
        for message in messages:
            pair.server.send(message)
        reads = pieces(pair.server.take(), cuts)
        for read in reads:
            pair.to_client(read)
        self.assertEqual(pair.above.heard, b"".join(messages))
        self.assertLessEqual(len(pair.above.reads), len(reads))
        self.assertFalse(pair.tcp.disconnecting)

    def test_bytes_after_a_cut_are_dropped(self) -> None:
        """TCP may still have some. OpenSSL does not get them: a closed connection must not come to life or fail."""
        for pair in self.all_open():
            pair.server.send(b"late")
            late = pair.server.take()
            pair.secure.abortConnection()
            self.patch(pair.secure, "_tls", None)
            pair.to_client(late)
            self.assertEqual(pair.above.reads, [])

    @settings(max_examples=30, deadline=None)
    @given(st.sampled_from(KINDS), st.lists(st.integers(0, 10_000), max_size=12))
    def test_nothing_is_sent_before_the_handshake(self, kind: int, cuts: list[int]) -> None:
        """Early data of the protocol above is sent encrypted, and only after the server has proved its identity."""
        pair = self.pair(kind)
        sent = pair.to_server()
        while not pair.server.received:
            for read in pieces(pair.server.take(), cuts):
                self.assertEqual(pair.server.received, b"")
                pair.to_client(read)
            sent += pair.to_server()
        self.assertNotIn(Above.greeting, sent)
        self.assertEqual(pair.server.received, Above.greeting)

    def test_all_records_of_a_read_go_up_in_one_call(self) -> None:
        """A hundred messages in a hundred records make one call."""
        for pair in self.all_open():
            for i in range(100):
                pair.server.send(b"%03d" % i)
            pair.to_client()
            self.assertEqual(pair.above.reads, [b"".join(b"%03d" % i for i in range(100))])

    def test_the_end_of_the_handshake_may_bring_data(self) -> None:
        """Records in the read that ends the handshake are decrypted at once."""
        for kind in KINDS[2:]:
            pair = self.pair(kind)
            pair.to_server()
            pair.to_client()
            pair.to_server()
            pair.server.send(b"at once")
            pair.to_client()
            self.assertEqual(pair.above.reads, [b"at once"])

    def test_a_read_larger_than_any_socket_gives(self) -> None:
        """5 MB with an incomplete record at the end make one call."""
        payload = bytes(range(256)) * 20_000
        for pair in self.all_open():
            pair.server.send(payload)
            whole = pair.server.take()
            pair.to_client(whole[:-7])
            pair.to_client(whole[-7:])
            self.assertEqual(pair.above.heard, payload)
            self.assertEqual(len(pair.above.reads), 2)

    def test_large_writes_arrive(self) -> None:
        """Data longer than a record is sent whole, as one write or as several."""
        for pair in self.all_open():
            pair.secure.write(b"x" * 1_000_000)
            pair.secure.writeSequence([b"y", b"", b"z"])
            pair.to_server()
            self.assertEqual(pair.server.received, Above.greeting + b"x" * 1_000_000 + b"yz")

    def test_a_damaged_record_ends_it_after_the_good_ones(self) -> None:
        """Earlier data goes up, later data does not, and the server gets an alert."""
        for pair in self.all_open():
            pair.server.send(b"good")
            pair.server.send(b"damaged")
            whole = bytearray(pair.server.take())
            whole[-1] ^= 1
            pair.server.send(b"after")
            pair.to_client(bytes(whole) + pair.server.take())
            self.assertEqual(pair.above.heard, b"good")
            self.assertTrue(pair.tcp.disconnecting)
            self.assertIn("BAD_RECORD_MAC", str(self.assertRaises(ssl.SSLError, pair.to_server)))
            error = self.lose(pair)
            self.assertIsInstance(error, TlsError)
            self.assertIn("bad record mac", str(error))

    def test_no_tls_at_all(self) -> None:
        """A server that answers in plain text is refused."""
        pair = self.pair()
        pair.to_client(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.assertEqual(pair.above.reads, [])
        self.assertTrue(pair.tcp.disconnecting)
        self.assertIn("TLS failed:", str(self.lose(pair)))

    def test_a_stale_error_of_somebody_else_is_not_ours(self) -> None:
        """OpenSSL's error queue belongs to the thread. An old error in it does not fail a connection."""
        lib = OpenSSL._util.lib

        def leave_one() -> None:
            lib.SSL_CTX_use_certificate_chain_file(SSL.Context(SSL.TLS_METHOD)._context, b"/nowhere")
            self.assertNotEqual(lib.ERR_peek_error(), 0)

        self.addCleanup(lib.ERR_clear_error)
        pair = self.pair()
        pair.to_server()
        leave_one()
        pair.to_client()
        pair.shake_hands()
        pair.server.send(b"good")
        leave_one()
        pair.to_client()
        leave_one()
        pair.secure.write(b"answer")
        pair.to_server()
        self.assertEqual((pair.above.heard, pair.server.received), (b"good", Above.greeting + b"answer"))
        self.assertFalse(pair.tcp.disconnecting)


class EndTests(Ends):
    """How a connection ends, and the reason that the protocol above gets."""

    def test_the_contracts(self) -> None:
        """It is a transport, a consumer and a producer. It does not look like Twisted's own TLS to autobahn."""
        secure = self.pair().secure
        for interface in (ITransport, IConsumer, IPushProducer):
            verifyObject(interface, secure)
        self.assertFalse(ISSLTransport.providedBy(secure))

    def test_a_common_name_is_not_enough(self) -> None:
        """The certificate has the name "server", but not in the field that clients check (RFC 9525 section 2)."""
        pair = Pair(self.contexts[0], make_client(self.authority, self.mktemp(), host="server"))
        pair.to_server()
        pair.to_client()
        self.assertIn("hostname mismatch, it is not for 'server'", str(self.lose(pair)))
        self.assertRaises(ssl.SSLError, pair.to_server)
        self.assertEqual(pair.server.received, b"")

    def test_close_notify_is_a_clean_end(self) -> None:
        """The answer is our close_notify, and TCP is closed."""
        for pair in self.all_open():
            pair.server.send(b"last")
            pair.server.end()
            pair.to_client()
            self.assertEqual(pair.above.heard, b"last")
            self.assertTrue(pair.tcp.disconnecting)
            pair.to_server()
            self.assertTrue(pair.server.ended)
            self.assertIsInstance(self.lose(pair), ConnectionDone)

    def test_nothing_behind_close_notify_is_taken(self) -> None:
        """Bytes after it are not data."""
        pair = self.open()
        pair.server.send(b"last")
        pair.server.end()
        pair.to_client(pair.server.take() + b"\x17\x03\x03\x00\x05trick")
        self.assertEqual(pair.above.heard, b"last")
        pair.to_client(b"more")
        self.assertEqual(pair.above.heard, b"last")
        self.assertIsInstance(self.lose(pair), ConnectionDone)

    def test_a_fin_without_close_notify_is_an_error(self) -> None:
        """Any machine between could have sent it, so the data may be incomplete."""
        pair = self.open()
        pair.server.send(b"some")
        pair.to_client()
        error = self.lose(pair)
        self.assertIsInstance(error, TlsError)
        self.assertIn("without a TLS close_notify", str(error))

    def test_a_fin_during_the_handshake_is_an_error(self) -> None:
        """The server closes TCP before it has proved its identity."""
        pair = self.pair()
        pair.to_server()
        self.assertIn("during the TLS handshake", str(self.lose(pair)))

    def test_a_cut_is_told_as_it_is(self) -> None:
        """A reset stays the error of TCP."""
        self.assertIsInstance(self.lose(self.open(), ConnectionLost()), ConnectionLost)

    def test_lose_connection_flushes_and_announces(self) -> None:
        """Written data arrives, then a close_notify. Nothing can be written after it."""
        pair = self.open()
        pair.secure.write(b"bye")
        pair.secure.loseConnection()
        pair.secure.write(b"too late")
        pair.to_server()
        self.assertEqual(pair.server.received, Above.greeting + b"bye")
        self.assertTrue(pair.server.ended)
        self.assertTrue(pair.tcp.disconnecting)
        self.assertIsInstance(self.lose(pair), ConnectionDone)

    def test_lose_connection_during_the_handshake_waits_for_it(self) -> None:
        """Data that was written before it is still sent."""
        pair = self.pair()
        pair.secure.loseConnection()
        self.assertFalse(pair.tcp.disconnecting)
        pair.shake_hands()
        self.assertEqual(pair.server.received, Above.greeting)
        self.assertTrue(pair.server.ended)
        self.assertTrue(pair.tcp.disconnecting)

    def test_abort_connection_cuts_at_once(self) -> None:
        """In any state nothing more is sent, not even a close_notify."""
        for pair in (self.pair(), self.open()):
            pair.to_server()
            pair.secure.abortConnection()
            pair.secure.write(b"too late")
            pair.secure.loseConnection()
            pair.to_client()
            self.assertTrue(pair.tcp.disconnected)
            self.assertEqual(pair.tcp.value(), b"")

    def test_an_abort_from_above_ends_the_read(self) -> None:
        """A protocol may cut the connection while it is called."""
        pair = self.open()
        pair.above.dataReceived = lambda data: pair.secure.abortConnection()  # type: ignore[method-assign]
        pair.server.send(b"one")
        pair.server.end()
        pair.to_client()
        self.assertTrue(pair.tcp.disconnected)
        self.assertEqual(pair.tcp.value(), b"")

    def test_renegotiation_is_refused(self) -> None:
        """A server that asks for it gets a warning and no new handshake."""
        options = PrivateCertificate.loadPEM(self.pem).options()
        context: Any = options.getContext()
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        server = SSL.Connection(context, None)
        server.set_accept_state()
        pair = self.pair()
        for _ in range(3):
            server.bio_write(pair.tcp.value() or b"\x16")
            pair.tcp.clear()
            try:
                server.do_handshake()
                break
            except SSL.WantReadError:
                pair.to_client(server.bio_read(65536))
        pair.to_client(server.bio_read(65536))
        pair.tcp.clear()
        self.assertTrue(server.renegotiate())
        server.do_handshake()
        pair.to_client(server.bio_read(65536))
        self.assertEqual(pair.tcp.value()[:1], b"\x15")  # an alert, not a handshake
        self.assertFalse(pair.tcp.disconnecting)


class Producer:
    """Records its calls."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda: self.told.append(name)


class BackPressureTests(Ends):
    """Back pressure in both directions."""

    def test_a_pause_stops_tcp(self) -> None:
        """The pause reaches TCP: there is no buffer of our own."""
        pair = self.open()
        pair.secure.pauseProducing()
        self.assertEqual(pair.tcp.producerState, "paused")
        pair.secure.resumeProducing()
        self.assertEqual(pair.tcp.producerState, "producing")

    def test_tcp_paces_a_producer(self) -> None:
        """The producer is registered with TCP, which knows how much data waits."""
        pair, producer = self.open(), Producer()
        pair.secure.registerProducer(producer, True)
        self.assertIs(pair.tcp.producer, producer)
        self.assertEqual(producer.told, [])
        pair.secure.unregisterProducer()
        self.assertIsNone(pair.tcp.producer)

    def test_a_producer_waits_for_the_handshake(self) -> None:
        """It waits for the handshake: before it, all data would queue up."""
        pair, producer = self.pair(), Producer()
        pair.secure.registerProducer(producer, True)
        self.assertEqual(producer.told, ["pauseProducing"])
        pair.shake_hands()
        self.assertEqual(producer.told, ["pauseProducing", "resumeProducing"])

    def test_a_close_waits_for_the_producer(self) -> None:
        """The close_notify comes after the last byte of the producer."""
        pair, producer = self.open(), Producer()
        pair.secure.registerProducer(producer, True)
        pair.secure.loseConnection()
        pair.secure.write(b"the rest")
        self.assertFalse(pair.tcp.disconnecting)
        pair.secure.unregisterProducer()
        pair.to_server()
        self.assertEqual(pair.server.received, Above.greeting + b"the rest")
        self.assertTrue(pair.server.ended)

    def test_a_producer_does_not_hold_up_the_end_of_a_dead_connection(self) -> None:
        """When the peer ends the connection, the producer is stopped and TCP is closed."""
        pair, producer = self.open(), Producer()
        pair.secure.registerProducer(producer, True)
        pair.server.end()
        pair.to_client()
        self.assertEqual(producer.told, ["stopProducing"])
        self.assertTrue(pair.tcp.disconnecting)
        late = Producer()
        pair.secure.registerProducer(late, True)
        self.assertEqual(late.told, ["stopProducing"])
