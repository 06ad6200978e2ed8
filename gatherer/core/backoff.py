"""How long to wait before the next try. Randomness is an argument, so that a test can choose it."""

import math
from collections.abc import Callable


class Backoff:
    """Waits that grow by `factor` from `initial` to `maximum` seconds, each shortened or lengthened by up to `jitter`.

    Twisted's own reconnecting factory multiplies the wait with its jitter, so the jitter compounds and can pass the
    maximum. Here the jitter changes only the result of `next`.
    """

    __slots__ = ("_base", "_factor", "_initial", "_jitter", "_maximum", "_random")

    def __init__(
        self, initial: float, maximum: float, factor: float, jitter: float, random: Callable[[], float]
    ) -> None:
        """`random` returns floats from [0, 1). Raises ValueError for impossible settings."""
        self._random = random
        self._base: float | None = None
        """The next wait, without its jitter; None before the first."""
        self.change(initial, maximum, factor, jitter)

    def change(self, initial: float, maximum: float, factor: float, jitter: float) -> None:
        """Use other numbers from the next wait on. A wait that has grown keeps its length, within the new bounds."""
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
        """Seconds to wait now. The next wait will be longer. Never 0 and never above `maximum`."""
        base = self._initial if self._base is None else min(max(self._base, self._initial), self._maximum)
        self._base = min(base * self._factor, self._maximum)
        return min(base * (1 + self._jitter * (2 * self._random() - 1)), self._maximum)

    def reset(self) -> None:
        """The try succeeded: start from `initial` again."""
        self._base = None
