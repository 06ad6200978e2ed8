"""Counting by size."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.core.histograms import BATCH_CLASSES, Histogram, Measurements

finite = st.floats(-1e6, 1e6)


class HistogramTests(SynchronousTestCase):
    """Histogram."""

    @given(st.lists(finite, min_size=1, unique=True).map(sorted), st.lists(finite))
    def test_buckets_are_what_prometheus_means(self, bounds: list[float], values: list[float]) -> None:
        """A bucket counts all observations up to its bound; the last counts all."""
        histogram = Histogram(bounds)
        for value in values:
            histogram.observe(value)
        expected = [(bound, sum(value <= bound for value in values)) for bound in (*bounds, float("inf"))]
        self.assertEqual(histogram.buckets(), expected)
        self.assertAlmostEqual(histogram.sum, sum(values), places=3)


class BatchTests(SynchronousTestCase):
    """`Measurements.batches`."""

    @given(st.lists(st.integers(1, 2**40)))
    def test_one_addition_a_read_is_a_histogram(self, sizes: list[int]) -> None:
        """Each bound counts the reads with at most that many messages."""
        measurements = Measurements()
        for size in sizes:
            measurements.batches[size.bit_length()] += 1
        buckets = measurements.batch_buckets()
        self.assertEqual(buckets, [(bound, sum(size <= bound for size in sizes)) for bound, _ in buckets])
        self.assertEqual(len(buckets), BATCH_CLASSES)
