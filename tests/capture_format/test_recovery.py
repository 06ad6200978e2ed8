"""What a killed run leaves behind: any cut keeps every complete frame and nothing else."""

import os
from pathlib import Path

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format.reading import CaptureDamaged, read_capture
from gatherer.capture_format.recovery import Recovered, recover, recover_all
from gatherer.capture_format.zstd_frames import complete_frames, read_frame

CONTENTS = [b'{"n":%d,"x":"%b"}\n' % (n, b"ab" * n * n) for n in range(1, 6)]


def frame(content: bytes, size: bool = True) -> bytes:
    """A frame as the writer makes it; without `size`, as `zstd` makes it from a pipe."""
    return zstandard.ZstdCompressor(level=3, write_checksum=True, write_content_size=size).compress(content)


class FramesTests(SynchronousTestCase):
    """The walk over frame headers."""

    def on_disk(self, data: bytes) -> int:
        """A file descriptor of a file that holds the bytes; closed after the test."""
        path = self.mktemp()
        Path(path).write_bytes(data)
        fd = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        return fd

    @settings(max_examples=30, deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from([b"", b"a", b"ab" * 200, b"x" * 70_000, os.urandom(300_000)]), st.booleans())
        ),
        st.sampled_from([1, 3, 19]),
    )
    def test_frames_of_any_kind_are_found(self, contents: list[tuple[bytes, bool]], level: int) -> None:
        """Empty, tiny, run-length, incompressible, with and without their size: content and ends are right."""
        compress = [
            zstandard.ZstdCompressor(level=level, write_checksum=sized, write_content_size=sized).compress(content)
            for content, sized in contents
        ]
        fd = self.on_disk(b"".join(compress))
        found = list(complete_frames(fd))
        self.assertEqual([read_frame(fd, each) for each in found], [content for content, _ in contents])
        self.assertEqual([each.size for each in found], [len(each) for each in compress])

    def test_skippable_frames_are_skipped(self) -> None:
        """Frames that other tools put in (seek tables) have no content and do not end the walk."""
        skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
        fd = self.on_disk(frame(b"one\n") + skippable + frame(b"two\n"))
        self.assertEqual([read_frame(fd, each) for each in complete_frames(fd)], [b"one\n", b"", b"two\n"])

    @settings(deadline=None)
    @given(st.binary(max_size=40))
    def test_garbage_is_not_a_frame(self, garbage: bytes) -> None:
        """The walk ends at bytes that are not a frame, whatever they are, and raises nothing."""
        fd = self.on_disk(frame(b"one\n") + b"\x00" + garbage)
        self.assertEqual(len(list(complete_frames(fd))), 1)


class RecoveryTests(SynchronousTestCase):
    """recover and recover_all."""

    def leftover(self, data: bytes, name: str = "20261122T204401.000123Z-000001.jsonl.zst.open") -> Path:
        """A segment that was open when its writer died."""
        directory = Path(self.mktemp())
        directory.mkdir()
        path = directory / name
        path.write_bytes(data)
        return path

    def test_any_cut_keeps_exactly_the_complete_frames(self) -> None:
        """For every length a kill can leave: the records of complete frames are there, and no byte of another."""
        frames = [frame(content) for content in CONTENTS]
        whole = b"".join(frames)
        ends = [sum(map(len, frames[: n + 1])) for n in range(len(frames))]
        directory = Path(self.mktemp())
        directory.mkdir()
        for length in range(len(whole) + 1):
            path = directory / f"{length:06d}.jsonl.zst.open"
            path.write_bytes(whole[:length])
            recovered = recover(path)
            complete = sum(end <= length for end in ends)
            self.assertFalse(path.exists())
            self.assertEqual(recovered.kept, ends[complete - 1] if complete else 0)
            self.assertEqual(recovered.kept + recovered.cut, length)
            if complete:
                numbers = [record["n"] for record in read_capture(directory / recovered.name)]
                self.assertEqual(numbers, list(range(1, complete + 1)))
            else:
                self.assertEqual(recovered.name, "")

    def test_zeros_inside_the_last_frame_are_found(self) -> None:
        """A frame that looks whole but holds zeros, as after a power failure, is cut off by its checksum."""
        last = bytearray(frame(os.urandom(5000)))
        last[2000:] = bytes(len(last) - 2000)
        path = self.leftover(frame(b'{"n":1}\n') + bytes(last))
        recovered = recover(path)
        self.assertEqual([record["n"] for record in read_capture(path.parent)], [1])
        self.assertEqual(recovered.cut, len(last))

    def test_wrong_checksum_at_the_end_is_found(self) -> None:
        """A last frame of the right length with one wrong byte does not pass as recovered."""
        last = bytearray(frame(b'{"n":2}\n'))
        last[-1] ^= 1
        path = self.leftover(frame(b'{"n":1}\n') + bytes(last))
        recover(path)
        self.assertEqual([record["n"] for record in read_capture(path.parent)], [1])

    def test_does_not_overwrite_a_finished_segment(self) -> None:
        """A finished segment of the same name stays as it is; the recovered one gets a name of its own."""
        path = self.leftover(frame(b'{"n":1}\n'))
        taken = path.with_name(path.name.removesuffix(".open"))
        taken.write_bytes(frame(b'{"n":2}\n'))
        recovered = recover(path)
        self.assertNotEqual(recovered.name, taken.name)
        self.assertEqual(sorted(record["n"] for record in read_capture(path.parent)), [1, 2])

    def test_touches_nothing_but_open_segments(self) -> None:
        """Other files in the directory stay as they are."""
        path = self.leftover(b"not zstd", name="notes.open")
        self.assertEqual(recover_all(path.parent), [])
        self.assertEqual(path.read_bytes(), b"not zstd")

    def test_reports_each_segment(self) -> None:
        """One report per leftover: name, bytes kept, bytes cut."""
        good = frame(b'{"n":1}\n')
        path = self.leftover(good + good[:7], name="b.jsonl.zst.open")
        (path.parent / "a.jsonl.zst.open").write_bytes(b"")
        self.assertEqual(recover_all(path.parent), [Recovered("", 0, 0), Recovered("b.jsonl.zst", len(good), 7)])


class ReadingTests(SynchronousTestCase):
    """read_capture."""

    def test_torn_tail_is_skipped(self) -> None:
        """A capture that is being written, or was killed, reads up to its last complete frame."""
        path = Path(self.mktemp() + ".jsonl.zst")
        path.write_bytes(frame(b'{"n":1}\n{"n":2}\n') + frame(b'{"n":3}\n')[:-2])
        self.assertEqual([record["n"] for record in read_capture(path)], [1, 2])

    def test_damage_inside_is_not_skipped(self) -> None:
        """A complete frame with wrong bytes is an error that names the file and the place."""
        damaged = bytearray(frame(b'{"n":2}\n'))
        damaged[-1] ^= 1
        path = Path(self.mktemp() + ".jsonl.zst")
        path.write_bytes((good := frame(b'{"n":1}\n')) + bytes(damaged) + good)
        error = self.assertRaises(CaptureDamaged, lambda: list(read_capture(path)))
        self.assertEqual((error.path, error.offset), (path, len(good)))
        self.assertIn(str(path), str(error))
