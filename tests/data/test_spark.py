"""The tables in PySpark on a local cluster: `tox -e spark`."""

from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from gatherer.data import write_tables
from tests.data.support import Story, contents


class SparkTests(SynchronousTestCase):
    """Needs Java."""

    def test_every_table(self) -> None:
        """Spark reads each table by its folder, finds the dates, and keeps prices exact and times with their zone."""
        if find_spec("pyspark") is None:
            raise SkipTest("pyspark is not installed")
        from pyspark.sql import SparkSession

        story = Story(self).short()
        out = Path(self.mktemp())
        write_tables(story.directories, out)
        builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        for key in ("spark.driver.host", "spark.driver.bindAddress"):
            builder = builder.config(key, "127.0.0.1")
        spark = builder.getOrCreate()
        self.addCleanup(spark.stop)
        for name, rows in contents(out).items():
            if rows:
                frame = spark.read.parquet(str((out / name).absolute()))
                self.assertEqual((frame.count(), "date" in frame.columns), (len(rows), True), name)
        kinds = dict(spark.read.parquet(str((out / "trades").absolute())).dtypes)
        self.assertEqual((kinds["yes_price"], kinds["received_at"]), ("decimal(18,4)", "timestamp"))
