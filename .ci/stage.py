"""Prepare a folder to run the tests in, from which the installed gatherer is imported and not the checkout's.

Usage: stage.py CHECKOUT FOLDER. The folder gets links to everything that the tests read, but not to the packages.
"""

import sys
from pathlib import Path

STAGED = (
    "benchmarks",
    "conf",
    "docs",
    "newsfragments",
    "tests",
    "CONTRIBUTING.md",
    "README.md",
    "pyproject.toml",
    "tox.ini",
)


def stage(checkout: Path, folder: Path) -> None:
    """Link what is staged. Replace the links of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in STAGED:
        link = folder / name
        link.unlink(missing_ok=True)
        if (checkout / name).exists():
            link.symlink_to(checkout / name)


def main() -> None:
    """Stage, then check that the installed package is imported."""
    checkout, folder = (Path(argument).resolve() for argument in sys.argv[1:])
    stage(checkout, folder)
    import gatherer

    origin = Path(gatherer.__file__).resolve()
    if not origin.is_relative_to(sys.prefix):
        raise SystemExit(f"the tests would import {origin}, not the installed package")
    print(f"testing {origin.parent} on Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
