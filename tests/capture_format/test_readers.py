"""Other tools read the files; a second gatherer is refused."""

import duckdb
from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format.records import COLUMNS
from gatherer.errors import ConfigError
from gatherer.router.segment_router import SegmentRouter
from gatherer.values import Marker, RawMessage
from tests.router.support import AT, ManualThreads, Rig, messages


class ReadersTests(SynchronousTestCase):
    """DuckDB on a capture, and a second gatherer on its directory."""

    def capture(self) -> Rig:
        """Messages of several shapes and markers, in one segment."""
        rig = Rig(self, buffer_messages=10_000)
        rig.router.mark(Marker("session_up", 7, AT, {"host": "exchange"}))
        rig.router.deliver(messages(3))
        rig.router.deliver([RawMessage(b'{"type":"ticker","msg":{"ts":1}}', 1, AT + 9)])
        rig.router.deliver([RawMessage(b'{"type":"orderbook_delta",\n"msg":{"ts":"2026"}}', 7, AT + 10, True, 4)])
        rig.router.deliver([RawMessage(b'{"a":"\xff"}', 7, AT + 11)])
        rig.router.mark(Marker("session_down", 7, AT, {"host": {"code": 1006}}))
        rig.close()
        return rig

    def test_duckdb_reads_a_mixed_file_as_it_is(self) -> None:
        """Without any hint DuckDB finds every record and can tell markers, gaps and messages."""
        path = str(self.capture().finished()[0])
        query = f"select count(*), count(marker), max(gap_size), max(received_at) from '{path}'"
        self.assertEqual(duckdb.execute(query).fetchall(), [(10, 4, 4, AT + 2000)])

    def test_duckdb_loses_no_late_field_when_given_the_columns(self) -> None:
        """With COLUMNS a kind of message that first comes after DuckDB's sample is there with all its fields."""
        rig = Rig(self, buffer_messages=100_000)
        rig.router.deliver(messages(21_000))
        rig.router.deliver([RawMessage(b'{"late":{"x":1}}', 7, AT)])
        rig.router.mark(Marker("gap", 7, AT, {"sid": 3}))
        rig.close()
        (path,) = rig.finished()
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
        query = f"select data->>'$.late.x', facts->>'$.sid' from read_json('{path}', columns={{{columns}}})"
        self.assertIn(("1", None), rows := duckdb.execute(query).fetchall())
        self.assertIn((None, "3"), rows)

    def test_a_second_gatherer_is_refused(self) -> None:
        """The directory of a running router cannot be taken; after close it can."""
        rig = Rig(self)
        second = SegmentRouter(rig.directory, rig.clock, threads=ManualThreads())
        error = self.assertRaises(ConfigError, second.start)
        self.assertIn(str(rig.directory), str(error))
        self.assertIn("another gatherer", str(error))
        rig.close()
        second.start()
        self.successResultOf(second.close())
