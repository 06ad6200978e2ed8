"""Lateness is that of each message, whichever connection it took."""

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.latency import lateness, parse, run
from benchmarks.load.certificates import make_certificates
from benchmarks.load.jobs import Paced
from benchmarks.load.messages import DELTA


class LatencyTests(SynchronousTestCase):
    """The account of one run."""

    def test_messages_are_paired_by_connection(self) -> None:
        """The second message of a connection is held against its own sending, not against the other connection's."""
        sent = {"sids": [2, 1, 2], "times": [100, 200, 300]}
        self.assertEqual(list(lateness(sent, {1: [207], 2: [105, 309]})), [5, 7, 9])

    def test_gatherer(self) -> None:
        """200 messages over two connections, paced and encrypted, are timed on both sides."""
        with tempfile.TemporaryDirectory() as folder:
            make_certificates(Path(folder))
            measured = run("gatherer", Paced(2, 1000, 0.2, DELTA, Path(folder), 0.001))
        self.assertGreater(measured.half, 0)
        self.assertLessEqual(measured.half, measured.nearly_all)
        self.assertGreater(measured.cost, 0)

    def test_rates_that_leave_half_a_batch_are_refused(self) -> None:
        """The others hand on in batches: a rest would be waited for in vain."""
        error = self.assertRaises(SystemExit, parse, ["--rates", "1001"])
        self.assertIn("1001", str(error))
