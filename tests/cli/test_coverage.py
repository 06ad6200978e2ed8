"""`gatherer coverage`: its arguments, its answer and its exit status."""

import contextlib
import json
from argparse import ArgumentTypeError
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format.reading import segments_of
from gatherer.cli.arguments import market_ticker, unix_ns
from gatherer.values import Marker
from tests.cli.test_program import run
from tests.coverage.test_runs import TICKER, book
from tests.router.support import AT, Rig

SECOND = 1_000_000_000


class CoverageTests(SynchronousTestCase):
    """On a capture of five segments, one a second."""

    def capture(self) -> Path:
        """A snapshot in the first segment, deltas in the others."""
        rig = Rig(self, segment_bytes=1)
        rig.router.mark(Marker("session_up", 7, AT))
        rig.router.mark(Marker("markets_added", 7, AT, {"sid": 1, "tickers": [TICKER]}))
        for number in range(5):
            rig.router.deliver([book("delta" if number else "snapshot", AT + number * SECOND, number + 1)])
            rig.clock.advance(2)
        rig.router.mark(Marker("session_down", 7, AT + 5 * SECOND, {"since": AT + 4 * SECOND, "stopped": True}))
        rig.close()
        return rig.directory

    def test_a_complete_book(self) -> None:
        """Status 0, and the verdict in the last line."""
        status, out, err = run("coverage", str(self.capture()), "--ticker", TICKER)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("COMPLETE", out.splitlines()[-1])

    def test_holes(self) -> None:
        """Status 1, and JSON for programs."""
        directory = self.capture()
        segments_of(directory)[3].unlink()
        status, out, _ = run("coverage", "--json", str(directory), "--ticker", TICKER)
        answer = json.loads(out)
        self.assertEqual((status, answer["holes"], answer["complete"], answer["from"]), (1, 1, False, AT))

    def test_a_market_that_was_not_captured(self) -> None:
        """Status 1 as well."""
        period = ("--from", str(AT // SECOND + 2), "--to", str(AT // SECOND + 3))
        self.assertEqual(run("coverage", str(self.capture()), "--ticker", "KXNOBODY", *period)[0], 1)

    def test_bad_input(self) -> None:
        """Status 2, and one line that names the cause."""
        directory = str(self.capture())
        for words, text in (
            ([directory], "--ticker"), ([directory, "--ticker", "a b"], "not a market ticker"),
            ([directory, "--ticker", TICKER, "--from", "now", "--to", "then"], "'now' is neither"),
            ([directory, "--ticker", TICKER, "--from", "5"], "together"),
            ([directory, "--ticker", TICKER, "--from", "5", "--to", "4"], "--from is later than --to"),
            (["nowhere", "--ticker", TICKER], "nowhere"),
        ):  # fmt: skip
            status, out, err = run("coverage", *words)
            self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)
            self.assertIn(text, err)


class ArgumentTests(SynchronousTestCase):
    """Arguments that subcommands share."""

    def test_times(self) -> None:
        """A time is ISO-8601 with or without a zone, or Unix seconds with up to nine digits after the point."""
        for text in ("2026-11-23T20:00:00", "2026-11-23T21:00:00+01:00", "1795464000", "1795464000.0"):
            self.assertEqual(unix_ns(text), 1_795_464_000 * SECOND)
        self.assertEqual(unix_ns("1795464000.123456789"), 1_795_464_000_123_456_789)
        for text in (
            "yesterday",
            "",
            "nan",
            "1795464000000",
            "-1",
            "1e999999999",
            "0001-01-01",
            "9999-12-31T23:59:59-23:00",
        ):
            self.assertRaises(ArgumentTypeError, unix_ns, text)

    @given(st.text(max_size=40) | st.from_regex(r"[0-9]{1,5}-[0-9]{2}-[0-9]{2}T?[0-9:.+eE-]*", fullmatch=True))
    def test_any_time(self, text: str) -> None:
        """Any text is a time from 1970 on, or is refused."""
        with contextlib.suppress(ArgumentTypeError):
            self.assertGreaterEqual(unix_ns(text), 0)

    def test_tickers(self) -> None:
        """A ticker has no blanks, quotes or backslashes, and is ASCII."""
        self.assertEqual(market_ticker("KXA-1.5"), "KXA-1.5")
        for text in ("", "a b", 'a"', "a\\", "ä", "a\n"):
            self.assertRaises(ArgumentTypeError, market_ticker, text)
