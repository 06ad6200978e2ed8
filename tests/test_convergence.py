"""The whole service against everything that can go wrong, in an order nobody thought of."""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from tests.support.storm import Storm

EXAMPLES, STEPS = 180, 40
MUST_HAPPEN = (
    "create", "open", "close", "pause", "resume", "move close", "determine", "settle", "churn", "messages",
    "lost reply", "late reply", "double reply", "full",
    "cut", "half_open", "unsubscribed", "terminate 10", "terminate 25", "cut while pending",
    "upgrade 401", "upgrade 429", "upgrade 503", "lost events", "skipped number", "skipped number in a reply",
    "repeated number", "garbage json", "garbage binary", "garbage unknown_type", "REST failures", "REST down",
    "stale rows", "change during a walk",
)  # fmt: skip
"""What a run has to have done to the service. The error codes are too many to meet each of them each time."""


class ConvergenceTests(SynchronousTestCase):
    """See `tests.support.storm`."""

    def test_after_any_storm_the_exchange_has_what_is_active(self) -> None:
        """Whatever happened: each active market subscribed once, with its book, every hole marked, no timer left."""
        hits: Counter[str] = Counter()

        def storm() -> Storm:
            return Storm(hits)

        machine: Any = storm
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
        self.assertEqual([name for name in MUST_HAPPEN if not hits[name]], [])
        codes = [name for name in hits if name.startswith("error ") and hits[name]]
        self.assertGreater(len(codes), 12, "many error codes met a command")
