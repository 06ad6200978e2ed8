"""Decides which REST requests get HTTP 429 (protocol section 6, "Rate limits"). Pure."""

from dataclasses import dataclass, field

REQUEST_COST = 10.0
"""Tokens that an ordinary request costs."""


@dataclass(slots=True)
class AccountBucket:
    """The tokens of one account. It starts full and refills at a steady rate."""

    rate: float
    """Tokens a second."""
    capacity: float
    _level: float = field(default=-1.0, repr=False)
    _at: float = 0.0

    def take(self, now: float, cost: float = REQUEST_COST) -> bool:
        """Take the tokens of one request, if there are enough. `now` is in seconds, of any clock."""
        if self._level < 0:
            self._level, self._at = self.capacity, now
        self._level = min(self.capacity, self._level + max(0.0, now - self._at) * self.rate)
        self._at = now
        if self._level < cost:
            return False
        self._level -= cost
        return True


class RateLimiter:
    """One bucket for each account. All unsigned requests share one."""

    def __init__(self, rate: float, capacity: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self._buckets: dict[str, AccountBucket] = {}

    def take(self, account: str, now: float) -> bool:
        """Whether the account may make another request now."""
        bucket = self._buckets.get(account)
        if bucket is None:
            bucket = self._buckets[account] = AccountBucket(self.rate, self.capacity)
        return bucket.take(now)

    def limits(self) -> dict[str, object]:
        """The answer of `/account/limits`."""
        read = {"refill_rate": round(self.rate), "bucket_capacity": round(self.capacity)}
        return {"usage_tier": "basic", "read": read, "write": dict(read), "grants": []}
