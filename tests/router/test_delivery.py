"""From deliver to disk, and what a full buffer drops."""

from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.capture_format.reading import segments_of
from gatherer.interfaces import IMessageRouter
from gatherer.router.segment_router import SegmentRouter
from gatherer.values import Marker, RawMessage
from tests.router.support import AT, ManualThreads, Rig, messages


class DeliveryTests(SynchronousTestCase):
    """From deliver to disk."""

    def test_keeps_the_contract(self) -> None:
        """SegmentRouter provides IMessageRouter."""
        rig = Rig(self)
        verifyObject(IMessageRouter, rig.router)
        rig.close()

    def test_a_small_batch_is_on_disk_within_the_flush_interval(self) -> None:
        """A single message waits no longer than `flush_interval`."""
        rig = Rig(self)
        rig.router.deliver(messages(1))
        self.assertEqual((rig.router.backlog(), rig.numbers()), (1, []))
        rig.clock.advance(1.0)
        self.assertEqual((rig.router.backlog(), rig.numbers()), (0, [0]))
        rig.close()

    def test_a_block_worth_a_frame_does_not_wait(self) -> None:
        """A fifth of the buffer is written without any time passing."""
        rig = Rig(self)
        rig.router.deliver(messages(20))
        self.assertEqual(rig.numbers(), list(range(20)))
        rig.close()

    def test_a_mebibyte_does_not_wait(self) -> None:
        """A few huge messages are written without any time passing."""
        rig = Rig(self)
        rig.router.deliver([RawMessage(b'{"n":0,"x":"%b"}' % (b"x" * 2**20), 7, AT)])
        self.assertEqual(rig.numbers(), [0])
        rig.close()

    def test_order_is_kept_between_messages_and_markers(self) -> None:
        """Markers stand where they were made, and nothing is out of order."""
        rig = Rig(self)
        rig.router.mark(Marker("session_up", 7, AT))
        rig.router.deliver(messages(2))
        rig.router.mark(Marker("gap", 7, AT, {"sid": 1}))
        rig.router.deliver(messages(1, start=2))
        rig.close()
        self.assertEqual([r.get("marker") or r["data"]["n"] for r in rig.records()], ["session_up", 0, 1, "gap", 2])

    def test_what_is_delivered_before_the_start_is_written_after_it(self) -> None:
        """Early messages wait for `start`."""
        clock, threads = Clock(), ManualThreads()
        directory = Path(self.mktemp())
        router = SegmentRouter(directory, clock, threads=threads)
        router.deliver(messages(3))
        self.assertFalse(directory.exists())
        router.start()
        self.successResultOf(router.close())
        self.assertEqual(router.written, 3)

    def test_one_visit_of_the_writer_at_a_time(self) -> None:
        """While the writer is busy, nothing more is handed over; afterwards all that has come goes as one frame."""
        rig = Rig(self)
        rig.threads.held = True
        for start in (0, 20, 40):
            rig.router.deliver(messages(20, start=start))
        self.assertEqual(len(rig.threads._waiting), 1)
        rig.threads.release()
        self.assertEqual(rig.numbers(), list(range(60)))
        rig.close()

    def test_something_that_is_not_a_message_raises_nothing(self) -> None:
        """A batch that cannot be encoded is dropped, counted and logged; the next one is written."""
        rig = Rig(self)
        rig.router.deliver([RawMessage("text", 7, AT)])  # type: ignore[arg-type]
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        rig.router.deliver(messages(1))
        rig.close()
        self.assertEqual(rig.numbers(), [0])
        self.assertEqual((rig.router.received, rig.router.written, rig.router.dropped), (2, 1, 1))

    def test_status_is_json(self) -> None:
        """The status has the counters and can be encoded as it is."""
        rig = Rig(self)
        rig.router.deliver(messages(20))
        status = msgspec.to_builtins(rig.router.status())
        self.assertEqual((status["received"], status["written"], status["dropped"], status["segments"]), (20, 20, 0, 1))
        self.assertIsNone(status["trouble"])
        self.assertEqual(status["bytes_written"], sum(path.stat().st_size for path in segments_of(rig.directory)))
        rig.close()


class DropTests(SynchronousTestCase):
    """A full buffer."""

    def test_the_next_record_says_how_many_were_dropped(self) -> None:
        """After a drop, the marker of the connection comes before its next message and holds count and times."""
        rig = Rig(self)
        rig.threads.held = True
        rig.router.deliver(messages(130))
        rig.threads.release()
        rig.router.deliver(messages(1, start=130))
        rig.close()
        records = rig.records()
        self.assertEqual([r["data"]["n"] for r in records[:100]], list(range(100)))
        self.assertEqual((records[100]["marker"], records[100]["conn_id"]), ("local_drop", 7))
        self.assertEqual(records[100]["facts"], {"count": 30, "first_at": AT + 100_000, "last_at": AT + 129_000})
        self.assertEqual(records[101]["data"]["n"], 130)

    def test_the_marker_comes_first_even_before_the_reactor_knows_of_the_room(self) -> None:
        """When the writer thread has made room and its callback has not run yet, the marker still comes
        before the next message."""
        rig = Rig(self)
        rig.threads.held = True
        rig.router.deliver(messages(130))
        rig.router._writer.drain(1)  # as the thread does while the reactor is busy
        rig.router.deliver(messages(1, start=130))
        rig.threads.release()
        rig.close()
        self.assertEqual([r.get("marker") or r["data"]["n"] for r in rig.records()[99:]], [99, "local_drop", 130])

    def test_each_connection_has_its_own_marker(self) -> None:
        """Drops are counted by connection, in the capture and in the counters."""
        rig = Rig(self)
        rig.threads.held = True
        rig.router.deliver(messages(100))
        rig.router.deliver(messages(3, conn_id=8))
        rig.router.deliver(messages(2, conn_id=9))
        rig.threads.release()
        rig.close()
        marked = {r["conn_id"]: r["facts"]["count"] for r in rig.records() if "marker" in r}
        self.assertEqual(marked, {8: 3, 9: 2})
        self.assertEqual(rig.router.status().dropped_by_connection, {"8": 3, "9": 2})

    def test_the_marker_comes_even_when_nothing_else_does(self) -> None:
        """A connection that falls silent after a loss still gets its marker written."""
        rig = Rig(self)
        rig.threads.held = True
        rig.router.deliver(messages(101))
        rig.threads.release()
        rig.clock.advance(1)
        self.assertEqual([r["facts"]["count"] for r in rig.records() if "marker" in r], [1])
        rig.close()

    def test_markers_are_never_dropped(self) -> None:
        """A buffer that is full of messages still takes markers."""
        rig = Rig(self)
        rig.threads.held = True
        rig.router.deliver(messages(100))
        for n in range(50):
            rig.router.mark(Marker("gap", 7, AT, {"n": n}))
        rig.threads.release()
        rig.close()
        self.assertEqual([r["facts"]["n"] for r in rig.records() if "marker" in r], list(range(50)))

    def test_a_block_in_flight_counts_as_backlog(self) -> None:
        """What the writer has taken and not written still fills the buffer."""
        rig = Rig(self)
        rig.threads.held = True
        rig.router.deliver(messages(20))
        rig.router.deliver(messages(90, start=20))
        self.assertEqual((rig.router.backlog(), rig.router.dropped), (100, 10))
        rig.threads.release()
        rig.close()

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("deliver"), st.integers(1, 3), st.integers(1, 60)),
                st.sampled_from([("hold",), ("release",), ("second",), ("full", 0), ("full", 5), ("empty",)]),
            ),
            max_size=25,
        )
    )
    def test_every_message_is_written_or_marked(self, steps: list[tuple[Any, ...]]) -> None:
        """Whatever holds the writer or fills the disk: each connection's messages come in order, none
        doubled, and the markers between them account for exactly those that are missing."""
        rig = Rig(self, segment_bytes=300)
        sent = dict.fromkeys((1, 2, 3), 0)
        for name, *args in steps:
            if name == "deliver":
                conn_id, count = args
                rig.router.deliver(messages(count, conn_id, sent[conn_id]))
                sent[conn_id] += count
            elif name == "hold":
                rig.threads.held = True
            elif name == "release":
                rig.threads.release()
            elif name == "second":
                rig.clock.advance(1)
            else:
                rig.disk.room = args[0] if args else None
        rig.disk.room = None
        rig.threads.release()
        rig.clock.advance(1)
        rig.close()
        expected = dict.fromkeys(sent, 0)
        for record in rig.records():
            conn_id = record["conn_id"]
            if "data" in record:
                self.assertEqual(record["data"]["n"], expected[conn_id])
                expected[conn_id] += 1
            else:
                expected[conn_id] += record["facts"]["count"]
        self.assertEqual(expected, sent)
        self.assertEqual(rig.router.received, rig.router.written + rig.router.dropped)
