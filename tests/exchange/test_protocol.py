"""Tests for `gatherer.exchange.protocol`: the fast path against stock autobahn, byte for byte."""

from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.exchange.interfaces import IWebSocketListener
from gatherer.exchange.protocol import CLOSE_TIMEOUT, ExchangeProtocol
from tests.support.sockets import URL, RecordingListener, Rig, acceptance

LIMIT = 70_000


def frame(payload: bytes, first: int = 0x81, mask: bytes = b"") -> bytes:
    """One frame; `first` is FIN, RSV and opcode."""
    bit, size = (0x80 if mask else 0), len(payload)
    if size < 126:
        head = bytes([first, bit | size])
    elif size <= 0xFFFF:
        head = bytes([first, bit | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, bit | 127]) + size.to_bytes(8, "big")
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)) if mask else payload
    return head + mask + body


class StockProtocol(WebSocketClientProtocol):
    """Autobahn as it comes, its messages kept."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, bytes]] = []

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.seen.append(("binary" if isBinary else "text", payload))

    def onPing(self, payload: bytes) -> None:
        super().onPing(payload)
        self.seen.append(("ping", b""))


class PatientTransport(StringTransport):
    """Has no producer to miss."""

    def unregisterProducer(self) -> None:
        """There need not be one."""


def stock() -> tuple[StockProtocol, StringTransport]:
    """A stock client, open, with the limits of ours."""
    factory = WebSocketClientFactory(url=URL, reactor=Clock())
    factory.setProtocolOptions(
        failByDrop=False, openHandshakeTimeout=0, closeHandshakeTimeout=0, serverConnectionDropTimeout=0,
        maxFramePayloadSize=LIMIT, maxMessagePayloadSize=LIMIT,
    )  # fmt: skip
    factory.protocol = StockProtocol
    protocol: Any = factory.buildProtocol(None)
    transport = PatientTransport()
    protocol.makeConnection(transport)
    protocol.dataReceived(acceptance(protocol))
    return protocol, transport


def ours() -> tuple[ExchangeProtocol, Any, RecordingListener]:
    """Our client, open."""
    rig = Rig()
    rig.client.setProtocolOptions(maxFramePayloadSize=LIMIT, maxMessagePayloadSize=LIMIT)
    protocol = rig.open()
    return protocol, rig.connector.transport, rig.listener


def outcome(protocol: Any) -> tuple[int | None, int | None, int]:
    """Close codes and state."""
    return protocol.localCloseCode, protocol.remoteCloseCode, protocol.state


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
    """The messages in order, and how many pings: a ping may be told before the texts of its read."""
    messages = [event for event in seen if event[0] != "ping"]
    return messages, len(seen) - len(messages)


texts = st.one_of(
    st.text(max_size=30).map(str.encode),
    st.sampled_from([125, 126, 127, 300, 0xFFFF, 0x10000, LIMIT, LIMIT + 1]).map(lambda size: b"x" * size),
    st.binary(max_size=10),
)
pieces = st.one_of(
    texts.map(frame),
    texts.map(frame),
    st.binary(max_size=20).map(lambda body: frame(body, 0x82)),
    st.binary(max_size=20).map(lambda body: frame(body, 0x89)),
    st.binary(max_size=20).map(lambda body: frame(body, 0x8A)),
    st.lists(st.binary(max_size=9), min_size=2, max_size=4).map(
        lambda parts: (
            frame(parts[0], 0x01)
            + b"".join(frame(part, 0x00) for part in parts[1:-1])
            + frame(b"heartbeat", 0x89)
            + frame(parts[-1], 0x80)
        )
    ),
    st.sampled_from([frame((1000).to_bytes(2, "big") + b"bye", 0x88), frame(b"", 0x88), frame(b"\x00", 0x88)]),
    st.binary(max_size=20).map(lambda body: frame(body, 0x81, b"mask")),
    st.sampled_from([b"\x81\x7e\x00\x05hello", frame(b"x", 0xC1), frame(b"x", 0x80), frame(b"x" * 126, 0x89)]),
    st.binary(min_size=1, max_size=12),
)


class DifferentialTests(SynchronousTestCase):
    """Whatever the exchange sends, and however TCP cuts it, both see the same."""

    @settings(max_examples=400, deadline=None)
    @given(st.lists(pieces, min_size=1, max_size=8), st.data())
    def test_same_messages_same_close_codes(self, stream: list[bytes], data: st.DataObject) -> None:
        """Same messages in the same order, same pongs, same close codes, same state."""
        whole = b"".join(stream)
        cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=6)))
        reads = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if a < b]
        their, _ = stock()
        our, transport, listener = ours()
        transport.clear()
        for read in reads:
            their.dataReceived(read)
            if not transport.lost:
                our.dataReceived(read)
        self.assertEqual(messages_and_pings(what_was_seen(listener)), messages_and_pings(their.seen))
        self.assertEqual(outcome(our), outcome(their))


class ExchangeProtocolTests(SynchronousTestCase):
    """What the differential test cannot see."""

    def setUp(self) -> None:
        self.rig = Rig()
        self.protocol = self.rig.open()
        self.listener = self.rig.listener

    def test_the_fake_listener_is_a_listener(self) -> None:
        """The contract holds for the fake as well."""
        verifyObject(IWebSocketListener, self.listener)

    def test_one_call_for_all_messages_of_a_read(self) -> None:
        """A ping in the middle does not put the messages behind it on the long way."""
        self.protocol.dataReceived(frame(b"1") + frame(b"2") + frame(b"heartbeat", 0x89) + frame(b"3"))
        self.assertEqual(self.listener.texts, [b"1", b"2", b"3"])
        self.assertEqual([call[0] for call in self.listener.calls], ["opened", "pinged", "received"])

    def test_pings_are_answered(self) -> None:
        """The pong carries the ping's payload, masked."""
        self.rig.connector.transport.clear()
        self.protocol.dataReceived(frame(b"heartbeat", 0x89))
        sent = self.rig.connector.transport.value()
        self.assertEqual(sent[:2], b"\x8a\x89")
        self.assertEqual(bytes(b ^ sent[2 + i % 4] for i, b in enumerate(sent[6:])), b"heartbeat")

    def test_a_huge_message_in_small_reads_is_joined_once(self) -> None:
        """The pieces wait in a list; autobahn never sees them."""
        payload = b"[" + b"1," * 400_000 + b"1]"
        data = frame(payload)
        for start in range(0, len(data), 65536):
            self.assertEqual(self.protocol.data, b"")
            self.protocol.dataReceived(data[start : start + 65536])
        self.assertEqual(self.listener.texts, [payload])

    def test_the_fast_path_is_back_after_a_header_was_cut(self) -> None:
        """Autobahn keeps the first byte of a header; the next read takes it back."""
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
        """The exchange asks for a close and keeps the socket open: it is dropped after a while."""
        self.protocol.dataReceived(frame((1001).to_bytes(2, "big") + b"going away", 0x88))
        self.assertFalse(self.rig.connector.transport.lost)
        self.rig.clock.advance(CLOSE_TIMEOUT)
        self.assertTrue(self.rig.connector.transport.lost)
        self.rig.clock.advance(0)
        self.assertIn("1001", str(self.listener.calls[-1][1]))

    def test_invalid_utf8_is_closed_with_1007(self) -> None:
        """As the standard demands; the reason says which side closed and why."""
        self.protocol.dataReceived(frame(b"\xff\xfe"))
        self.rig.clock.advance(CLOSE_TIMEOUT)
        self.rig.clock.advance(0)
        self.assertIn("1007", str(self.listener.calls[-1][1]))
