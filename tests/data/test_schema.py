"""The tables are what `docs/tables.md` says, and every library can read them."""

from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from gatherer.data import write_tables
from gatherer.data.document import page
from gatherer.data.schema import TABLES
from tests.data.support import Story, contents
from tests.test_docs import DOCS


class SchemaTests(SynchronousTestCase):
    """Of one story."""

    out: Path
    rows: dict[str, int]

    def setUp(self) -> None:
        story = Story(self).short()
        self.out = Path(self.mktemp())
        write_tables(story.directories, self.out)
        self.rows = {name: len(rows) for name, rows in contents(self.out).items()}

    def needs(self, name: str) -> None:
        """Skip without a library."""
        if find_spec(name) is None:
            raise SkipTest(f"{name} is not installed")

    def test_the_page(self) -> None:
        """`python -m gatherer.data.document > docs/tables.md` was run."""
        self.assertEqual((DOCS / "tables.md").read_text(), page())

    def test_every_file_has_the_columns(self) -> None:
        """Names and types, in the order of the page; and most tables have rows."""
        import duckdb

        for table in TABLES:
            for path in (self.out / table.name).glob("date=*/*.parquet"):
                source = f"read_parquet('{path}', hive_partitioning = false)"
                found = [(name, kind) for name, kind, *_ in duckdb.sql(f"DESCRIBE FROM {source}").fetchall()]
                self.assertEqual(found, [(column.name, column.type) for column in table.columns], path)
        for name in ("trades", "tickers", "book_snapshots", "book_deltas", "top_of_book", "coverage"):
            self.assertGreater(self.rows[name], 0, name)

    def test_pandas(self) -> None:
        """Every table, by its folder."""
        self.needs("pandas")
        self.needs("pyarrow")
        import pandas  # type: ignore[import-untyped]

        for name, rows in self.rows.items():
            if rows:
                self.assertEqual(len(pandas.read_parquet(self.out / name)), rows, name)

    def test_polars(self) -> None:
        """Every table, exact decimals included."""
        self.needs("polars")
        import polars

        for name, rows in self.rows.items():
            if rows:
                frame = polars.read_parquet(self.out / name / "**" / "*.parquet", hive_partitioning=True)
                self.assertEqual(len(frame), rows, name)
        trades = polars.read_parquet(self.out / "trades" / "**" / "*.parquet")
        self.assertEqual(trades.schema["yes_price"], polars.Decimal(18, 4))

    def test_pyarrow(self) -> None:
        """Every table as a dataset with its dates."""
        self.needs("pyarrow")
        from pyarrow import dataset

        for name, rows in self.rows.items():
            if rows:
                table = dataset.dataset(self.out / name, partitioning="hive").to_table()
                self.assertEqual(table.num_rows, rows, name)
                self.assertIn("date", table.column_names)

    def test_duckdb(self) -> None:
        """By a pattern, without gatherer."""
        import duckdb

        for name, rows in self.rows.items():
            if rows:
                found = duckdb.sql(f"SELECT count(*) FROM '{self.out}/{name}/**/*.parquet'").fetchall()
                self.assertEqual(found, [(rows,)], name)
