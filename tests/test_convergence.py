"""The whole service against everything that can go wrong, in an order nobody thought of."""

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from tests.support.storm import Storm


class ConvergenceTests(SynchronousTestCase):
    """See `tests.support.storm`."""

    def test_after_any_storm_the_exchange_has_what_is_active(self) -> None:
        """Whatever happened: each active market subscribed once, with its book, every hole marked, no timer left."""
        hits: Counter[str] = Counter()
        run_state_machine_as_test(
            lambda: Storm(hits),
            settings=settings(
                max_examples=100, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
