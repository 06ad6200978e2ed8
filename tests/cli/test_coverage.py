"""`gatherer coverage`: its arguments, its answer and its exit status."""

import contextlib
import json
from argparse import ArgumentTypeError
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

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
        self.assertEqual((status, list(answer), answer["from"]), (1, ["from", "to", "feeds"], AT))
        (feed,) = answer["feeds"]
        self.assertEqual((feed["channel"], feed["ticker"]), ("orderbook_delta", TICKER))
        self.assertEqual([i["state"] for i in feed["intervals"]], ["complete", "hole", "not_carried"])
        for interval in feed["intervals"]:
            self.assertEqual(list(interval), ["state", "from", "to", "why", "gatherer"])
            self.assertEqual(interval["gatherer"], directory.name)
        self.assertIn("segments are missing", feed["intervals"][1]["why"])

    def test_everything(self) -> None:
        """Without a market and a channel every feed is judged; with a few of them each interval is shown."""
        status, out, err = run("coverage", str(self.capture()))
        self.assertEqual((status, err), (0, ""))
        self.assertIn(f"{TICKER} (orderbook_delta)", out)

    def test_many_markets(self) -> None:
        """A table of series, worst first, and the worst feeds with their holes."""
        rig = Rig(self)
        tickers = [f"KX{'AB'[number % 2]}-{number}" for number in range(10)]
        rig.router.mark(Marker("session_up", 7, AT))
        rig.router.mark(Marker("markets_added", 7, AT, {"sid": 1, "tickers": tickers}))
        for number, ticker in enumerate(tickers[1:]):
            rig.router.deliver([book("snapshot", AT + number, number + 1, ticker)])
        rig.router.mark(Marker("session_down", 7, AT + 5 * SECOND, {"since": AT + 4 * SECOND, "stopped": True}))
        rig.close()
        status, out, _ = run("coverage", str(rig.directory))
        self.assertEqual(status, 1)
        rows = [line.split()[0] for line in out.splitlines() if line]
        self.assertEqual(rows[1:7], ["series", "KXA", "KXB", "all", "KXA-0", "hole"])
        self.assertIn("INCOMPLETE: 1 hole in 1 of 10 feeds", out.splitlines()[-1])

    def test_a_picture(self) -> None:
        """Holes are red, and an unknown ending costs one line."""
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise SkipTest("matplotlib is not installed") from None
        directory, folder = self.capture(), Path(self.mktemp())
        folder.mkdir()
        segments_of(directory)[3].unlink()
        self.assertEqual(run("coverage", str(directory), "--plot", str(folder / "a.png"))[0], 1)
        self.assertEqual((folder / "a.png").read_bytes()[:4], b"\x89PNG")
        self.assertEqual(run("coverage", str(directory), "--plot", str(folder / "a.svg"))[0], 1)
        self.assertIn("#d62728", (folder / "a.svg").read_text())
        status, out, err = run("coverage", str(directory), "--plot", str(folder / "a.nothing"))
        self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)

    def test_damage(self) -> None:
        """A damaged segment is bad input, or a hole if that is asked for."""
        directory = self.capture()
        path = segments_of(directory)[2]
        path.write_bytes(path.read_bytes()[:-1])
        status, out, err = run("coverage", str(directory))
        self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)
        self.assertIn(path.name, err)
        self.assertEqual(run("coverage", str(directory), "--skip-damaged")[0], 1)

    def test_bad_input(self) -> None:
        """Status 2, and one line that names the cause."""
        directory = str(self.capture())
        for words, text in (
            ([], "CAPTURE"), ([directory, "--ticker", "a b"], "not a market ticker"),
            ([directory, "--ticker", "KXNOBODY"], "no market KXNOBODY"),
            ([directory, "--channel", "book"], "no channel book"),
            ([directory, "--ticker", TICKER, "--from", "now", "--to", "then"], "'now' is neither"),
            ([directory, "--ticker", TICKER, "--from", "5", "--to", "5"], "ends before it begins"),
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
