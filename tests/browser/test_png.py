"""A smaller PNG has the same pixels."""

import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.browser.png import CHANNELS, SIGNATURE, _part, _parts, _unfiltered, smaller


def make(width: int, height: int, colour: int, rows: bytes) -> bytes:
    """A PNG of filtered rows."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    data = zlib.compress(rows)
    return SIGNATURE + b"".join(_part(*part) for part in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b"")))


class SmallerTests(SynchronousTestCase):
    """`smaller`."""

    def test_each_filter(self) -> None:
        """Rows of every filter, computed by hand: left, above, their mean, Paeth."""
        rows = bytes([0, 1, 2, 3, 4, 5, 6]) + bytes([1, 1, 1, 1, 1, 1, 1]) + bytes([2, 1, 1, 1, 1, 1, 1])
        rows += bytes([3, 1, 1, 1, 1, 1, 1]) + bytes([4, 1, 1, 1, 1, 1, 1])
        found = [list(row) for row in _unfiltered(rows, 6, 5, 3)]
        expected = [[1, 2, 3, 4, 5, 6], [1, 1, 1, 2, 2, 2], [2, 2, 2, 3, 3, 3], [2, 2, 2, 3, 3, 3], [3, 3, 3, 4, 4, 4]]
        self.assertEqual(found, expected)

    @given(st.data(), st.integers(1, 5), st.integers(1, 5), st.sampled_from(sorted(CHANNELS)))
    def test_no_pixel_changes(self, data: st.DataObject, width: int, height: int, colour: int) -> None:
        """The output has the pixels of the input. A second pass changes nothing."""
        length = width * CHANNELS[colour]
        line = st.tuples(st.integers(0, 4), st.binary(min_size=length, max_size=length))
        rows = b"".join(
            bytes([kind]) + body for kind, body in data.draw(st.lists(line, min_size=height, max_size=height))
        )
        picture = smaller(make(width, height, colour, rows))
        raw = zlib.decompress(dict(_parts(picture))[b"IDAT"])
        plain = b"".join(b"\0" + row for row in _unfiltered(rows, length, height, CHANNELS[colour]))
        self.assertEqual(raw, plain)
        self.assertEqual(smaller(picture), picture)

    def test_what_is_no_such_png(self) -> None:
        """A JPEG, or a PNG with a palette, is refused."""
        self.assertRaises(ValueError, smaller, b"\xff\xd8")
        self.assertRaises(ValueError, smaller, make(1, 1, 3, b"\0\0"))
