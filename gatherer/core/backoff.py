"""How long to wait before the next try. Randomness is an argument, so a test can decide it."""

import math
from collections.abc import Callable


class Backoff:
    """Waits that grow by `factor` from `initial` to `maximum` seconds, each shaken by ±`jitter` of itself.

    Twisted's own reconnecting factory multiplies the jittered wait, so its jitter compounds and
    can pass the cap. Here the jitter touches only what `next` gives back.
    """

    __slots__ = ("_base", "_factor", "_initial", "_jitter", "_maximum", "_random")

    def __init__(
        self, initial: float, maximum: float, factor: float, jitter: float, random: Callable[[], float]
    ) -> None:
        """`random` gives floats from [0, 1); ValueError for settings that make no sense."""
        self._random = random
        self._base: float | None = None
        """The wait to come, without its jitter; None for the first."""
        self.change(initial, maximum, factor, jitter)

    def change(self, initial: float, maximum: float, factor: float, jitter: float) -> None:
        """Other numbers from the next wait on. Where waits have grown they stay so long, within the new bounds."""
        if not (math.isfinite(maximum) and 0 < initial <= maximum):
            raise ValueError(f"need 0 < initial <= maximum, not initial={initial} and maximum={maximum}")
        if not (math.isfinite(factor) and factor >= 1):
            raise ValueError(f"factor must be at least 1, not {factor}")
        if not 0 <= jitter < 1:
            raise ValueError(f"jitter must be at least 0 and below 1, not {jitter}")
        self._initial = initial
        self._maximum = maximum
        self._factor = factor
        self._jitter = jitter

    def next(self) -> float:
        """Seconds to wait now; the one after will be longer. Never 0 and never above `maximum`."""
        base = self._initial if self._base is None else min(max(self._base, self._initial), self._maximum)
        self._base = min(base * self._factor, self._maximum)
        return min(base * (1 + self._jitter * (2 * self._random() - 1)), self._maximum)

    def reset(self) -> None:
        """Things went well: start from `initial` again."""
        self._base = None
