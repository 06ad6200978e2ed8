"""`gatherer tables`, `book`, `check` and `tail` as a user runs them: answers, exit statuses, one line for bad input."""

import errno
import json
import os
from pathlib import Path

import zstandard
from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format.segment_file import segment_name
from gatherer.data.book import Book
from gatherer.data.views import connect_tables
from tests.cli.test_program import run
from tests.data.support import Story, sides
from tests.router.support import AT

SECOND = 1_000_000_000


class CommandTestCase(SynchronousTestCase):
    """One story, and a cache directory of its own."""

    def setUp(self) -> None:
        self.story = Story(self).short()
        self.a, self.b = map(str, self.story.directories)
        self.out = Path(self.mktemp())
        cache = Path(self.mktemp()).absolute()
        before = os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = str(cache)
        self.addCleanup(self.restore, before)
        self.ticker = self.story.world.tickers[0]

    def restore(self, before: str | None) -> None:
        """Put the environment back."""
        os.environ.pop("XDG_CACHE_HOME")
        if before is not None:
            os.environ["XDG_CACHE_HOME"] = before

    def assert_refused(self, *words: str, text: str) -> None:
        """Status 2, one line on standard error, nothing on standard output."""
        status, out, err = run(*words)
        self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)
        self.assertIn(text, err)


class TablesTests(CommandTestCase):
    """`gatherer tables`."""

    def test_two_captures(self) -> None:
        """Both together are complete; run again there is nothing new."""
        status, out, err = run("tables", self.a, self.b, "--out", str(self.out))
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"new segments; complete\n$")
        self.assertIn("0 new segments", run("tables", self.a, self.b, "--out", str(self.out))[1])

    def test_holes(self) -> None:
        """The one that lost a socket has a hole: status 1."""
        self.assertEqual(run("tables", self.a, "--out", str(self.out))[0], 1)

    def test_bad_input(self) -> None:
        """One line each, and nothing is written."""
        out = str(self.out)
        empty, strange = Path(self.mktemp()), Path(self.mktemp())
        for directory in (empty, strange):
            directory.mkdir()
        (strange / "something").write_text("else")
        for words, text in (
            ((str(empty),), "no segments"),
            ((str(empty / "nothing"),), "no such file or directory"),
            ((self.a, "--from", "2026-11-24", "--to", "2026-11-23"), "--from is later than --to"),
        ):
            self.assert_refused("tables", *words, "--out", out, text=text)
            self.assertFalse(self.out.exists())
        self.assert_refused("tables", self.a, "--out", str(strange), text="holds something else")
        self.assertEqual(os.listdir(strange), ["something"])
        run("tables", self.a, "--out", out)
        self.assert_refused("tables", self.a, "--out", out, "--from", "2026-11-24", text="another --from or --to")

    def test_damage(self) -> None:
        """A cut and a flipped byte, and a segment without markers, are named; `--skip-damaged` makes them holes."""
        segment = sorted(Path(self.b).glob("*.zst"))[0]
        whole = segment.read_bytes()
        flipped = bytearray(whole)
        flipped[len(whole) // 2] ^= 0xFF
        lone = Path(self.mktemp())
        lone.mkdir()
        frame = b'{"received_at":1,"conn_id":1,"seq_gap":false,"gap_size":0,"data":{}}\n'
        (lone / segment_name(AT, 1)).write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(frame))
        self.assert_refused("tables", str(lone), "--out", str(self.out), text="segment_start")
        for damaged in (whole[:-1], bytes(flipped)):
            segment.write_bytes(damaged)
            self.assert_refused("tables", self.b, "--out", str(self.out), text=segment.name)
            out = Path(self.mktemp())
            status, said, _ = run("tables", self.b, "--out", str(out), "--skip-damaged")
            self.assertEqual((status, said.count(segment.name)), (1, 1))

    def test_no_space_left(self) -> None:
        """One line, and no half of a file; the next run goes on."""

        def fsync(fd: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        patched = self.patch(os, "fsync", fsync)
        self.assert_refused("tables", self.a, "--out", str(self.out), text="No space left on device")
        self.assertFalse(self.out.exists())
        patched.restore()
        self.assertEqual(run("tables", self.a, "--out", str(self.out))[0], 1)

    def test_the_range_of_times(self) -> None:
        """Rows are of FROM ≤ received_at < TO, and the books begin with their snapshot."""
        at = self.story.world.truth[10][0]
        period = ("--from", f"{at // SECOND}.{at % SECOND:09d}", "--to", f"{at // SECOND + 1}.{at % SECOND:09d}")
        run("tables", self.a, self.b, "--out", str(self.out), *period)
        connection = connect_tables(self.out)
        for table in ("trades", "tickers", "book_snapshots", "book_deltas", "top_of_book"):
            first, last = connection.execute(f"SELECT min(received_ns), max(received_ns) FROM {table}").fetchone()
            self.assertGreaterEqual(first or at, at, table)
            self.assertLess(last or at, at + SECOND, table)
        (_, probe) = self.story.world.truth[12]
        levels = self.book(str(self.out), self.story.world.truth[12][0]).levels
        assert levels is not None
        self.assertEqual(sides(levels), probe[self.ticker])

    def book(self, where: str, at: int) -> Book:
        """From tables or captures."""
        from gatherer.data import open_captures

        return open_captures(where).book(self.ticker, at)


class BookTests(CommandTestCase):
    """`gatherer book`."""

    def test_json(self) -> None:
        """The exchange's own book, from captures and from their tables."""
        at, books = self.story.world.truth[-5]
        run("tables", self.a, self.b, "--out", str(self.out))
        for where in ((self.a, self.b), (str(self.out),)):
            status, out, err = run("book", *where, self.ticker, "--at", f"{at // SECOND}.{at % SECOND:09d}", "--json")
            self.assertEqual((status, err), (0, ""))
            answer = json.loads(out)
            self.assertEqual((answer["ticker"], answer["at"], answer["state"]), (self.ticker, at, "complete"))
            for side, true in zip(("yes", "no"), books[self.ticker], strict=True):
                expected = [[f"{p / 10_000:.4f}", f"{c / 100:.2f}"] for p, c in sorted(true.items(), reverse=True)]
                self.assertEqual(answer[side], expected)

    def test_a_hole(self) -> None:
        """Status 1 and no book; with `--stale` the last one."""
        run("tables", self.a, "--out", str(self.out))
        query = "SELECT * FROM coverage WHERE state = 'hole' AND market_ticker IS NOT NULL"
        _, ticker, _, start, end, *_ = connect_tables(self.out).execute(query).fetchone()
        at = f"{(start + end) // 2 // SECOND}.{(start + end) // 2 % SECOND:09d}"
        status, out, _ = run("book", self.a, ticker, "--at", at, "--json")
        answer = json.loads(out)
        self.assertEqual((status, answer["state"], answer["yes"], answer["last_message_at"]), (1, "hole", None, None))
        self.assertTrue(answer["why"])
        status, out, _ = run("book", self.a, ticker, "--at", at, "--json", "--stale")
        answer = json.loads(out)
        self.assertEqual((status, answer["state"]), (1, "hole"))
        self.assertLess(answer["last_message_at"], end)

    def test_text_and_picture(self) -> None:
        """For people."""
        at = self.story.world.truth[-5][0] / 1e9
        status, out, _ = run("book", self.b, self.ticker, "--at", str(at))
        self.assertEqual(status, 0)
        self.assertIn("complete", out.splitlines()[0])
        picture = Path(self.mktemp() + ".png")
        self.assertEqual(run("book", self.a, self.b, self.ticker, "--plot", str(picture)), (0, "", ""))
        self.assertTrue(picture.read_bytes().startswith(b"\x89PNG"))

    def test_bad_input(self) -> None:
        """One line each."""
        self.assert_refused("book", self.a, "KXNOBODY", "--at", "1800000001", text="no market KXNOBODY")
        self.assert_refused("book", self.a, self.ticker, text="--at")
        self.assert_refused("book", self.a, self.ticker, "--at", "yesterday", text="yesterday")
        self.assert_refused("book", self.a, self.ticker, "--plot", "x.gif", text=".png")


class CheckTests(CommandTestCase):
    """`gatherer check`."""

    def test_sound_and_damaged(self) -> None:
        """Status 0 and one line; status 1 with the segment named, until it is repaired."""
        status, out, _ = run("check", self.a)
        self.assertEqual((status, out.count("\n")), (0, 1), out)
        segment = sorted(Path(self.a).glob("*.zst"))[0]
        segment.write_bytes(segment.read_bytes() + b"torn")
        status, out, _ = run("check", self.a, "--repair")
        self.assertEqual(status, 1)
        self.assertIn(f"{segment.name}: damaged: the last 4 bytes", out)
        self.assertIn(f"4 B moved to {segment.name}.damaged", out)
        self.assertEqual(run("check", self.a)[0], 0)
        status, _, err = run("tables", self.a, "--out", str(self.out))
        self.assertEqual((status, err), (1, ""))

    def test_bad_input(self) -> None:
        """One line each."""
        empty = Path(self.mktemp())
        self.assert_refused("check", str(empty), text="no such file")
        empty.mkdir()
        self.assert_refused("check", str(empty), text="no segments")
        self.assert_refused("tail", str(empty / "nothing"), text="not a capture directory")
