"""Tests for `gatherer.core.wire.frames`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.wire.frames import frame_size, scan, text_frame_size

LIMIT = 1 << 20


def text_frame(payload: bytes) -> bytes:
    """A final, unmasked text frame with the shortest length field."""
    size = len(payload)
    if size < 126:
        return bytes([0x81, size]) + payload
    if size <= 0xFFFF:
        return bytes([0x81, 126]) + size.to_bytes(2, "big") + payload
    return bytes([0x81, 127]) + size.to_bytes(8, "big") + payload


sizes = st.sampled_from([2, 3, 125, 126, 127, 300, 0xFFFF, 0x10000])
payloads = st.builds(lambda size, char: char * size, sizes, st.sampled_from([b"a", b"{"]))


class ScanTests(SynchronousTestCase):
    """`scan` takes every complete text frame and stops at anything else."""

    def scan(self, data: bytes, limit: int = LIMIT) -> tuple[list[bytes], int]:
        found: list[bytes] = []
        return found, scan(data, limit, found)

    @given(st.lists(payloads, max_size=5))
    def test_all_complete_frames_are_found(self, bodies: list[bytes]) -> None:
        """With any length field the payloads come back and nothing is left."""
        data = b"".join(map(text_frame, bodies))
        self.assertEqual(self.scan(data), (bodies, len(data)))

    @given(st.lists(payloads, max_size=3), payloads, st.data())
    def test_a_cut_frame_stays(self, bodies: list[bytes], last: bytes, data: st.DataObject) -> None:
        """An incomplete frame is left, and its size is known once its header has arrived."""
        whole = b"".join(map(text_frame, bodies))
        frame = text_frame(last)
        cut = data.draw(st.integers(0, len(frame) - 1))
        self.assertEqual(self.scan(whole + frame[:cut]), (bodies, len(whole)))
        self.assertIn(text_frame_size(frame[:cut], LIMIT), (0, len(frame)))
        self.assertIn(frame_size(frame[:cut], 0), (0, len(frame)))

    def test_other_frames_stop_the_scan(self) -> None:
        """Ping, binary, continuation, unfinished, compressed and masked frames are left to autobahn."""
        for start in (b"\x89\x00", b"\x82\x00", b"\x80\x00", b"\x01\x00", b"\xc1\x00", b"\x81\x80\0\0\0\0"):
            self.assertEqual(self.scan(text_frame(b"x") + start), ([b"x"], 3), start)

    def test_lengths_that_are_not_minimal_stop_the_scan(self) -> None:
        """They violate the standard. They are left to autobahn, which fails the connection."""
        for frame in (b"\x81\x7e\x00\x05hello", b"\x81\x7f" + (5).to_bytes(8, "big") + b"hello"):
            self.assertEqual(self.scan(frame), ([], 0))
            self.assertEqual(text_frame_size(frame, LIMIT), 0)

    def test_a_frame_above_the_limit_is_left_to_autobahn(self) -> None:
        """A frame at the limit is taken. One byte above it is not, complete or incomplete."""
        self.assertEqual(self.scan(text_frame(b"x" * 200), limit=200)[1], 204)
        self.assertEqual(self.scan(text_frame(b"x" * 201), limit=200), ([], 0))
        self.assertEqual(text_frame_size(text_frame(b"x" * 201)[:50], 200), 0)

    def test_what_is_no_message_may_be_left(self) -> None:
        """An empty text at the end is left to autobahn. It is taken when more follows."""
        self.assertEqual(self.scan(text_frame(b"")), ([], 0))
        self.assertEqual(self.scan(text_frame(b"") + text_frame(b"{}")), ([b"", b"{}"], 6))

    def test_invalid_utf8_is_left_to_autobahn(self) -> None:
        """Valid text beyond ASCII is taken. A text with an invalid byte is not."""
        self.assertEqual(self.scan(text_frame("é".encode())), (["é".encode()], 4))
        self.assertEqual(self.scan(text_frame(b"\xff")), ([], 0))

    def test_the_size_of_any_frame_counts_header_and_mask(self) -> None:
        """The size is right for masked control frames too."""
        self.assertEqual(frame_size(b"..\x89\x83mask", 2), 9)
        self.assertEqual(frame_size(b"\x82\x7f" + (70000).to_bytes(8, "big"), 0), 70010)
