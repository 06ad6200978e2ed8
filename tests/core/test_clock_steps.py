"""Tests for `gatherer.core.clock_steps`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.clock_steps import MIN_STEP_SECONDS, ClockStepDetector

START = 1_800_000_000_000_000_000


class ClockStepDetectorTests(SynchronousTestCase):
    """ClockStepDetector."""

    @given(
        st.lists(st.tuples(st.floats(0.5, 5.0), st.one_of(st.just(0.0), st.floats(0.2, 1e6), st.floats(-1e6, -0.2))))
    )
    def test_every_step_is_found_with_its_size(self, looks: list[tuple[float, float]]) -> None:
        """Whatever the steps are, each is found at the next look, and nothing else is."""
        wall, monotonic = START, 100.0
        detector = ClockStepDetector(wall, monotonic)
        for passed, step in looks:
            before = wall
            monotonic += passed
            wall += int((passed + step) * 1e9)
            found = detector.look(wall, monotonic)
            if step:
                assert found is not None
                self.assertLess(abs(found.seconds - step), 1e-3)
                self.assertEqual(found.before, before)
            else:
                self.assertIsNone(found)

    def test_slewing_is_not_a_step(self) -> None:
        """NTP moves the clock by at most 500 ppm: a day of that adds up to 43 s and is never one step."""
        detector = ClockStepDetector(START, 0.0)
        for second in range(1, 86_400, 60):
            self.assertIsNone(detector.look(START + int(second * 1.0005 * 1e9), float(second)))

    def test_an_interrupted_look_is_not_a_step(self) -> None:
        """Less than the least step between reading one clock and the other."""
        detector = ClockStepDetector(START, 0.0)
        self.assertIsNone(detector.look(START + int((1 + MIN_STEP_SECONDS * 0.9) * 1e9), 1.0))
