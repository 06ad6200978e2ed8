"""The docs agree with the code."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import gatherer
from gatherer.app.options import GathererOptions
from gatherer.cli.program import COMMANDS
from gatherer.config.settings import every_key
from gatherer.core.subscriptions.commands import Reaction, reaction_to
from gatherer.simulator.fault_options import FAULTS
from gatherer.simulator.options import SimulatorOptions

TREE = Path(__file__).resolve().parent.parent
DOCS = TREE / "docs"
PAGES = (*sorted(DOCS.glob("*.md")), TREE / "README.md", TREE / "CONTRIBUTING.md")
FENCE = re.compile(r"^ *(`{3,})(.*)$", re.MULTILINE)
PACKAGE = Path(gatherer.__file__).resolve().parent
"""Not always below TREE: tox installs it into its environment."""
PATH = re.compile(r"(?:gatherer|tests|conf|docs|benchmarks|newsfragments|core|exchange|router|ops)/[\w./-]*")
"""A file or folder of ours in `code`. A path with "*" is not checked."""
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


def mentioned(pattern: str, pages: tuple[Path, ...] = PAGES) -> Iterator[tuple[str, str]]:
    """The name of the page and group 1 of each match of a pattern, outside the output of programs."""
    for page in pages:
        text = BLOCK.sub(lambda block: "" if block[3] == "text" else block[0], page.read_text())
        yield from ((page.name, found[1]) for found in re.finditer(pattern, text))


def parse(language: str, text: str) -> None:
    """Raise ValueError or SyntaxError for invalid code."""
    if language == "python":
        compile(text, "a page", "exec")
    elif language == "toml":
        tomllib.loads(text)
    elif language == "json":
        text = text.strip()
        while text:
            _, end = json.JSONDecoder().raw_decode(text)
            text = text[end:].strip()


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
        """Every relative link names an existing file and, after a "#", one of its headings."""
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
        """Every block of code names its language ("text" for output)."""
        for page in PAGES:
            for number, (_, word) in enumerate(FENCE.findall(page.read_text())):
                self.assertEqual(bool(word), number % 2 == 0, f"{page.name}: block {number // 2 + 1}")

    def test_code_is_code(self) -> None:
        """Python compiles, TOML is TOML, and JSON is one JSON text after the other."""
        for page in PAGES:
            for number, (indent, _, language, body) in enumerate(BLOCK.findall(page.read_text()), 1):
                try:
                    parse(language, re.sub(f"^{indent}", "", body, flags=re.MULTILINE))
                except (SyntaxError, ValueError) as error:
                    self.fail(f"{page.name}: block {number}: {error}")


class ReferenceTests(SynchronousTestCase):
    """Commands, settings and files on the pages."""

    def test_files_exist(self) -> None:
        """A path of ours in `code` exists."""
        for page, path in mentioned(f"`({PATH.pattern})`"):
            places = (TREE / path, PACKAGE.parent / path, PACKAGE / path)
            self.assertTrue(any(place.exists() for place in places), f"{page}: {path}")

    def test_tests_exist(self) -> None:
        """A test that a page names is a test of that file."""
        named = list(mentioned(r"`(tests/[\w/]+\.py::\w+)`"))
        self.assertTrue(named)
        for page, name in named:
            path, _, test = name.partition("::")
            self.assertIn(f"def {test}(self", (TREE / path).read_text(), f"{page}: {name}")

    def test_classes_and_methods_exist(self) -> None:
        """docs/architecture.md names interfaces we have, and methods that the classes before the dot have."""
        source = {path: path.read_text() for path in PACKAGE.rglob("*.py")}
        for name, method in re.findall(r"`([A-Z]\w+)(?:\.(\w+))?[^`]*`", (DOCS / "architecture.md").read_text()):
            homes = [text for text in source.values() if re.search(rf"^class {name}\b", text, re.MULTILINE)]
            self.assertTrue(homes, name)
            self.assertTrue(any(f"def {method}" in text for text in homes), f"{name}.{method}")

    def test_modules_exist(self) -> None:
        """The modules after `python -m` and `trial` exist."""
        for page, name in mentioned(r"(?:python -m|trial) ((?:gatherer|benchmarks|tests)[\w.]*)"):
            self.assertIsNotNone(find_spec(name), f"{page}: {name}")

    def test_options_exist(self) -> None:
        """The services have every option that a page uses."""
        for service, options in (("gatherer", GathererOptions()), ("kalshi-simulator", SimulatorOptions())):
            known = {option.rstrip("=") for option in options.longOpt}
            lines = list(mentioned(rf"twistd[^\n|&;#`]*? {service}( [^\n|&;#`]*)"))
            self.assertTrue(lines, service)
            for page, line in lines:
                self.assertEqual(set(re.findall(r" --([a-z-]+)", line)) - known, set(), f"{page}: {service}{line}")

    def test_subcommands_exist(self) -> None:
        """`gatherer` has every subcommand that a page uses."""
        lines = [word for _, word in mentioned(r"`gatherer ([a-z]+)")]
        for page in PAGES:
            for _, _, language, body in BLOCK.findall(page.read_text()):
                if language in ("sh", "console", "text"):
                    lines += re.findall(r"^(?:\$ )?gatherer ([a-z]+) [^ ]*(?:capture|http|--)", body, re.MULTILINE)
        self.assertIn("coverage", lines)
        self.assertEqual(set(lines) - set(COMMANDS), set())

    def test_environment_variables_exist(self) -> None:
        """Each variable a page names overrides a setting."""
        known = {key.variable for key in every_key()}
        for page, name in mentioned(r"(GATHERER_[A-Z]+_[A-Z_]+)"):
            self.assertIn(name, known, page)

    def test_tox_environments_exist(self) -> None:
        """tox.ini has the environments after `tox -e`."""
        tox = ConfigParser()
        tox.read(TREE / "tox.ini")
        known = {section.removeprefix("testenv:") for section in tox.sections()} | {"py311", "py312", "py313"}
        for page, name in mentioned(r"tox -e ([\w-]+)"):
            self.assertIn(name, known, page)


class CitationTests(SynchronousTestCase):
    """Citations of the docs in comments."""

    def test_sections_of_the_protocol_exist(self) -> None:
        """`protocol section 3, "Errors"` is a heading of that section, and trap 11 is one of the traps."""
        sections = re.split(r"^## (?=\d|Traps)", (DOCS / "protocol.md").read_text(), flags=re.MULTILINE)[1:]
        headings = {text.split(".")[0]: re.findall(r"^### (.+)$", text, re.MULTILINE) for text in sections}
        traps = re.findall(r"^(\d+)\. ", sections[-1], re.MULTILINE)
        for path in (*PACKAGE.rglob("*.py"), *TREE.glob("tests/**/*.py")):
            for number, heading in re.findall(r'protocol section (\d+)(?:, "([^"]+)")?', path.read_text()):
                self.assertIn(number, headings, path.name)
                self.assertIn(heading, ["", *headings[number]], f"{path.name}: section {number}")
            for trap in re.findall(r"protocol, trap (\d+)", path.read_text()):
                self.assertIn(trap, traps, path.name)


class TableTests(SynchronousTestCase):
    """Tables that must be complete."""

    def rows(self, page: str, heading: str) -> set[str]:
        """The first word in code of each row of the table under a heading."""
        section = (DOCS / page).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
        return set(re.findall(r"^\| `([a-z_]+)", section, re.MULTILINE))

    def test_markers(self) -> None:
        """docs/capture.md has every marker that the code writes, and no other."""
        source = "\n".join(
            path.read_text()
            for part in ("app", "exchange", "router", "capture_format")
            for path in (PACKAGE / part).rglob("*.py")
        )
        kinds = set(re.findall(r'(?:_mark\(|Marker\(|"marker":)\s*"([a-z_]+)"', source))
        self.assertEqual(self.rows("capture.md", "Markers"), kinds)

    def test_what_to_open(self) -> None:
        """Each row of CONTRIBUTING's table names files that exist, and tests that exist."""
        section = (TREE / "CONTRIBUTING.md").read_text().split("\n| --- | --- | --- |\n")[1].split("\n\n")[0]
        rows = [line.strip("| ").split(" | ") for line in section.splitlines()]
        self.assertGreaterEqual(len(rows), 20)
        for what, files, tests in rows:
            for path in re.findall(r"`([\w./]+/[\w.]*)`", files):
                self.assertTrue(any((root / path).exists() for root in (PACKAGE, TREE)), f"{what}: {path}")
            for name in re.findall(r"`(tests[\w.]+)`", tests):
                self.assertIsNotNone(find_spec(name), f"{what}: {name}")

    def test_faults(self) -> None:
        """docs/simulator.md has every fault."""
        self.assertEqual(self.rows("simulator.md", "Let it fail"), set(FAULTS))
