"""Runs the programs of docs that read a capture, on a capture.

pandas and polars are large and nothing else needs them, so only the tox environment `pytest` installs them.
"""

import io
import os
import re
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import duckdb
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from gatherer.values import Marker, RawMessage
from tests.router.support import AT, Rig
from tests.test_docs import BLOCK, DOCS

BOOK = (
    b'{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{"market_ticker":"A","yes_dollars_fp":[["0.4100","250.00"]]}}'
)
CHANGE = (
    b'{"type":"orderbook_delta","sid":1,"seq":%d,"msg":'
    b'{"market_ticker":"A","price_dollars":"0.4100","delta_fp":"%s250.00","side":"yes"}}'
)
CHANGES = (CHANGE % (2, b"-"), CHANGE % (3, b""), CHANGE % (4, b"-"))


class ReadingTests(SynchronousTestCase):
    """One book that is emptied, filled and emptied, so its changes are more frequent than any marker."""

    def setUp(self) -> None:
        rig = Rig(self)
        rig.router.mark(Marker("session_up", 7, AT, {"role": "orderbook_delta", "ping_timeout": 30.0}))
        rig.router.deliver([RawMessage(data, 7, AT) for data in (BOOK, *CHANGES)])
        rig.router.mark(Marker("session_down", 7, AT, {"reason": "test", "since": AT, "stopped": True}))
        rig.close()
        self.addCleanup(os.chdir, Path.cwd())
        there = Path(self.mktemp())
        there.mkdir()
        (there / "capture").symlink_to(Path(rig.directory).resolve())
        os.chdir(there)

    def blocks(self, page: Path, language: str) -> list[str]:
        """The blocks of a page in a language."""
        return [body for _, _, word, body in BLOCK.findall(page.read_text()) if word == language]

    def run_all(self, page: Path, module: str) -> None:
        """Run each program of a page that imports a module, and find the book in its output."""
        if find_spec(module) is None:
            raise SkipTest(f"{module} is not installed")
        programs = [
            text for text in self.blocks(page, "python") if re.search(rf"^(import|from) .*\b{module}\b", text, re.M)
        ]
        self.assertTrue(programs, f"{page.name} has nothing for {module}")
        for program in programs:
            said = io.StringIO()
            with redirect_stdout(said):
                exec(compile(program, page.name, "exec"), {"__name__": "__main__"})
            self.assertRegex(said.getvalue(), r"orderbook_delta|1 books")

    def test_duckdb(self) -> None:
        """The program of the first steps."""
        self.run_all(DOCS / "getting-started.md", "duckdb")

    def test_pandas(self) -> None:
        """In two places."""
        for page in (DOCS / "getting-started.md", DOCS / "capture.md"):
            self.run_all(page, "pandas")

    def test_polars(self) -> None:
        """In two places."""
        for page in (DOCS / "getting-started.md", DOCS / "capture.md"):
            self.run_all(page, "polars")

    def test_replay(self) -> None:
        """docs/capture.md replays a book."""
        self.run_all(DOCS / "capture.md", "gatherer")

    def test_sql(self) -> None:
        """docs/capture.md has a query for DuckDB's own prompt."""
        (query,) = [text for text in self.blocks(DOCS / "capture.md", "text") if text.startswith("select ")]
        self.assertEqual({row[0]: row[1:] for row in duckdb.sql(query).fetchall()}["orderbook_delta"], (3, 1))
