"""Waits between tries: growth, cap, jitter."""

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.backoff import Backoff


class BackoffTests(SynchronousTestCase):
    """The results of `Backoff.next`."""

    def test_doubles_up_to_the_maximum(self) -> None:
        """Without jitter the waits are 1, 2, 4, ... and then stay at the maximum."""
        backoff = Backoff(1.0, 10.0, 2.0, 0.0, random.random)
        self.assertEqual([backoff.next() for _ in range(6)], [1.0, 2.0, 4.0, 8.0, 10.0, 10.0])

    def test_reset_starts_over(self) -> None:
        """After `reset` the first wait is the initial one."""
        backoff = Backoff(1.0, 10.0, 2.0, 0.0, random.random)
        backoff.next()
        backoff.next()
        backoff.reset()
        self.assertEqual([backoff.next(), backoff.next()], [1.0, 2.0])

    def test_jitter_does_not_compound(self) -> None:
        """The lowest possible draw shortens every wait by the same share; it is never multiplied again."""
        backoff = Backoff(1.0, 100.0, 2.0, 0.2, lambda: 0.0)
        for wait, expected in zip([backoff.next() for _ in range(4)], [0.8, 1.6, 3.2, 6.4], strict=True):
            self.assertAlmostEqual(wait, expected)

    def test_growth_without_end_stays_finite(self) -> None:
        """Thousands of failures in a row do not overflow."""
        backoff = Backoff(1.0, 300.0, 2.0, 0.0, random.random)
        self.assertEqual([backoff.next() for _ in range(5000)][-1], 300.0)

    def test_nonsense_settings_are_refused(self) -> None:
        """A zero wait, a maximum below the initial wait, a factor below 1 or a jitter of 1 is refused."""
        for bad in [(0.0, 1.0, 2.0, 0.0), (2, 1, 2, 0), (1, 2, 0.5, 0), (1, 2, 2, 1.0), (1, 2, 2, -0.1)]:
            with self.assertRaises(ValueError):
                Backoff(*bad, random.random)
        for bad in [(1, float("inf"), 2, 0), (1, 2, float("nan"), 0), (float("nan"), 2, 2, 0), (1, 2, 2, float("nan"))]:
            with self.assertRaises(ValueError):
                Backoff(*bad, random.random)

    @given(
        st.floats(0.001, 100),
        st.floats(0, 1000),
        st.floats(1, 10),
        st.floats(0, 0.99),
        st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30),
    )
    def test_bounds(self, initial: float, more: float, factor: float, jitter: float, draws: list[float]) -> None:
        """Every wait is positive, at most the maximum, and within ±jitter of the wait without jitter."""
        source = iter(draws)
        shaken = Backoff(initial, initial + more, factor, jitter, lambda: next(source))
        plain = Backoff(initial, initial + more, factor, 0.0, lambda: 0.5)
        for _ in draws:
            wait, base = shaken.next(), plain.next()
            self.assertTrue(0 < wait <= initial + more)
            self.assertLessEqual(abs(wait - base), base * jitter + base * 1e-9)
