"""Tables for terminals."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.ops.manhole.views import GAP, MIN_WIDTH, table

WORDS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters=" "), max_size=30)
CELLS = st.none() | st.integers(-(10**9), 10**9) | WORDS
ROWS = st.integers(1, 6).flatmap(
    lambda columns: st.tuples(
        st.lists(WORDS.filter(bool), min_size=columns, max_size=columns),
        st.lists(st.lists(CELLS, min_size=columns, max_size=columns), max_size=12),
    )
)


def columns_of(headers: list[str], rows: list[list[object]]) -> list[list[str]]:
    """What each column shows, headers included, as wide as it is."""
    lines = table(headers, rows)
    shown = [[header] for header in headers]
    for row in rows:
        for column, cell in enumerate(row):
            shown[column].append("" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell))
    assert len(lines) == len(rows) + 1
    return shown


class TableTests(SynchronousTestCase):
    """table."""

    def test_numbers_stand_right_and_texts_left(self) -> None:
        """Thousands are set apart, nothing is an empty cell, and no line ends with blanks."""
        lines = table(("id", "state", "messages"), [(7, "live", 1234567), (150, "backoff", None)])
        self.assertEqual(lines, [
            " id  state     messages",
            "  7  live     1,234,567",
            "150  backoff",
        ])  # fmt: skip

    def test_texts_are_cut_to_the_width_numbers_are_not(self) -> None:
        """The longest text gives way first, and shows that it was cut."""
        rows = [(123_456, "short", "a very long remark about it")]
        lines = table(("id", "state", "remarks"), rows, 34)
        self.assertEqual(lines[1], "123,456  short  a very long remar…")
        self.assertIn("123,456", table(("id", "state", "remarks"), rows, 5)[1])

    def test_foreign_text_cannot_break_a_row(self) -> None:
        """Line breaks and escape sequences do not reach the terminal."""
        self.assertEqual(table(("a", "b"), [("x\ny\x1b[2J", "z")])[1], "x y?[2J  z")

    @given(ROWS)
    def test_columns_are_aligned(self, content: tuple[list[str], list[list[object]]]) -> None:
        """Every cell starts or ends where its header does, at the same place in each line."""
        headers, rows = content
        lines = [line.ljust(500) for line in table(headers, rows)]
        start = 0
        for column, shown in enumerate(columns_of(headers, rows)):
            width = max(map(len, shown))
            cells = [line[start : start + width] for line in lines]
            self.assertEqual([cell.strip() for cell in cells], shown)
            numeric = [row[column] for row in rows if row[column] is not None]
            is_number = bool(numeric) and all(isinstance(cell, int) for cell in numeric)
            self.assertEqual(cells, [text.rjust(width) if is_number else text.ljust(width) for text in shown])
            start += width
            self.assertEqual({line[start : start + len(GAP)] for line in lines}, {GAP})
            start += len(GAP)

    @given(ROWS, st.integers(1, 120))
    def test_lines_fit_where_they_can(self, content: tuple[list[str], list[list[object]]], width: int) -> None:
        """Whatever is in it: no line is wider, unless numbers and six letters of each text need more."""
        headers, rows = content
        widths = [max(map(len, shown)) for shown in columns_of(headers, rows)]
        numeric = [
            any(cell is not None for cell in column) and all(isinstance(cell, int | None) for cell in column)
            for column in (list(zip(*rows, strict=True)) or [()] * len(headers))
        ]
        least = sum(full if number else min(full, MIN_WIDTH) for full, number in zip(widths, numeric, strict=True))
        least += len(GAP) * (len(headers) - 1)
        longest = max(map(len, table(headers, rows, width)))
        self.assertLessEqual(longest, max(width, least))
