"""constraints.txt pins everything that is installed with gatherer, to exact versions, on each CPython."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from twisted.trial.unittest import SkipTest, SynchronousTestCase

FILE = Path(__file__).resolve().parent.parent / "constraints.txt"
PYTHONS = ("3.11", "3.12", "3.13")


def pinned() -> list[Requirement]:
    """Its lines."""
    return [Requirement(line) for line in FILE.read_text().splitlines() if line.strip() and "#" not in line]


def holds(requirement: Requirement, **environment: str) -> bool:
    """Whether a line applies to this environment, with other values if given."""
    return requirement.marker is None or requirement.marker.evaluate(environment)


def needed(name: str, extras: frozenset[str], seen: dict[str, list[Requirement]]) -> None:
    """What a distribution needs here, directly or not: by name, with the versions that each user of it accepts."""
    try:
        texts = distribution(name).requires or []
    except PackageNotFoundError:  # this environment is older than the requirement
        return
    for requirement in map(Requirement, texts):
        if not any(holds(requirement, extra=extra) for extra in (extras or {""})):
            continue
        known = seen.setdefault(canonicalize_name(requirement.name), [])
        if requirement not in known:
            known.append(requirement)
            needed(requirement.name, frozenset(requirement.extras), seen)


class ConstraintsTests(SynchronousTestCase):
    """The file alone, and compared with the installed packages."""

    def test_every_line_is_one_version(self) -> None:
        """Each line has one exact version, and no name has two versions for one interpreter."""
        for python in PYTHONS:
            found = [
                canonicalize_name(each.name)
                for each in pinned()
                if holds(each, python_version=python, python_full_version=f"{python}.0", implementation_name="cpython")
            ]
            self.assertEqual(len(found), len(set(found)), python)
        for each in pinned():
            self.assertEqual([spec.operator for spec in each.specifier], ["=="], each)

    def test_everything_that_is_needed_is_pinned(self) -> None:
        """gatherer's requirements, those of its requirements, and so on, each to a version that all of them accept."""
        try:
            distribution("gatherer")
        except PackageNotFoundError:
            raise SkipTest("gatherer is not installed") from None
        wanted: dict[str, list[Requirement]] = {}
        needed("gatherer", frozenset(), wanted)
        self.assertIn("hyperlink", wanted)  # of Twisted: the walk does go on
        versions: dict[str, str] = {
            canonicalize_name(each.name): str(each.specifier)[2:] for each in pinned() if holds(each)
        }
        self.assertEqual(set(wanted) - set(versions), set())
        for name, requirements in wanted.items():
            for requirement in requirements:
                self.assertTrue(requirement.specifier.contains(versions[name]), f"{requirement} and {versions[name]}")
