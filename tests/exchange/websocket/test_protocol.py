"""Tests for `gatherer.exchange.websocket.protocol`: the fast path against stock autobahn, byte for byte."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.exchange.interfaces import IWebSocketListener
from gatherer.exchange.websocket.client import compression_options
from gatherer.exchange.websocket.protocol import CLOSE_TIMEOUT
from tests.support.frames import BINARY, CLOSE, COMPRESSED, PING, PONG, TEXT, Deflater, close, fragments, frame, parse
from tests.support.sockets import URL, RecordingListener, Rig, acceptance

LIMIT = 70_000


class StockProtocol(WebSocketClientProtocol):
    """Stock autobahn that keeps its messages, except those after a close frame: they must be dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, bytes]] = []

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if not self.wasClean:
            self.seen.append(("binary" if isBinary else "text", payload))

    def onPing(self, payload: bytes) -> None:
        super().onPing(payload)
        self.seen.append(("ping", b""))


@dataclass
class Side:
    """One of the two clients that are compared."""

    protocol: Any
    transport: Any
    seen: Callable[[], list[tuple[str, bytes]]]

    def read(self, data: bytes) -> None:
        """A socket read, unless the client has hung up."""
        if not self.transport.lost:
            self.protocol.dataReceived(data)

    def close(self) -> None:
        """The application closes."""
        if self.protocol.state == self.protocol.STATE_OPEN:
            self.protocol.sendClose(1000)

    def said(self) -> list[tuple[int, bytes]]:
        """The frames it sent, without masks and without the words of a close reason."""
        return [(first, body[:2] if first == CLOSE else body) for first, body in parse(self.transport.value())]

    def outcome(self) -> tuple[int | None, int | None, int]:
        """Close codes and state."""
        return self.protocol.localCloseCode, self.protocol.remoteCloseCode, self.protocol.state


class PatientTransport(StringTransport):
    """Notes that it was cut."""

    lost = False

    def unregisterProducer(self) -> None:
        """There need not be one."""

    def loseConnection(self) -> None:
        self.lost = True

    abortConnection = loseConnection


def stock(extensions: str) -> tuple[Side, bytes]:
    """A stock client that has asked for the upgrade, with our limits, and its peer."""
    factory = WebSocketClientFactory(url=URL, reactor=Clock())
    factory.setProtocolOptions(
        failByDrop=False, openHandshakeTimeout=0, closeHandshakeTimeout=0, serverConnectionDropTimeout=0,
        maxFramePayloadSize=LIMIT, maxMessagePayloadSize=LIMIT, **compression_options(bool(extensions)),
    )  # fmt: skip
    factory.protocol = StockProtocol
    protocol: Any = factory.buildProtocol(None)
    transport = PatientTransport()
    protocol.makeConnection(transport)
    transport.clear()
    return Side(protocol, transport, lambda: protocol.seen), acceptance(protocol, extensions)


def ours(extensions: str) -> tuple[Side, bytes]:
    """Our client in the same state."""
    rig = Rig(compression=bool(extensions))
    rig.client.setProtocolOptions(maxFramePayloadSize=LIMIT, maxMessagePayloadSize=LIMIT)
    rig.client.start()
    rig.clock.advance(0)
    protocol = rig.connector.accept()
    rig.connector.transport.clear()
    side = Side(protocol, rig.connector.transport, lambda: what_was_seen(rig.listener))
    return side, acceptance(protocol, extensions)


def what_was_seen(listener: RecordingListener) -> list[tuple[str, bytes]]:
    """The listener's calls in the words of `StockProtocol`."""
    seen: list[tuple[str, bytes]] = []
    for call in listener.calls:
        if call[0] == "received":
            seen.extend(("text", payload) for payload in call[1])
        elif call[0] == "undecodable":
            seen.append(("binary", call[1]))
        elif call[0] == "pinged":
            seen.append(("ping", b""))
    return seen


def messages_and_pings(seen: list[tuple[str, bytes]]) -> tuple[list[tuple[str, bytes]], int]:
    """The messages in order, and the number of pings: a ping may be reported before the texts of its read."""
    messages = [event for event in seen if event[0] != "ping"]
    return messages, len(seen) - len(messages)


short = st.binary(max_size=20)
texts = st.one_of(
    st.text(max_size=30).map(str.encode),
    st.sampled_from([125, 126, 127, 300, 0xFFFF, 0x10000, LIMIT, LIMIT + 1]).map(lambda size: b"x" * size),
    st.binary(max_size=10),
)
between = st.sampled_from([b"", frame(b"heartbeat", PING), frame(b"", PONG), frame(b"", PING) * 3, close(1001)])
right = st.one_of(
    texts.map(frame),
    texts.map(lambda body: frame(body, BINARY)),
    short.map(lambda body: frame(body, PING)),
    short.map(lambda body: frame(body, PONG)),
    st.builds(
        fragments,
        st.lists(st.one_of(st.text(max_size=5).map(str.encode), st.binary(max_size=9)), min_size=1, max_size=4),
        st.sampled_from([TEXT, BINARY]),
        between,
    ),
    st.text(min_size=1, max_size=30).map(lambda text: fragments([bytes([one]) for one in text.encode()])),
)
wrong = st.one_of(
    st.sampled_from([close(1000, b"bye"), close(1005), close(999), close(1000, b"\xff"), frame(b"", CLOSE)]),
    st.sampled_from([frame(b"\x03", CLOSE), close(4999, b"x" * 123), close(5000), frame(b"x" * 126, CLOSE)]),
    short.map(lambda body: frame(body, TEXT, b"mask")),
    st.builds(frame, short, st.integers(0, 255)),
    st.sampled_from([b"\x81\x7e\x00\x05hello", b"\x81\x7f" + (9).to_bytes(8, "big") + b"not short"]),
    st.sampled_from([b"\x82\x7f" + b"\xff" * 8, b"\x81\x7f\x7f" + b"\xff" * 7, frame(b"x" * 126, PING)]),
    st.lists(st.sampled_from([40_000, 20_000]), min_size=2, max_size=3).map(
        lambda sizes: fragments([b"x" * size for size in sizes])
    ),
    st.binary(min_size=1, max_size=12),
)
packed = st.one_of(
    texts.map(lambda body: Deflater().frame(body)),
    short.map(lambda body: Deflater().frame(body, BINARY)),
    texts.map(lambda body: fragments([Deflater().squeeze(body)[:4], Deflater().squeeze(body)[4:]], TEXT | COMPRESSED)),
    st.just(Deflater().frame(bytes(LIMIT + 1))),
    st.builds(frame, short, st.integers(0xC0, 0xCF)),
)


class DifferentialTests(SynchronousTestCase):
    """The exchange may send anything and TCP may cut it anywhere: both clients see the same."""

    def compare(self, extensions: str, stream: list[bytes], data: st.DataObject) -> None:
        """The upgrade and the stream in some reads, with or without the end. We may close in the middle."""
        (their, opening), (our, answer) = stock(extensions), ours(extensions)
        rest = b"".join(stream)
        rest = rest[: len(rest) - data.draw(st.sampled_from([0, 0, 1, 2, 7, 100]))]
        length = len(opening) + len(rest)
        cuts = sorted(data.draw(st.sets(st.integers(0, length), max_size=6)) | {0, length})
        closing = data.draw(st.sampled_from([0] * 5 + cuts))
        for begin, end in pairwise(cuts):
            their.read((opening + rest)[begin:end])
            our.read((answer + rest)[begin:end])
            if end == closing:
                their.close()
                our.close()
        for side in (their, our) * len(stream):
            if side.protocol.failedByMe:
                side.read(b"")  # a violation stops autobahn's parser until the next read
        if their.protocol.localCloseCode == 1007 and our.protocol._tail_missing:
            return  # an incomplete frame: stock fails at its first wrong byte, we fail when it is complete
        self.assertEqual(messages_and_pings(our.seen()), messages_and_pings(their.seen()))
        self.assertEqual(our.said(), their.said())
        self.assertEqual(our.outcome(), their.outcome())

    @settings(max_examples=500, deadline=None)
    @given(st.lists(st.one_of(right, right, wrong), min_size=1, max_size=8), st.data())
    def test_same_messages_same_close_codes(self, stream: list[bytes], data: st.DataObject) -> None:
        """Both have the same messages in the same order, the same pongs, close codes and state."""
        self.compare("", stream, data)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.one_of(right, packed, packed, wrong), min_size=1, max_size=8), st.data())
    def test_the_same_with_compression(self, stream: list[bytes], data: st.DataObject) -> None:
        """Each message is deflated alone, as by a server that keeps no context."""
        self.compare("permessage-deflate; server_no_context_takeover", stream, data)


class ExchangeProtocolTests(SynchronousTestCase):
    """Rules that the comparison cannot show."""

    def setUp(self) -> None:
        self.rig = Rig()
        self.protocol = self.rig.open()
        self.listener = self.rig.listener

    def test_the_fake_listener_is_a_listener(self) -> None:
        """The contract holds for the fake."""
        verifyObject(IWebSocketListener, self.listener)

    def test_one_call_for_all_messages_of_a_read(self) -> None:
        """The messages after a ping take the fast path."""
        self.protocol.dataReceived(frame(b"1") + frame(b"2") + frame(b"heartbeat", PING) + frame(b"3"))
        self.assertEqual(self.listener.texts, [b"1", b"2", b"3"])
        self.assertEqual([call[0] for call in self.listener.calls], ["opened", "pinged", "received"])

    def test_pings_are_answered(self) -> None:
        """The pong carries the ping's payload, masked."""
        self.rig.connector.transport.clear()
        self.protocol.dataReceived(frame(b"heartbeat", PING))
        sent = self.rig.connector.transport.value()
        self.assertEqual(sent[:2], b"\x8a\x89")
        self.assertEqual(bytes(b ^ sent[2 + i % 4] for i, b in enumerate(sent[6:])), b"heartbeat")

    def test_a_huge_message_in_small_reads_is_joined_once(self) -> None:
        """The pieces wait in a list and do not pass autobahn."""
        payload = b"[" + b"1," * 400_000 + b"1]"
        data = frame(payload)
        for start in range(0, len(data), 65536):
            self.assertEqual(self.protocol.data, b"")
            self.protocol.dataReceived(data[start : start + 65536])
        self.assertEqual(self.listener.texts, [payload])

    def test_the_fast_path_is_back_after_a_header_was_cut(self) -> None:
        """Autobahn has the first byte of a header; the next read takes it back."""
        data = frame(b"one") + frame(b"two")
        self.protocol.dataReceived(data[:6])
        self.protocol.dataReceived(data[6:] + frame(b"three"))
        self.assertEqual(self.listener.texts, [b"one", b"two", b"three"])
        self.assertIsNone(self.protocol.current_frame)
        self.assertEqual(self.protocol.data, b"")

    def test_a_listener_that_fails_does_not_break_the_parser(self) -> None:
        """The error is logged and counted, and the next read is handled."""
        failing = True

        def received(payloads: list[bytes], received_at: int) -> None:
            if failing:
                raise ValueError("bug")
            self.listener.calls.append(("received", payloads, received_at))

        self.listener.received = received  # type: ignore[method-assign]
        self.protocol.dataReceived(frame(b"1"))
        failing = False
        self.protocol.dataReceived(frame(b"2"))
        self.assertEqual(self.listener.texts, [b"2"])
        self.assertEqual(self.rig.client.internal_errors, 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_a_closing_handshake_that_is_not_finished_is_cut(self) -> None:
        """The exchange asks for a close and keeps the socket open. The socket is dropped after a while."""
        self.protocol.dataReceived(frame((1001).to_bytes(2, "big") + b"going away", 0x88))
        self.assertFalse(self.rig.connector.transport.lost)
        self.rig.clock.advance(CLOSE_TIMEOUT)
        self.assertTrue(self.rig.connector.transport.lost)
        self.rig.clock.advance(0)
        self.assertIn("1001", str(self.listener.calls[-1][1]))

    def test_a_close_of_ours_in_the_middle_of_a_message(self) -> None:
        """The rest of a message does not count as frames: the message arrives, and so does the exchange's answer."""
        whole = frame(b"[" + b"\x88" * 300 + b"]", BINARY) + frame(b"x" * 300)
        self.protocol.dataReceived(whole[:400])
        self.protocol.sendClose(1000)
        self.protocol.dataReceived(whole[400:] + close(1000))
        self.assertEqual(self.listener.texts, [b"x" * 300])
        self.assertEqual((self.protocol.localCloseCode, self.protocol.remoteCloseCode), (1000, 1000))

    def test_invalid_utf8_is_closed_with_1007(self) -> None:
        """The standard requires it. The reason names the side that closed, and the cause."""
        self.protocol.dataReceived(frame(b"\xff\xfe"))
        self.rig.clock.advance(CLOSE_TIMEOUT)
        self.rig.clock.advance(0)
        self.assertIn("1007", str(self.listener.calls[-1][1]))
