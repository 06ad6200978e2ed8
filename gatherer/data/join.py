"""Messages that several connections bring, of one gatherer or of many: each is published once."""

from pathlib import Path
from typing import Any

from gatherer.data.engine import one_line_errors, quoted, sql, write_parquet
from gatherer.data.output import Output
from gatherer.data.schema import column_list
from gatherer.data.stage import JOINED


class Joiner:
    """Knows which segment holds which messages, by keys in files."""

    def __init__(self, connection: Any, output: Output) -> None:
        self._connection = connection
        self._output = output

    def note(self, work: Path, gatherer: str, segment: str) -> None:
        """Remember the messages of a segment that was read."""
        names = {"gatherer": gatherer, "part": f"{gatherer}/{segment}"}
        for table in JOINED:
            buckets = self._candidates(work, table)
            for bucket in buckets:
                path = self._output.keys_path(table, bucket, gatherer, segment)
                chosen = f"WHERE bucket = {bucket}" if len(buckets) > 1 else ""
                write_parquet(self._connection, f"FROM ({sql('keys')}) {chosen}", path, names)

    def publish(self, work: Path, gatherer: str, segment: str) -> None:
        """Publish the messages of a segment that no published segment has brought."""
        done = [f"{name}/{one}" for name, segments in self._output.manifest.done.items() for one in segments]
        run = self._connection.execute
        run("CREATE OR REPLACE TEMP TABLE done AS SELECT unnest($1::VARCHAR[]) AS part", [done])
        for table in JOINED:
            buckets = self._candidates(work, table)
            files = ", ".join(quoted(path) for path in self._output.keys_of(table, buckets))
            made = work / f"new_{table}.parquet"
            if files:
                run(f"CREATE OR REPLACE TEMP VIEW keys AS FROM read_parquet([{files}])")
                query = f"SELECT {column_list(table)} FROM ({sql('joined')})"
                names = {"gatherer": gatherer, "segment": segment, "many": table != "trades"}
                write_parquet(self._connection, query, made, names)
                self._output.publish(self._connection, table, made, gatherer, segment)

    def _candidates(self, work: Path, table: str) -> list[int]:
        """Make the view `candidates` of a staged table; the hours its messages are of."""
        with one_line_errors(str(work)):
            run = self._connection.execute
            run(f"CREATE OR REPLACE TEMP VIEW candidates AS FROM {quoted(work / f'{table}.copies.parquet')}")
            run(f"CREATE OR REPLACE TEMP VIEW typed AS FROM {quoted(work / f'{table}.typed.parquet')}")
            return [bucket for (bucket,) in run("SELECT DISTINCT bucket FROM candidates").fetchall()]
