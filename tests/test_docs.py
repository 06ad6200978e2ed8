"""What the docs say of the code is what the code does."""

import re
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.reactions import Reaction, reaction_to

TREE = Path(__file__).resolve().parent.parent
DOCS = TREE / "docs"
PAGES = (*sorted(DOCS.glob("*.md")), TREE / "README.md", TREE / "CONTRIBUTING.md")
FENCE = re.compile(r"^ *(`{3,})(.*)$", re.MULTILINE)
BLOCK = re.compile(r"^( *)(`{3,})([^\n]*)\n(.*?)^\1\2$", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """The text of a page without its blocks of code."""
    return BLOCK.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """The names by which GitHub and the site let a page's headings be linked to."""
    slugs: Counter[str] = Counter()
    names = set()
    for heading in re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        names.add(f"{slug}-{slugs[slug]}" if slugs[slug] else slug)
        slugs[slug] += 1
    return names


class ReactionTableTests(SynchronousTestCase):
    """docs/convergence.md, "What each error code leads to"."""

    def test_every_code_has_its_row(self) -> None:
        """Each known code stands in the row of its reaction, each reaction has a row."""
        rows = re.findall(r"^\| ([^|]+) \| `([A-Z_]+)` \|", (DOCS / "convergence.md").read_text(), re.MULTILINE)
        told = {int(code): name for codes, name in rows for code in re.findall(r"\d+", codes)}
        self.assertEqual(told, {code: reaction_to(code).name for code in range(1, 29)})
        self.assertEqual({name for _, name in rows}, {reaction.name for reaction in Reaction})


class PageTests(SynchronousTestCase):
    """README, CONTRIBUTING and every page of the site. `tox -e docs` builds the latter."""

    def test_links_lead_somewhere(self) -> None:
        """Every relative link names a file that exists and, behind a "#", a heading of it."""
        for page in PAGES:
            for target in re.findall(r"\]\((?!http)([^)]+)\)", prose(page)):
                name, _, anchor = target.partition("#")
                file = page.parent / name if name else page
                self.assertTrue(file.exists(), f"{page.name}: {target}")
                self.assertIn(anchor, {"", *(anchors(file) if file.suffix == ".md" else ())}, f"{page.name}: {target}")

    def test_every_page_is_in_the_index(self) -> None:
        """docs/index.md has each page in exactly one of its sections."""
        toctrees = [body for _, _, word, body in BLOCK.findall((DOCS / "index.md").read_text()) if word == "{toctree}"]
        listed = Counter(name for body in toctrees for name in re.findall(r"^[a-z-]+$", body, re.MULTILINE))
        for page in DOCS.glob("*.md"):
            if page.name != "index.md":
                self.assertEqual(listed[page.stem], 1, f"{page.name} belongs into one section of docs/index.md")

    def test_code_says_its_language(self) -> None:
        """Every block of code names what it is written in ("text" for output), so that it is coloured."""
        for page in PAGES:
            for number, (_, word) in enumerate(FENCE.findall(page.read_text())):
                self.assertEqual(bool(word), number % 2 == 0, f"{page.name}: block {number // 2 + 1}")
