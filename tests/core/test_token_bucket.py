"""The token bucket never admits more requests than the exchange allows."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.token_bucket import TokenBucket


class TokenBucketTests(SynchronousTestCase):
    """Waits handed out by `TokenBucket.reserve`."""

    def test_burst_then_rate(self) -> None:
        """A full bucket admits its burst at once and then one request for each refill."""
        bucket = TokenBucket(200, 600, 0.0)
        waits = [bucket.reserve(10, 0.0) for _ in range(63)]
        self.assertEqual(waits[:60], [0.0] * 60)
        for wait, expected in zip(waits[60:], [0.05, 0.1, 0.15], strict=True):
            self.assertAlmostEqual(wait, expected)

    def test_idle_time_saves_no_more_than_the_capacity(self) -> None:
        """A day without requests saves up one burst, not a day of requests."""
        bucket = TokenBucket(10, 20, 0.0)
        self.assertEqual([bucket.reserve(10, 86400.0) for _ in range(3)], [0.0, 0.0, 1.0])

    def test_drained(self) -> None:
        """After `drain` the next request waits for its own cost; a queue does not get shorter."""
        bucket = TokenBucket(10, 100, 0.0)
        bucket.drain(0.0)
        self.assertEqual(bucket.reserve(10, 0.0), 1.0)
        bucket.drain(0.0)
        self.assertEqual(bucket.reserve(10, 0.0), 2.0)

    def test_clock_going_back(self) -> None:
        """When the clock is set back an hour, no tokens appear and nothing blocks for an hour."""
        bucket = TokenBucket(10, 10, 3600.0)
        bucket.reserve(10, 3600.0)
        self.assertEqual(bucket.reserve(10, 0.0), 1.0)
        self.assertEqual(bucket.reserve(10, 1.0), 1.0)

    def test_nonsense_is_refused(self) -> None:
        """A bucket without a refill or without capacity is refused."""
        for rate, capacity in ((0, 1), (1, 0), (-1, 1)):
            with self.assertRaises(ValueError):
                TokenBucket(rate, capacity, 0.0)

    @given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), min_size=1, max_size=60))
    def test_never_above_the_limit(self, steps: list[tuple[float, int]]) -> None:
        """Callers that wait as long as they should spend at most the burst plus the refill, in any window."""
        bucket, now, spent = TokenBucket(20, 60, 0.0), 0.0, []
        for pause, cost in steps:
            now += pause
            spent.append((now + bucket.reserve(cost, now), cost))
        self.assertEqual(spent, sorted(spent, key=lambda item: item[0]))
        for start in range(len(spent)):
            for end in range(start, len(spent)):
                window = spent[end][0] - spent[start][0]
                self.assertLessEqual(sum(cost for _, cost in spent[start : end + 1]), 60 + 50 + window * 20 + 1e-6)
