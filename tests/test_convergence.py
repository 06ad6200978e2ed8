"""The whole service against every known fault, in random orders."""

import re
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from tests.support.fault_machine import FaultMachine
from tests.support.recording import PlannedFailure

EXAMPLES, STEPS = 250, 30
MUST_HAPPEN = (
    "create", "open|close|pause|resume|determine|settle", "move close", "churn", "messages", "pause of the exchange",
    r"error \d+", r"error \d+ applied", "lost reply", "late reply", "double reply",
    "slow replies", "lost book", "numbers that start again", "nameless reply", "storm of gaps", "drain",
    r"cut|half_open|unsubscribed|terminate \d+", r"(cut|half_open|unsubscribed|terminate \d+) while pending",
    r"upgrade \d+", "lost events", "skipped number", "skipped number in a reply", "repeated number", r"garbage \w+",
    "REST failures", "REST down", "stale rows", "cached rows", "change during a walk", "settled", "full",
    "disk full", "disk short", "disk hung", "disk sync", r"stop with the disk \w+",
    "listener fails",
)  # fmt: skip
"""Events that a run must contain, one pattern for each rule: a rule without effect proves nothing."""


class ConvergenceTests(SynchronousTestCase):
    """See `tests.support.fault_machine`."""

    def test_after_any_faults_the_exchange_has_what_is_active(self) -> None:
        """Then each active market is subscribed once and has its book, holes are marked, no timer is left."""
        hits: Counter[str] = Counter()

        def make() -> FaultMachine:
            return FaultMachine(hits)

        machine: Any = make
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
        self.flushLoggedErrors(PlannedFailure)
        done = [name for name, count in hits.items() if count]
        self.assertEqual([what for what in MUST_HAPPEN if not any(re.fullmatch(what, name) for name in done)], [])
