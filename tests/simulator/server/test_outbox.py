"""Frames that wait for a slow reader."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IPushProducer
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.simulator.server.outbox import BINARY, Outbox, frame


class OutboxTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.transport = StringTransport()
        self.overflows = 0
        self.outbox = Outbox(self.transport, 100, self.count)

    def count(self) -> None:
        self.overflows += 1

    def test_is_a_producer(self) -> None:
        """The transport can pause it."""
        verifyObject(IPushProducer, self.outbox)

    @given(st.lists(st.sampled_from(["write", "pause", "resume"]), max_size=40))
    def test_nothing_is_lost_or_reordered(self, steps: list[str]) -> None:
        """Whatever the transport says when, the bytes come out whole and in order."""
        transport = StringTransport()
        outbox = Outbox(transport, 10, lambda: None)
        written = b""
        for number, step in enumerate(steps):
            if step == "write":
                outbox.write(b"%d," % number)
                written += b"%d," % number
            elif step == "pause":
                outbox.pauseProducing()
            else:
                outbox.resumeProducing()
            self.assertEqual(len(transport.value()) + outbox.waiting, len(written))
        outbox.flush()
        self.assertEqual(transport.value(), written)

    def test_overflow_is_reported_once_until_it_recovers(self) -> None:
        """Passing the limit calls once; after draining it can happen again."""
        for _ in range(2):
            self.outbox.pauseProducing()
            for _ in range(5):
                self.outbox.write(b"x" * 60)
            self.outbox.resumeProducing()
        self.assertEqual(self.overflows, 2)

    def test_lost_socket_forgets(self) -> None:
        """After stopProducing nothing is written any more."""
        self.outbox.pauseProducing()
        self.outbox.write(b"x" * 60)
        self.assertTrue(self.outbox.crowded())
        self.outbox.stopProducing()
        self.outbox.flush()
        self.assertEqual((self.transport.value(), self.outbox.waiting), (b"", 0))

    def test_frames_have_the_shortest_header(self) -> None:
        """RFC 6455 section 5.2: 7, 16 or 64 bits of length."""
        found = [frame(b"x" * size)[:-size] for size in (125, 126, 65_535, 65_536)]
        self.assertEqual(
            found, [b"\x81\x7d", b"\x81\x7e\x00\x7e", b"\x81\x7e\xff\xff", b"\x81\x7f" + (65_536).to_bytes(8, "big")]
        )
        self.assertEqual(frame(b"x", BINARY), b"\x82\x01x")
