"""The rules of imports and sizes. Each rule is a function from a parsed module to its faults."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Table = Mapping[str, tuple[str, ...]]
"""Package to the packages it may import, the highest first."""

MAX_LINES = 300
MAX_FUNCTION_LINES = 40

CORE_EXCEPTIONS = {
    "gatherer.core.subscriptions.correlation": ("twisted.internet.defer", "twisted.python.failure"),
    "gatherer.core.wire": ("msgspec",),
    "gatherer.core.markets.market": ("msgspec",),
    "gatherer.core.subscriptions.held": ("msgspec",),
}
"""Third-party packages that parts of core may import. All of core may import zope.interface."""
IMPURE = {"asyncio", "logging", "multiprocessing", "random", "selectors", "socket", "subprocess", "threading", "time"}
"""Of the standard library: clocks, randomness, input and output. A decision must not use them."""


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
        """The first name below gatherer: `exchange` for `gatherer.exchange.rest.client`."""
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
    allowed = ["gatherer", "zope.interface"]
    allowed += [
        name for package in CORE_EXCEPTIONS if within(module.name, [package]) for name in CORE_EXCEPTIONS[package]
    ]
    for line, name in imports(module.tree):
        top = name.split(".")[0]
        if top in IMPURE or not (top in sys.stdlib_module_names or within(name, allowed)):
            yield f"{module.name}:{line} core may not import {name}"


def wrong_direction(module: Module, table: Table) -> Iterator[str]:
    """A package imports what its row of the table names, and nothing else of ours."""
    if module.part == "":
        return
    allowed = (*table.get(module.part, ()), module.part, "__version__", "errors")
    for line, name in imports(module.tree):
        target = [*name.split("."), ""][1] if within(name, ["gatherer"]) else module.part
        if target not in allowed or target == "errors" == module.part != target:
            yield f"{module.name}:{line} {module.part} may not import {name}"


def circles(modules: Iterable[Module]) -> list[str]:
    """Every file that imports itself through others, each as `a -> b -> a`. Imports for type checking count too."""
    arrows = {module.name: set[str]() for module in modules}
    for module in modules:
        for _, name in imports(module.tree):
            found = name if name in arrows else name.rpartition(".")[0]
            if found in arrows and found != module.name:
                arrows[module.name].add(found)
    return [" -> ".join(way) for start in arrows if (way := _way_back(arrows, start))]


def _way_back(arrows: dict[str, set[str]], start: str) -> list[str]:
    """The shortest way from a file back to itself, or nothing."""
    ways, seen = [[start]], set[str]()
    while ways:
        way = ways.pop(0)
        for target in sorted(arrows[way[-1]]):
            if target == start:
                return [*way, start]
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return []


def reactor_imports(module: Module) -> Iterator[str]:
    """The reactor is an argument. Only tap modules import it, inside a function, because the import installs one."""
    tree = module.tree
    in_functions = {
        id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        for line, name in imports(ast.Module([node], [])) if isinstance(node, ast.Import | ast.ImportFrom) else ():
            if within(name, ["twisted.internet.reactor"]) and not (module.is_tap and id(node) in in_functions):
                yield f"{module.name}:{line} may not import the reactor here"


def tap_imports(module: Module) -> Iterator[str]:
    """twistd loads tap modules by their names in the plugins. No other module imports them."""
    for line, name in imports(module.tree):
        if within(name, ["gatherer"]) and "tap" in name.split("."):
            yield f"{module.name}:{line} may not import {name}"


def relative_imports(module: Module) -> Iterator[str]:
    """Names are written in full, so that these rules (and people) can read them."""
    yield from (f"{module.name}:{line} relative import" for line, name in imports(module.tree) if name.startswith("."))


def mutable_state(module: Module) -> Iterator[str]:
    """A module holds constants. State that changes lives in an object."""
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
    if lines > MAX_LINES:
        yield f"{module.name} has {lines} lines, {MAX_LINES} at most"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring_lines(node)
            if size > MAX_FUNCTION_LINES:
                yield f"{module.name}:{node.lineno} {node.name} has {size} lines, {MAX_FUNCTION_LINES} at most"


def _docstring_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1 if ast.get_docstring(function) is not None else 0


RULES = (impure_core, reactor_imports, tap_imports, relative_imports, mutable_state, too_long)
