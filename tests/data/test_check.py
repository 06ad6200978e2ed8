"""`gatherer check`: damage of every kind is found, named and cut off."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format.reading import read_capture, torn_bytes
from gatherer.data.check import Finding, check, repair
from gatherer.values import Marker
from tests.router.support import AT, Rig, messages


class CheckTests(SynchronousTestCase):
    """On a capture of three segments."""

    def setUp(self) -> None:
        rig = Rig(self, segment_bytes=1)
        for number in range(2):
            rig.router.mark(Marker("session_up", 7, AT, {}))
            rig.router.deliver(messages(5, start=5 * number))
            rig.clock.advance(2)
        rig.close()  # the end of the run is a segment too
        self.directory = rig.directory
        self.segments = rig.finished()
        self.assertEqual(len(self.segments), 3)

    def findings(self) -> list[Finding]:
        """One for each segment."""
        return list(check(self.directory))

    def test_sound(self) -> None:
        """Nothing is found in what the router wrote, and every line is counted."""
        found = self.findings()
        self.assertEqual([f.damage + f.notes for f in found], [[], [], []])
        self.assertEqual(sum(f.lines for f in found), len(list(read_capture(self.directory))))

    def test_a_flipped_byte(self) -> None:
        """Its segment is named, with the place where the good part ends."""
        segment = self.segments[1]
        data = bytearray(segment.read_bytes())
        data[len(data) // 2] ^= 0x55
        segment.write_bytes(data)
        good, bad, other = self.findings()
        self.assertEqual((good.damage, len(bad.damage), other.damage), ([], 1, []))
        self.assertLess(bad.good_bytes, len(data) // 2)

    def test_a_torn_end_is_cut_off_and_kept(self) -> None:
        """Into a file of its own, byte for byte; the rest is sound afterwards, and still known to be short."""
        segment = self.segments[1]
        whole = segment.read_bytes()
        segment.write_bytes(whole + whole[:17])
        finding = self.findings()[1]
        self.assertEqual((finding.good_bytes, finding.torn_bytes), (len(whole), 17))
        rest = repair(finding)
        assert rest is not None
        self.assertEqual((segment.read_bytes(), rest.read_bytes()), (whole, whole[:17]))
        self.assertEqual([f.damage for f in self.findings()], [[], [], []])
        self.assertEqual(torn_bytes(segment), 17)
        self.assertIsNone(repair(self.findings()[1]))

    def test_nothing_good_moves_as_a_whole(self) -> None:
        """A segment without one sound frame is renamed."""
        segment = self.segments[2]
        segment.write_bytes(b"not a frame at all")
        rest = repair(self.findings()[2])
        assert rest is not None
        self.assertEqual((segment.exists(), rest.read_bytes()), (False, b"not a frame at all"))

    def test_a_missing_segment(self) -> None:
        """The one behind it is named."""
        self.segments[1].unlink()
        first, last = self.findings()
        self.assertEqual(first.damage, [])
        self.assertIn("number 3 of its run, but number 2 was expected", last.damage[0])

    def test_the_clock_goes_back(self) -> None:
        """The command says so, and it is not damage."""
        rig = Rig(self)
        rig.router.deliver(messages(1, start=5_000_000))
        rig.router.deliver(messages(1))
        rig.close()
        (finding,) = check(rig.directory)
        self.assertEqual(finding.damage, [])
        self.assertIn("the clock goes back by 5.000 s at line 3", finding.notes)

    def test_an_open_segment_may_be_torn(self) -> None:
        """It is being written, and stays as it is."""
        segment = self.segments[2]
        open_one = Path(f"{segment}.open")
        segment.rename(open_one)
        open_one.write_bytes(open_one.read_bytes() + b"xyz")
        finding = self.findings()[2]
        self.assertEqual((finding.damage, finding.torn_bytes, repair(finding)), ([], 3, None))
