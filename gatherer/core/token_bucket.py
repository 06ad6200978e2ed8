"""A token bucket for requests: the exchange refills at a rate and allows a burst (protocol section 6)."""


class TokenBucket:
    """`reserve` returns how long the caller must wait. First come, first served; time is an argument.

    The level may go below zero: that is the queue. A clock that jumps back loses one refill and nothing more.
    """

    __slots__ = ("_capacity", "_level", "_rate", "_updated")

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        """`rate` tokens are added each second, up to `capacity`. The bucket starts full."""
        if not (rate > 0 and capacity > 0):
            raise ValueError(f"rate and capacity must be positive, not {rate} and {capacity}")
        self._rate = rate
        self._capacity = capacity
        self._level = capacity
        self._updated = now

    def reserve(self, cost: float, now: float) -> float:
        """Spend `cost` tokens. Returns the seconds to wait (0 or more) until they are there."""
        self._refill(now)
        self._level -= cost
        return max(0.0, -self._level / self._rate)

    def drain(self, now: float) -> None:
        """The exchange says that the bucket is empty. The next request waits for the refill."""
        self._refill(now)
        self._level = min(self._level, 0.0)

    def _refill(self, now: float) -> None:
        self._level = min(self._capacity, self._level + max(0.0, now - self._updated) * self._rate)
        self._updated = now
