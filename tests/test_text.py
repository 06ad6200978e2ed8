"""Durations, times and counts as people read and write them."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.text import (
    counted,
    moment,
    one_line,
    parse_span,
    percent,
    printable,
    short_number,
    short_span,
    size,
    span,
)

NOW = 1_795_380_000.0  # 2026-11-22 20:40:00 UTC


class SpanTests(SynchronousTestCase):
    """Durations."""

    def test_spans_are_short(self) -> None:
        """A duration has about two digits, in the unit that fits."""
        for seconds, text in (
            (0, "0.00 s"), (0.042, "0.04 s"), (3.21, "3.2 s"), (45.4, "45 s"), (150, "2 min"),
            (3 * 3600 + 300, "3 h 5 min"), (7200, "2 h"), (49 * 3600, "2 d 1 h"), (96 * 3600, "4 d"),
        ):  # fmt: skip
            self.assertEqual(span(seconds), text)

    def test_what_operators_write(self) -> None:
        """A number and a unit, or a number of seconds."""
        for text, seconds in (("90s", 90), ("10m", 600), (" 2 h ", 7200), ("1d", 86400), ("1.5m", 90), (30, 30)):
            self.assertEqual(parse_span(text), seconds)

    def test_what_is_not_a_duration(self) -> None:
        """The error repeats the text and shows examples."""
        for wrong in (
            "",
            "10",
            "m",
            "10 minutes",
            "-5m",
            "0s",
            None,
            True,
            0,
            -3,
            float("nan"),
            float("inf"),
            "9" * 99,
        ):
            error = self.assertRaises(ValueError, parse_span, wrong)
            self.assertIn('such as "90s", "10m" or "2h"', str(error))
            self.assertLess(len(str(error)), 120)

    @given(st.integers(1, 10**6), st.sampled_from("smhd"))
    def test_every_number_of_units_is_understood(self, number: int, unit: str) -> None:
        """Twice the number is twice the time."""
        self.assertEqual(parse_span(f"{2 * number}{unit}"), 2 * parse_span(f"{number}{unit}"))


class WordTests(SynchronousTestCase):
    """Times, numbers and foreign text."""

    def test_moments(self) -> None:
        """The date is shown if it is another day; the future and the past have their own words."""
        self.assertEqual(moment(NOW - 12, NOW), "20:39:48 (12 s ago)")
        self.assertEqual(moment(NOW + 6 * 3600, NOW), "2026-11-23 02:40:00 (in 6 h)")
        self.assertEqual(moment(1e30, NOW), "a time out of range")

    def test_counts_and_sizes(self) -> None:
        """Thousands are separated, and one is singular."""
        self.assertEqual([counted(n, "market") for n in (0, 1, 7500)], ["0 markets", "1 market", "7,500 markets"])
        self.assertEqual([size(n) for n in (812, 1_290_000, 2e15)], ["812 B", "1.3 MB", "2,000.0 TB"])

    def test_foreign_text_stays_on_its_line(self) -> None:
        """It has no line break and no escape sequence, and its length is limited."""
        self.assertEqual(one_line("a\n\x1b[31mb"), "a ?[31mb")
        self.assertEqual(len(one_line("x" * 1000)), 300)

    def test_short_forms(self) -> None:
        """Short numbers and durations have one unit; a share is 100 % only if nothing is missing."""
        self.assertEqual(
            [short_number(n) for n in (0, 0.25, 9.5, 812.4, 9_999, 12_345, 1_080_000)],
            ["0", "0.2", "9.5", "812", "9,999", "12.3k", "1.1M"],
        )
        self.assertEqual(
            [short_span(n) for n in (0.4, 99, 100, 7_200, 200_000)], ["0 s", "99 s", "2 min", "2 h", "2 d"]
        )
        self.assertEqual([percent(*n) for n in ((5, 5), (99_999, 100_000), (0, 0))], ["100 %", "99.99 %", "-"])

    @given(st.floats(0, 9.9e11))
    def test_short_numbers_are_short(self, number: float) -> None:
        """Any number takes at most six characters."""
        self.assertLessEqual(len(short_number(number)), 6, number)

    @given(st.text(max_size=50))
    def test_printable(self, text: str) -> None:
        """The result is printable and as long as the text."""
        self.assertTrue(printable(text).isprintable())
        self.assertEqual(len(printable(text)), len(text))
