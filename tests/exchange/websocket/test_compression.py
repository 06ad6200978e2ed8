"""Tests for compression in `gatherer.exchange.websocket.client`: its agreement, and its limit of memory."""

import tracemalloc
import zlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.errors import RemoteProtocolError
from gatherer.exchange.websocket.client import MAX_MESSAGE
from tests.support.frames import BINARY, COMPRESSED, PING, TEXT, Deflater, close, fragments, frame, parse
from tests.support.sockets import Rig

DEFLATE = "permessage-deflate"
MESSAGE = b'{"type":"orderbook_delta","sid":1,"seq":1,"msg":{"market_ticker":"KXHIGHNY-26NOV24-B45.5"}}'


class Case(SynchronousTestCase):
    """A client that offers compression."""

    def open(self, extensions: str = DEFLATE, offered: bool = True) -> Any:
        """The answer to the upgrade has these extensions."""
        self.rig = Rig(compression=offered)
        protocol = self.rig.open(extensions)
        self.listener = self.rig.listener
        return protocol

    def fate(self) -> str:
        """The reason of the lost socket."""
        self.rig.clock.advance(3)
        name, error = self.listener.calls[-1]
        self.assertEqual(name, "closed")
        self.assertIsInstance(error, RemoteProtocolError)
        return str(error)


class AgreementTests(Case):
    """The upgrade."""

    def test_it_is_offered_when_asked_for(self) -> None:
        """It is offered when it is enabled, and only then."""
        for offered in (False, True):
            rig = Rig(compression=offered)
            rig.client.start()
            rig.clock.advance(0)
            rig.connector.accept()
            self.assertEqual(DEFLATE.encode() in rig.connector.transport.value(), offered)

    def test_granted_parameters_are_kept_to(self) -> None:
        """The server may choose any parameters of the standard: both directions work."""
        for text, takeover, window in (
            ("", True, 15),
            ("; server_no_context_takeover", False, 15),
            ("; client_no_context_takeover", True, 15),
            ("; server_max_window_bits=9", True, 9),
            ('; server_max_window_bits="12"', True, 12),
            ("; client_max_window_bits=10; server_no_context_takeover; client_no_context_takeover", False, 15),
        ):
            protocol = self.open(DEFLATE + text)
            self.rig.connector.transport.clear()
            server = Deflater(takeover, window)
            protocol.dataReceived(server.frame(MESSAGE) + server.frame(MESSAGE))
            self.assertEqual(self.listener.texts, [MESSAGE, MESSAGE], text)
            self.rig.client.send(MESSAGE)
            self.rig.client.send(MESSAGE)
            sent = parse(self.rig.connector.transport.value())
            self.assertEqual([first for first, _ in sent], [TEXT | COMPRESSED] * 2)
            inflate = zlib.decompressobj(wbits=-(10 if "client_max_window_bits=10" in text else 15))
            for _, payload in sent:
                if "client_no_context_takeover" in text:
                    inflate = zlib.decompressobj(wbits=-15)
                self.assertEqual(inflate.decompress(payload + b"\x00\x00\xff\xff"), MESSAGE, text)

    def test_answers_that_are_refused(self) -> None:
        """Extensions that were not offered, that are not in the standard, or that come twice are refused."""
        for answer, offered in (
            (DEFLATE, False),
            (DEFLATE + "; server_max_window_bits=16", True),
            (DEFLATE + "; server_max_window_bits=7", True),
            (DEFLATE + "; server_max_window_bits", True),
            (DEFLATE + "; client_max_window_bits=0", True),
            (DEFLATE + "; server_no_context_takeover=1", True),
            (DEFLATE + "; server_no_context_takeover; server_no_context_takeover", True),
            (DEFLATE + "; level=9", True),
            (f"{DEFLATE}, {DEFLATE}", True),
            ("permessage-bzip2", True),
            ("x-webkit-deflate-frame", True),
        ):
            protocol = self.open(answer, offered)
            protocol.dataReceived(frame(b"not heard"))
            error = self.fate()
            self.assertEqual(len(self.listener.calls), 1, answer)
            self.assertRegex(error, "extension", answer)


class StreamTests(Case):
    """Messages."""

    @settings(max_examples=60, deadline=None)
    @given(
        st.booleans(),
        st.lists(st.tuples(st.sampled_from("cpfb"), st.text(max_size=200)), max_size=12),
        st.lists(st.integers(0, 5000), max_size=8),
    )
    def test_compressed_and_plain_in_order(self, takeover: bool, plan: list[tuple[str, str]], cuts: list[int]) -> None:
        """Compressed, plain and fragmented messages, cut anywhere, arrive once, in order, with the same bytes."""
        protocol = self.open(DEFLATE if takeover else DEFLATE + "; server_no_context_takeover")
        server, data, texts = Deflater(takeover), b"", []
        for kind, text in plan:
            payload = text.encode()
            if kind == "b":
                data += server.frame(payload, BINARY)
                continue
            texts.append(payload)
            if kind == "p":
                data += frame(payload)
            elif kind == "c":
                data += server.frame(payload)
            else:
                packed = server.squeeze(payload)
                data += fragments([packed[:3], packed[3:]], TEXT | COMPRESSED, between=frame(b"", PING))
        at = 0
        for cut in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
            if cut > at:
                protocol.dataReceived(data[at:cut])
                at = cut
        self.assertEqual(self.listener.texts, texts)
        binary = [call for call in self.listener.calls if call[0] == "undecodable"]
        self.assertEqual([call[1] for call in binary], [text.encode() for kind, text in plan if kind == "b"])

    def test_the_fast_path_stays(self) -> None:
        """A server may send single messages plain. They do not pass autobahn."""
        protocol = self.open()
        self.patch(protocol, "_dataReceived", lambda data: self.fail("the long way"))
        protocol.dataReceived(frame(b"one") + frame(b"two"))
        self.assertEqual(self.listener.texts, [b"one", b"two"])

    def test_what_is_no_deflate_fails_it(self) -> None:
        """It fails with code 1007 and gives no message."""
        for body in (b"\xff\xff\xff\xff", b"\x07"):
            protocol = self.open()
            protocol.dataReceived(frame(body, TEXT | COMPRESSED))
            self.assertEqual(protocol.localCloseCode, 1007)
            self.assertEqual(self.listener.texts, [])

    def test_what_inflates_to_invalid_utf8_fails_it(self) -> None:
        """The rule for texts applies to the inflated bytes."""
        protocol = self.open()
        protocol.dataReceived(Deflater().frame(b"\xff\xfe"))
        self.assertEqual((protocol.localCloseCode, self.listener.texts), (1007, []))

    def test_the_reserved_bit_is_for_first_data_frames(self) -> None:
        """Continuations and control frames must not have it: code 1002."""
        packed = Deflater().squeeze(MESSAGE)
        for data in (
            frame(packed[:4], 0x41) + frame(packed[4:], 0xC0),
            frame(b"", PING | COMPRESSED),
            close(1000).replace(b"\x88", b"\xc8", 1),
            frame(packed, TEXT | 0x20),
        ):
            protocol = self.open()
            protocol.dataReceived(data)
            self.assertEqual((protocol.localCloseCode, self.listener.texts), (1002, []))

    def test_the_bit_without_an_agreement(self) -> None:
        """It is a violation."""
        protocol = self.open("")
        protocol.dataReceived(Deflater().frame(MESSAGE))
        self.assertEqual((protocol.localCloseCode, self.listener.texts), (1002, []))


class BombTests(Case):
    """A small frame that inflates to something huge."""

    def explode(self, data: bytes, limit: int) -> tuple[Any, int]:
        """The protocol after these bytes, and the most memory that took."""
        protocol = self.open()
        protocol.maxMessagePayloadSize = limit
        tracemalloc.start()
        try:
            protocol.dataReceived(data)
            return protocol, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def test_inflation_stops_at_the_limit(self) -> None:
        """200 MB in a frame of 200 KB: code 1009, and memory of a few times the limit, with any cuts."""
        packed, limit = Deflater().squeeze(bytes(200_000_000)), 1_000_000
        self.assertLess(len(packed), 250_000)
        tenth = len(packed) // 10
        parts = [packed[at : at + tenth] for at in range(0, len(packed), tenth)]
        for data in (frame(packed, TEXT | COMPRESSED), fragments(parts, TEXT | COMPRESSED)):
            protocol, most = self.explode(data, limit)
            self.assertEqual(protocol.localCloseCode, 1009)
            self.assertEqual(self.listener.texts, [])
            self.assertLess(most, 6 * limit)
            self.assertIn("closed with code 1009", self.fate())

    def test_a_message_of_the_limit_passes(self) -> None:
        """One byte more does not pass."""
        for size, code in ((100_000, None), (100_001, 1009)):
            protocol, _ = self.explode(Deflater().frame(b"x" * size), 100_000)
            self.assertEqual(protocol.localCloseCode, code)
            self.assertEqual(len(self.listener.texts), code is None)

    def test_the_limit_is_that_of_plain_messages(self) -> None:
        """Both limits are the same number."""
        self.assertEqual(self.open().maxMessagePayloadSize, MAX_MESSAGE)

    def test_what_follows_a_bomb_is_not_listened_to(self) -> None:
        """Messages after it are dropped during the closing handshake."""
        server = Deflater()
        protocol, _ = self.explode(server.frame(bytes(10_000_000)) + frame(b"plain") + server.frame(b"more"), 1000)
        protocol.dataReceived(frame(b"later"))
        self.assertEqual((protocol.localCloseCode, self.listener.texts), (1009, []))
