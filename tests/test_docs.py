"""What the docs say of the code is what the code does."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.reactions import Reaction, reaction_to

DOCS = Path(__file__).resolve().parent.parent / "docs"


class ReactionTableTests(SynchronousTestCase):
    """docs/convergence.md, "What each error code leads to"."""

    def test_every_code_has_its_row(self) -> None:
        """Each known code stands in the row of its reaction, each reaction has a row."""
        rows = re.findall(r"^\| ([^|]+) \| `([A-Z_]+)` \|", (DOCS / "convergence.md").read_text(), re.MULTILINE)
        told = {int(code): name for codes, name in rows for code in re.findall(r"\d+", codes)}
        self.assertEqual(told, {code: reaction_to(code).name for code in range(1, 29)})
        self.assertEqual({name for _, name in rows}, {reaction.name for reaction in Reaction})

    def test_links_lead_somewhere(self) -> None:
        """Every relative link of README and docs names a file that exists."""
        for page in (*DOCS.glob("*.md"), DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md"):
            for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
                self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")
