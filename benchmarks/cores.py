"""Pins processes: the measured client has one core to itself, and the load generator has another."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

CLIENT, GENERATOR = 0, 1
"""Places in the list of cores we may use."""
PACKAGES = ("twisted", "autobahn", "msgspec", "picows", "websockets", "aiohttp", "uvloop")


def pin(place: int) -> None:
    """Stay on one core, if there are at least two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[place]})


def surroundings() -> str:
    """The machine and the versions in one line, which every figure needs."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return (
        f"CPython {platform.python_version()}, {', '.join(found)}; {os.cpu_count()} cores of {_processor()}, "
        f"{platform.system()} {platform.release().partition('-')[0]}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
