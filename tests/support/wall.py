"""Wall clocks for tests."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime


def wall_of(clock: IReactorTime) -> Callable[[], int]:
    """Unix time in ns, of a clock whose seconds are Unix time, as those of Twisted's own reactors are."""
    return lambda: int(clock.seconds() * 1e9)
