"""The rules of RFC 6455 and RFC 7692 for a client, case by case, in the order of the Autobahn Testsuite's groups.

Each case is played three times: in one read, in a read per frame, and in a read per byte.
`tests.integration.test_autobahn_testsuite` runs the suite itself where it is installed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from gatherer.exchange.websocket.client import MAX_MESSAGE
from tests.support.frames import BINARY, CLOSE, COMPRESSED, PING, PONG, TEXT, Deflater, close, fragments, frame, parse
from tests.support.sockets import Rig

OPEN_TEXT, OPEN_BINARY, MORE, LAST = 0x01, 0x02, 0x00, 0x80
"""First bytes of the frames of a fragmented message."""
GREEK = "κόσμε"
SIZES = (0, 1, 125, 126, 127, 128, 65535, 65536)

VALID_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
INVALID_CODES = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535)

INVALID_UTF8 = (
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",  # a surrogate in the middle
    b"\x80", b"\xbf", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf",  # stray and overlong
    b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf",
    b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\x80\xed\xb0\x80",  # surrogates, single and paired
    b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff",  # beyond Unicode
    b"\xce", b"\xe1\xbd", b"\xf0\x9f\x98",  # cut off
)  # fmt: skip
VALID_UTF8 = (GREEK, "\x00", "\x7f", "\x80", "߿", "ࠀ", "\uffff", "\ufdd0", "\U00010000", "\U0010ffff", "퟿", "\ue000")


@dataclass
class Expected:
    """The expected result of a case: what the listener gets, and what the server does."""

    texts: list[bytes] = field(default_factory=list)
    binary: list[bytes] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    code: int | None = None
    """The code in our close frame; None if we send none."""


class Case(SynchronousTestCase):
    """Plays frames to an open client."""

    extensions = ""

    def play(self, reads: Iterable[bytes]) -> Expected:
        """The result of these reads."""
        rig = Rig(compression=bool(self.extensions))
        protocol: Any = rig.open(self.extensions)
        transport = rig.connector.transport
        transport.clear()
        for read in reads:
            if not transport.lost:
                protocol.dataReceived(read)
        said = parse(transport.value())
        closes = [int.from_bytes(body[:2], "big") for first, body in said if first == CLOSE]
        self.assertLessEqual(len(closes), 1)
        self.assertEqual({first for first, _ in said} - {PONG, CLOSE}, set())
        return Expected(
            rig.listener.texts,
            [call[1] for call in rig.listener.calls if call[0] == "undecodable"],
            [body for first, body in said if first == PONG],
            closes[0] if closes else None,
        )

    def check(self, frames: list[bytes], **expected: Any) -> None:
        """The result is the same in one read, in a read per frame and, unless it is long, in a read per byte."""
        whole = b"".join(frames)
        wanted = Expected(**expected)
        for reads in ([whole], frames, [whole[at : at + 1] for at in range(len(whole))] if len(whole) < 1000 else []):
            if reads:
                self.assertEqual(self.play(reads), wanted, whole[:60])


class FramingTests(Case):
    """Groups 1 and 2: sizes, pings and pongs."""

    def test_texts_of_every_size(self) -> None:
        """1.1: around each form of the length."""
        for size in SIZES:
            self.check([frame(b"*" * size), frame(b"next")], texts=[b"*" * size, b"next"])

    def test_binary_messages_of_every_size(self) -> None:
        """1.2: they are not data of the exchange, and are reported one by one."""
        for size in SIZES:
            self.check([frame(b"\xfe" * size, BINARY)], binary=[b"\xfe" * size])

    def test_pings(self) -> None:
        """2.1 to 2.4 and 2.6: each is answered with its own payload."""
        for body in (b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125):
            self.check([frame(body, PING)], pongs=[body])

    def test_a_ping_that_is_too_long(self) -> None:
        """2.5: 126 bytes are a violation."""
        self.check([frame(b"\xfe" * 126, PING), frame(b"behind")], code=1002)

    def test_pongs_nobody_asked_for(self) -> None:
        """2.7 to 2.9: they are ignored, and the next ping is answered."""
        self.check([frame(b"", PONG), frame(b"unsolicited", PONG), frame(b"ping", PING)], pongs=[b"ping"])

    def test_many_pings(self) -> None:
        """2.10 and 2.11: in order."""
        bodies = [b"payload-%d" % i for i in range(10)]
        self.check([frame(body, PING) for body in bodies], pongs=bodies)


class ViolationTests(Case):
    """Groups 3 and 4: bits and opcodes without a meaning, and masks."""

    def test_reserved_bits(self) -> None:
        """3.1 to 3.7: without an extension none of them may be set in any kind of frame. Earlier messages count."""
        for bits in range(1, 8):
            for first in (TEXT, BINARY, PING, PONG, CLOSE):
                wrong = frame(b"\x03\xe8", first | bits << 4)
                self.check([frame(b"before"), wrong, frame(b"after")], texts=[b"before"], code=1002)

    def test_reserved_opcodes(self) -> None:
        """4.1 and 4.2: five of data, five of control."""
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
            for body in (b"", b"payload"):
                wrong = frame(body, 0x80 | opcode)
                self.check([frame(b"before"), wrong, frame(b"ping", PING)], texts=[b"before"], code=1002)

    def test_masked_frames(self) -> None:
        """A server does not mask (section 5.1)."""
        for first in (TEXT, BINARY, PING, CLOSE):
            self.check([frame(b"before"), frame(b"\x03\xe8", first, b"mask")], texts=[b"before"], code=1002)

    def test_lengths_that_are_not_minimal(self) -> None:
        """Section 5.2 allows one form for each length, and none above 63 bits."""
        for wrong in (
            b"\x81\x7e\x00\x7d" + b"x" * 125,
            b"\x82\x7e\x00\x00",
            b"\x81\x7f" + (65535).to_bytes(8, "big") + b"x" * 65535,
            b"\x81\x7f" + (1 << 63).to_bytes(8, "big"),
        ):
            self.check([frame(b"before"), wrong], texts=[b"before"], code=1002)


class FragmentTests(Case):
    """Group 5."""

    def test_fragmented_control_frames(self) -> None:
        """5.1 and 5.2: a control frame must not be fragmented."""
        for first in (PING, PONG, CLOSE):
            self.check([frame(b"frag", first & 0x0F), frame(b"ment", LAST)], code=1002)

    def test_fragmented_messages(self) -> None:
        """5.3 to 5.5: fragments are joined, also when a cut is within a character or a fragment is empty."""
        for parts in ([b"frag", b"ment"], [b"", b"", b""], [b"", b"middle", b""], [b"a"] * 20):
            self.check([fragments(parts)], texts=[b"".join(parts)])
            self.check([fragments(parts, BINARY)], binary=[b"".join(parts)])

    def test_control_frames_between_fragments(self) -> None:
        """5.6 to 5.8 and 5.19, 5.20: a ping is answered at once, and the message continues."""
        first, second = frame(b"frag", OPEN_TEXT), frame(b"ment", LAST)
        self.check([first, frame(b"ping", PING), second], texts=[b"fragment"], pongs=[b"ping"])
        self.check([first, frame(b"pong", PONG), second, frame(b"")], texts=[b"fragment", b""])
        pings = [frame(b"ping", PING)] * 3
        self.check([first, *pings, frame(b"-", MORE), *pings, second], texts=[b"frag-ment"], pongs=[b"ping"] * 6)

    def test_a_close_between_fragments(self) -> None:
        """The message is never complete, so the listener does not get it."""
        self.check([frame(b"frag", OPEN_TEXT), close(1000), frame(b"ment", LAST)], code=1000)

    def test_a_continuation_of_nothing(self) -> None:
        """5.9 to 5.14, 5.16 and 5.17: a last or middle fragment needs a first one, also after a message."""
        for first in (LAST, MORE):
            self.check([frame(b"lost", first), frame(b"after")], code=1002)
            self.check([frame(b"before"), frame(b"lost", first)], texts=[b"before"], code=1002)
            self.check([fragments([b"a", b"b"]), frame(b"lost", first)], texts=[b"ab"], code=1002)

    def test_a_message_within_a_message(self) -> None:
        """5.18: a message must end before the next begins, in one piece or in several."""
        for first in (TEXT, BINARY, OPEN_TEXT, OPEN_BINARY):
            self.check([frame(b"frag", OPEN_TEXT), frame(b"other", first), frame(b"ment", LAST)], code=1002)


class Utf8Tests(Case):
    """Group 6."""

    def test_valid_texts(self) -> None:
        """6.1, 6.2, 6.5 to 6.23: in one frame, in fragments, and in fragments of a byte."""
        for text in (*VALID_UTF8, *(GREEK + text for text in VALID_UTF8)):
            body = text.encode()
            self.check([frame(body)], texts=[body])
            self.check([fragments([body[:1], body[1:]])], texts=[body])
            self.check([fragments([bytes([byte]) for byte in body])], texts=[body])

    def test_invalid_texts(self) -> None:
        """6.3 to 6.21: code 1007, in one frame and in fragments. The listener gets nothing."""
        for body in (*INVALID_UTF8, *(GREEK.encode() + body for body in INVALID_UTF8)):
            self.check([frame(body), frame(b"after")], code=1007)
            self.check([fragments([body[:1], body[1:]]), frame(b"after")], code=1007)
            self.check([fragments([bytes([byte]) for byte in body])], code=1007)

    def test_fragments_fail_at_once(self) -> None:
        """6.4: the connection fails before the end of the message."""
        self.check([frame(GREEK.encode(), OPEN_TEXT), frame(b"\xf4\x90\x80\x80", MORE)], code=1007)
        self.check([frame(GREEK.encode() + b"\xed\xa0\x80", OPEN_TEXT)], code=1007)

    def test_control_frames_between_the_bytes_of_a_character(self) -> None:
        """They do not confuse the validator."""
        first, second = GREEK.encode()[:3], GREEK.encode()[3:]
        self.check([fragments([first, second], between=frame(b"\xff", PING))], texts=[first + second], pongs=[b"\xff"])


class CloseTests(Case):
    """Group 7. We answer a close with code 1000, and a wrong one with 1002."""

    def test_a_close_is_answered_once(self) -> None:
        """7.1: everything after it is ignored."""
        for behind in ([], [close(1000)], [frame(b"ping", PING)], [frame(b"text")], [b"\xff\xff\xff"]):
            self.check([frame(b"before"), close(1000), *behind], texts=[b"before"], code=1000)

    def test_payloads(self) -> None:
        """7.3: nothing, a code, or a code and a reason of up to 123 bytes are valid. One byte or 126 bytes are not."""
        self.check([frame(b"", CLOSE)], code=1000)
        self.check([close(1000, b"Hello World!")], code=1000)
        self.check([close(1000, b"*" * 123)], code=1000)
        self.check([frame(b"a", CLOSE)], code=1002)
        self.check([close(1000, b"*" * 124)], code=1002)

    def test_reasons_are_texts(self) -> None:
        """7.5: invalid UTF-8 in a reason."""
        self.check([close(1000, GREEK.encode())], code=1000)
        self.check([close(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80")], code=1007)

    def test_valid_codes(self) -> None:
        """7.7."""
        for code in VALID_CODES:
            self.check([close(code), frame(b"after")], code=1000)

    def test_invalid_codes(self) -> None:
        """7.9 and 7.13: codes that must never be sent, and codes without a definition."""
        for code in INVALID_CODES:
            self.check([close(code, b"reason")], code=1002)


class LimitTests(Case):
    """Group 9: large messages, and too large ones."""

    def test_large_messages(self) -> None:
        """9.1 to 9.6: 4 MB in one frame, in fragments, in small reads."""
        payload = b"*" * (4 << 20)
        whole = frame(payload)
        parts = fragments([payload[at : at + 65536] for at in range(0, len(payload), 65536)])
        for data in (whole, parts):
            for size in (1024, 65536, len(data)):
                got = self.play(data[at : at + size] for at in range(0, len(data), size))
                self.assertEqual(got, Expected([payload]))

    def test_a_message_above_the_limit(self) -> None:
        """Its header suffices: code 1009."""
        head = b"\x81\x7f" + (MAX_MESSAGE + 1).to_bytes(8, "big")
        self.check([frame(b"before"), head], texts=[b"before"], code=1009)
        self.check([head.replace(b"\x81", b"\x82", 1) + b"x"], code=1009)

    def test_fragments_above_the_limit(self) -> None:
        """Each frame is within the limit, but the message is not."""
        half = MAX_MESSAGE // 2 + 1
        first = b"\x01\x7f" + half.to_bytes(8, "big") + bytes(half)
        self.assertEqual(self.play([first, b"\x80\x7f" + half.to_bytes(8, "big")]), Expected(code=1009))


class CompressionTests(Case):
    """Groups 12 and 13, for each set of parameters a server may choose."""

    def test_every_size_and_every_set_of_parameters(self) -> None:
        """Ten messages each, compressed one after the other, in one frame or several, with a ping between them."""
        for takeover, window in ((True, 15), (False, 15), (True, 9), (False, 9), (True, 12), (False, 12)):
            own = "" if takeover else "; server_no_context_takeover"
            self.extensions = f"permessage-deflate; server_max_window_bits={window}{own}"
            for size in (0, 16, 64, 256, 1024, 8192, 131072):
                server = Deflater(takeover, window)
                bodies = [(b'{"seq":%d,"text":"' % i) + b"lorem ipsum " * (size // 12) + b'"}' for i in range(10)]
                packed = [server.squeeze(body) for body in bodies]
                frames = [frame(body, TEXT | COMPRESSED) for body in packed[:5]]
                frames += [fragments([body[:7], body[7:]], TEXT | COMPRESSED, frame(b"", PING)) for body in packed[5:]]
                self.check(frames, texts=bodies, pongs=[b""] * 5)
