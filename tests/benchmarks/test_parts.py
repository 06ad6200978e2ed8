"""The parts of a message's way can be timed by themselves."""

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.load.certificates import make_certificates
from benchmarks.load.exchange import varied
from benchmarks.parts import measure
from gatherer.core.wire.codec import decode_envelope


class PartsTests(SynchronousTestCase):
    """benchmarks.parts."""

    def test_every_part_takes_time(self) -> None:
        """Each part runs over all messages, round after round, and none of them costs nothing."""
        with tempfile.TemporaryDirectory() as folder:
            make_certificates(Path(folder))
            best = measure(1000, 2, Path(folder))
        self.assertEqual(len(best), 9)
        self.assertGreater(min(best.values()), 0.0)

    def test_varied_changes(self) -> None:
        """What is compressed is not the same message over and over, and is numbered as a feed is."""
        texts = varied(500, markets=50)
        self.assertEqual([decode_envelope(text).seq for text in texts], list(range(1, 501)))
        self.assertGreater(len({text.partition(b'"msg"')[2] for text in texts}), 450)
