"""The rules of imports and sizes that keep this code readable."""

import ast
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import gatherer
from tests.support import layering
from tests.support.layering import Module

Rule = Callable[[Module], Iterable[str]]
DIRECTION: layering.Table = {
    "cli": ("capture", "data", "coverage", "top", "text"),
    "app": ("ops", "router", "pool", "registry", "exchange", "simulator", "config", "core", "log", "daemon", "text",
            "interfaces", "values"),
    "top": ("text",),
    "capture": ("data", "coverage", "capture_format"),
    "data": ("coverage", "capture_format", "text"),
    "ops": ("config", "core", "log", "text", "interfaces", "values"),
    "coverage": ("capture_format", "core", "text", "values"),
    "router": ("capture_format", "core", "log", "text", "interfaces", "values"),
    "pool": ("core", "text", "interfaces", "values"),
    "registry": ("core", "text", "interfaces", "values"),
    "exchange": ("core", "log", "text", "interfaces", "values"),
    "capture_format": ("text", "values"),
    "simulator": ("log", "daemon", "text"),
    "config": ("core", "text"),
    "core": ("text", "interfaces", "values"),
    "daemon": ("text",),
    "log": ("text",),
    "text": (),
    "interfaces": ("values",),
    "values": (),
    "errors": (),
}  # fmt: skip
"""Package to the packages it may import, from the top floor to the ground floor as in `docs/architecture.md`. All may
import `errors`. Parts of the shell (ops, router, pool, registry, exchange) do not know each other's classes: they meet
through `interfaces`, and `app` puts them together."""
PACKAGE = Path(gatherer.__file__).resolve().parent


def modules() -> list[Module]:
    """All modules of gatherer, in the checkout or installed."""
    return [Module(_dotted(path), path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))]


def _dotted(path: Path) -> str:
    parts = ("gatherer", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class TreeTests(SynchronousTestCase):
    """The rules hold for every module."""

    def assert_rule(self, rule: Rule) -> None:
        """Fail with all faults at once, one a line."""
        faults = [fault for module in modules() for fault in rule(module)]
        self.assertEqual(faults, [], "\n" + "\n".join(faults))

    def test_modules_are_found(self) -> None:
        """The walk finds the modules, so the rules cannot pass on an empty list."""
        names = {module.name for module in modules()}
        for name in (
            "gatherer",
            "gatherer.values",
            "gatherer.interfaces",
            "gatherer.exchange.rest.client",
        ):
            self.assertIn(name, names)

    def test_core_is_pure(self) -> None:
        """Core imports the standard library, errors, contracts and core."""
        self.assert_rule(layering.impure_core)

    def test_direction(self) -> None:
        """Each package imports only what its row of `DIRECTION` allows."""
        self.assert_rule(partial(layering.wrong_direction, table=DIRECTION))

    def test_every_package_has_a_row(self) -> None:
        """A new package needs a row, and a row needs a package."""
        parts = {module.part for module in modules()} - {""}
        self.assertEqual(parts, set(DIRECTION))

    def test_the_table_points_down(self) -> None:
        """A row names only packages of rows below it, so there is no circle of packages."""
        rows = list(DIRECTION)
        upwards = [
            (row, name) for place, row in enumerate(rows) for name in DIRECTION[row] if name in rows[: place + 1]
        ]
        self.assertEqual(upwards, [])

    def test_the_picture_shows_the_table(self) -> None:
        """In the picture of docs/architecture.md each package stands above everything that it may import."""
        page = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
        picture = page.split("```text\n")[1].split("```")[0]
        floors = [[word for word in line.split("  ") if word.strip() in DIRECTION] for line in picture.splitlines()]
        floor = {word.strip(): number for number, words in enumerate(floors) for word in words}
        self.assertEqual(set(floor), set(DIRECTION))
        upwards = [(row, name) for row in DIRECTION for name in DIRECTION[row] if floor[name] <= floor[row]]
        self.assertEqual(upwards, [])

    def test_no_file_imports_itself(self) -> None:
        """There is no circle of files, not even one of imports for type checking."""
        self.assertEqual(layering.circles(modules()), [])

    def test_the_reactor_is_an_argument(self) -> None:
        """Only tap modules import the reactor, and inside functions."""
        self.assert_rule(layering.reactor_imports)

    def test_nobody_imports_tap(self) -> None:
        """Only twistd loads the tap modules."""
        self.assert_rule(layering.tap_imports)

    def test_names_are_written_in_full(self) -> None:
        """There are no relative imports."""
        self.assert_rule(layering.relative_imports)

    def test_modules_hold_constants(self) -> None:
        """There is no module-level mutable state."""
        self.assert_rule(layering.mutable_state)

    def test_sizes(self) -> None:
        """No file is above 300 lines and no function above 40."""
        self.assert_rule(layering.too_long)

    def test_every_rule_is_applied(self) -> None:
        """Every rule in `layering` has a test here."""
        used = {
            node.attr for node in ast.walk(ast.parse(Path(__file__).read_text())) if isinstance(node, ast.Attribute)
        }
        self.assertEqual({rule.__name__ for rule in layering.RULES} - used, set())


class RuleTests(SynchronousTestCase):
    """Each rule finds its faults, and accepts valid code."""

    def assert_finds(self, rule: Rule, name: str, *sources: str) -> None:
        """Each source alone breaks the rule exactly once."""
        for source in sources:
            faults = list(rule(Module(name, source)))
            self.assertEqual(len(faults), 1, (source, faults))
            self.assertIn(name, faults[0])

    def assert_passes(self, rule: Rule, name: str, *sources: str) -> None:
        """None of the sources breaks the rule."""
        for source in sources:
            self.assertEqual(list(rule(Module(name, source))), [], source)

    def test_impure_core(self) -> None:
        """Frameworks, clocks and shell are found in core, inside functions too; exceptions hold for one module."""
        self.assert_finds(
            layering.impure_core, "gatherer.core.subscriptions.book_planner",
            "import twisted", "from twisted.internet.defer import Deferred", "import msgspec", "import time",
            "from random import random", "def f():\n    import socket",
        )  # fmt: skip
        self.assert_passes(
            layering.impure_core, "gatherer.core.subscriptions.correlation",
            "from twisted.internet.defer import Deferred", "import heapq", "from gatherer.core import layout",
            "from gatherer.errors import NoCapacity", "from zope.interface import implementer",
        )  # fmt: skip
        self.assert_passes(layering.impure_core, "gatherer.exchange.rest.client", "import treq", "import time")

    def test_wrong_direction(self) -> None:
        """An import that no row allows is found, whatever its form; rows, errors and the package itself pass."""
        table = {"pool": ("core",), "core": (), "errors": ()}
        rule = partial(layering.wrong_direction, table=table)
        self.assert_finds(
            rule, "gatherer.core.layout",
            "import gatherer.pool", "from gatherer import pool", "from gatherer.pool.manager import x",
            "def f():\n    from gatherer.pool import manager",
        )  # fmt: skip
        self.assert_finds(rule, "gatherer.errors", "from gatherer.core import layout")
        self.assert_finds(rule, "gatherer.unknown", "from gatherer.core import layout")
        self.assert_passes(
            rule, "gatherer.pool.manager",
            "from gatherer.core import layout", "from gatherer.pool import admin", "from gatherer import __version__",
            "from gatherer.errors import NoCapacity", "import twisted",
        )  # fmt: skip

    def test_circles(self) -> None:
        """Circles of two and three files are found once for each file in them; a chain passes."""
        sources = {"a": "from gatherer import b", "b": "from gatherer.c import x", "c": "import gatherer.a"}
        ring = [Module(f"gatherer.{name}", source) for name, source in sources.items()]
        found = layering.circles(ring)
        self.assertEqual(len(found), 3, found)
        self.assertIn("gatherer.a -> gatherer.b -> gatherer.c -> gatherer.a", found)
        late = "if TYPE_CHECKING:\n    from gatherer.a import x"
        pair = [Module("gatherer.a", "from gatherer.b import x"), Module("gatherer.b", late)]
        self.assertEqual(len(layering.circles(pair)), 2)
        self.assertEqual(layering.circles([*ring[:2], Module("gatherer.c", "import os")]), [])

    def test_reactor_imports(self) -> None:
        """The reactor is found in whatever way it is imported; a tap may import it inside a function."""
        late = "def f():\n    from twisted.internet import reactor"
        early = (
            "from twisted.internet import reactor",
            "import twisted.internet.reactor as r",
            "from twisted.internet.reactor import callLater",
            "if True:\n    from twisted.internet import reactor",
        )
        self.assert_finds(layering.reactor_imports, "gatherer.pool.manager", late, *early)
        self.assert_finds(layering.reactor_imports, "gatherer.app.tap", *early)
        self.assert_passes(layering.reactor_imports, "gatherer.simulator.tap", late)
        self.assert_passes(layering.reactor_imports, "gatherer.pool.manager", "from twisted.internet.task import Clock")

    def test_tap_imports(self) -> None:
        """A tap module is found in whatever way it is imported."""
        self.assert_finds(
            layering.tap_imports, "gatherer.pool.manager",
            "import gatherer.app.tap", "from gatherer import tap", "from gatherer.simulator.tap import makeService",
        )  # fmt: skip
        self.assert_passes(
            layering.tap_imports, "gatherer.pool.manager", "from gatherer.core import tape", "import tap"
        )

    def test_relative_imports(self) -> None:
        """Dots are found."""
        self.assert_finds(
            layering.relative_imports, "gatherer.pool.manager", "from . import core", "from .core import layout"
        )
        self.assert_passes(layering.relative_imports, "gatherer.pool.manager", "from gatherer import core")

    def test_mutable_state(self) -> None:
        """Containers and `global` are found; constants in capitals and locals pass."""
        self.assert_finds(
            layering.mutable_state, "gatherer.pool.manager",
            "seen = set()", "cache: dict = {}", "a = B = [1]", "def f():\n    global x\n    x = 1",
            "x = [a for a in b]",
        )  # fmt: skip
        self.assert_passes(
            layering.mutable_state, "gatherer.pool.manager",
            "CODES = {1: 'a'}", "__all__ = ['x']", "x = (1, 2)", "def f():\n    seen = set()", "_WORDS = ['a']",
        )  # fmt: skip

    def test_too_long(self) -> None:
        """Line 301 of a file and line 41 of a function are found, line 300 and 40 pass."""
        long_function, short_function = ("async def f():\n    'why'\n" + "    x = 1\n" * count for count in (40, 39))
        self.assert_finds(layering.too_long, "gatherer.pool.manager", "\n" * 301, long_function)
        self.assert_passes(layering.too_long, "gatherer.pool.manager", "\n" * 300, short_function)
