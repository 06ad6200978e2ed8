"""The rules of who may import whom and how long things may be, each a function from a parsed module to its faults."""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MOST_LINES = 300
MOST_FUNCTION_LINES = 40

PURE = ("gatherer.core", "gatherer.errors", "gatherer.interfaces", "zope.interface")
"""What core may import besides the standard library: the contracts its objects implement are only names."""
CORE_EXCEPTIONS = {
    "gatherer.core.correlation": ("twisted.internet.defer", "twisted.python.failure"),
    "gatherer.core.codec": ("msgspec",),
    "gatherer.core.market": ("msgspec",),
    "gatherer.core.holdings": ("msgspec",),
    "gatherer.core.messages": ("msgspec",),
}
IMPURE = {"asyncio", "logging", "multiprocessing", "random", "selectors", "socket", "subprocess", "threading", "time"}
"""Of the standard library: clocks, randomness and input or output, none of which a decision may use by itself."""

PARTS = ("exchange", "router", "ops", "simulator", "manager", "registry")
"""Parts of the shell that meet through `gatherer.interfaces` only."""
SHARED = ("gatherer.exchange.urls", "gatherer.ops.logs", "gatherer.router.names", "gatherer.router.reading")
"""Modules of a part that anybody may use: checks of texts, how the log and how a capture reads. No collaborators."""
COMPOSERS = ("tap", "building", "demo", "service")
"""Modules directly under gatherer whose business it is to choose classes and put them together."""


@dataclass(frozen=True, slots=True)
class Module:
    """One source file: its dotted name, its text and its tree."""

    name: str
    source: str

    @property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.source)

    @property
    def part(self) -> str:
        """The first name below gatherer: `exchange` for `gatherer.exchange.rest`."""
        return [*self.name.split("."), ""][1]

    @property
    def is_tap(self) -> bool:
        """Whether twistd loads it."""
        return self.name.endswith(".tap")


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported; `from a import b` is `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def within(name: str, packages: Iterable[str]) -> bool:
    """Whether a dotted name is one of the packages or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def impure_core(module: Module) -> Iterator[str]:
    """Core decides; it does not reach for clocks, sockets, logs or frameworks."""
    if not within(module.name, ["gatherer.core"]):
        return
    allowed = PURE + CORE_EXCEPTIONS.get(module.name, ())
    for line, name in imports(module.tree):
        top = name.split(".")[0]
        if top in IMPURE or not (top in sys.stdlib_module_names or within(name, allowed)):
            yield f"{module.name}:{line} core may not import {name}"


def knowing_foundations(module: Module) -> Iterator[str]:
    """Interfaces and errors are what all others stand on, so they stand on nothing of ours."""
    if module.name in ("gatherer.interfaces", "gatherer.errors"):
        for line, name in imports(module.tree):
            if within(name, ["gatherer"]):
                yield f"{module.name}:{line} may import nothing of ours, not {name}"


def reactor_imports(module: Module) -> Iterator[str]:
    """The reactor is an argument; only tap modules fetch it, and inside a function: importing it installs one."""
    tree = module.tree
    in_functions = {
        id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        for line, name in imports(ast.Module([node], [])) if isinstance(node, ast.Import | ast.ImportFrom) else ():
            if within(name, ["twisted.internet.reactor"]) and not (module.is_tap and id(node) in in_functions):
                yield f"{module.name}:{line} may not import the reactor here"


def tap_imports(module: Module) -> Iterator[str]:
    """twistd loads tap modules by their names in the plugins; nobody else needs what is in them."""
    for line, name in imports(module.tree):
        if within(name, ["gatherer"]) and "tap" in name.split("."):
            yield f"{module.name}:{line} may not import {name}"


def crossing_parts(module: Module) -> Iterator[str]:
    """Parts of the shell do not know each other's classes, and nobody but the composers knows all."""
    if module.part in COMPOSERS and module.name.count(".") == 1:
        return
    for line, name in imports(module.tree):
        target = [*name.split("."), ""][1] if within(name, ["gatherer"]) else ""
        if target in PARTS and target != module.part and not within(name, SHARED):
            yield f"{module.name}:{line} may know {target} through gatherer.interfaces only, not {name}"


def relative_imports(module: Module) -> Iterator[str]:
    """Names are written in full, so that these rules (and people) can read them."""
    yield from (f"{module.name}:{line} relative import" for line, name in imports(module.tree) if name.startswith("."))


def mutable_state(module: Module) -> Iterator[str]:
    """A module holds constants. What changes lives in an object that somebody made and can drop."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Global):
            yield f"{module.name}:{node.lineno} global statement"
    for statement in module.tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and _is_mutable(statement.value):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if not all(name.strip("_").isupper() or name == "__all__" for name in names):
                yield f"{module.name}:{statement.lineno} mutable module state: {', '.join(names)}"


def _is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id in ("list", "dict", "set", "bytearray", "deque", "defaultdict", "Counter")
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def too_long(module: Module) -> Iterator[str]:
    """A file fits on a few screens and a function, its docstring aside, on one."""
    lines = len(module.source.splitlines())
    if lines > MOST_LINES:
        yield f"{module.name} has {lines} lines, {MOST_LINES} at most"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring_lines(node)
            if size > MOST_FUNCTION_LINES:
                yield f"{module.name}:{node.lineno} {node.name} has {size} lines, {MOST_FUNCTION_LINES} at most"


def _docstring_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1 if ast.get_docstring(function) is not None else 0


RULES = (
    impure_core, knowing_foundations, reactor_imports, tap_imports, crossing_parts, relative_imports, mutable_state,
    too_long,
)  # fmt: skip
