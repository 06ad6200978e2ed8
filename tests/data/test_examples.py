"""The programs of docs/data.md, run on a capture."""

import io
import os
from contextlib import redirect_stdout
from pathlib import Path

from tests.data.test_commands import CommandTestCase
from tests.test_docs import BLOCK, DOCS


class ExampleTests(CommandTestCase):
    """In a directory that has a `capture`."""

    def test_they_run(self) -> None:
        """Each alone, and each prints one line about what was captured."""
        there = Path(self.mktemp())
        there.mkdir()
        (there / "capture").symlink_to(Path(self.b).resolve())
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(there)
        programs = [body for _, _, word, body in BLOCK.findall((DOCS / "data.md").read_text()) if word == "python"]
        self.assertEqual(len(programs), 3)
        said = io.StringIO()
        with redirect_stdout(said):
            for program in programs:
                exec(compile(program, "data.md", "exec"), {"__name__": "__main__"})
        self.assertRegex(
            said.getvalue(), r"bids for yes after \d+ changes\n\d+\.\d\d contracts\n0 holes in \d+ records\n"
        )
