"""The buffer is bounded in bytes too: messages, markers, and what is dropped."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.router.backlog import BLOCK_BYTES, Backlog
from gatherer.values import Marker, RawMessage
from tests.router.support import AT, Rig, messages

KIB = 1024


def large(n: int, conn_id: int = 7, size: int = 10 * KIB) -> RawMessage:
    """A message with the number `n` that takes about `size` bytes."""
    return RawMessage(b'{"n":%d,"x":"%b"}' % (n, b"x" * size), conn_id, AT + n * 1000)


class BytesTests(SynchronousTestCase):
    """`buffer_bytes`."""

    def full(self, **options: Any) -> Rig:
        """A router on a full disk, with room for a million messages but not for their bytes."""
        rig = Rig(self, buffer_messages=1_000_000, **{"buffer_bytes": 256 * KIB, **options})
        rig.disk.room = 0
        return rig

    def end(self, rig: Rig) -> None:
        """There is space again: all that was kept is written."""
        rig.disk.room = None
        rig.clock.advance(1)
        rig.close()

    def test_large_messages_are_dropped_before_their_number_is_too_large(self) -> None:
        """The bytes that wait stay within the bound, and each message is written or counted by a marker."""
        rig = self.full()
        for n in range(1000):
            rig.router.deliver([large(n)])
        self.assertLessEqual(rig.router._backlog.memory_bytes, 256 * KIB)
        self.assertGreater(rig.router.backlog(), 10)
        self.assertEqual(rig.router.backlog() + rig.router.dropped, 1000)
        self.end(rig)
        written = rig.numbers()
        self.assertEqual(written, list(range(len(written))))
        (drop,) = (r["facts"] for r in rig.records() if "marker" in r)
        self.assertEqual(drop["count"], 1000 - len(written))
        self.assertEqual(drop["first_at"], AT + len(written) * 1000)
        self.assertEqual(drop["last_at"], AT + 999_000)

    def test_undecodable_messages_take_the_room_for_messages(self) -> None:
        """A flood of them is bounded, what does not fit is counted by connection, and other markers still fit."""
        rig = self.full()
        for n in range(5000):
            rig.router.mark(Marker("undecodable", 7, AT + n, {"reason": "json", "base64": "A" * 400}))
        self.assertLessEqual(rig.router._backlog.memory_bytes, 256 * KIB)
        self.assertEqual(rig.router.mark(Marker("session_down", 8, AT, {"reason": "gone"})), 0)
        self.end(rig)
        kinds = Counter(r["marker"] for r in rig.records())
        (drop,) = (r for r in rig.records() if r["marker"] == "local_drop")
        self.assertEqual((drop["conn_id"], drop["facts"]["count"]), (7, 0))
        self.assertEqual(
            drop["facts"]["markers"],
            {
                "undecodable": {
                    "count": 5000 - kinds["undecodable"],
                    "first_at": AT + kinds["undecodable"],
                    "last_at": AT + 4999,
                }
            },
        )
        self.assertEqual(kinds["session_down"], 1)

    def test_a_flood_of_any_marker_is_bounded(self) -> None:
        """Beyond their reserve markers are counted by kind and connection, and the interval is in the next marker."""
        rig = self.full()
        for n in range(2000):
            rig.router.mark(Marker("markets_added", 7, AT + n, {"tickers": ["KXTEST"] * 10}))
            rig.router.mark(Marker("recovered", 8, AT + n, {"sid": 1}))
        self.assertLessEqual(rig.router._backlog.memory_bytes, 256 * KIB)
        self.end(rig)
        kinds = Counter((r["marker"], r["conn_id"]) for r in rig.records())
        for kind, conn_id in (("markets_added", 7), ("recovered", 8)):
            (facts,) = (r["facts"] for r in rig.records() if (r["marker"], r["conn_id"]) == ("local_drop", conn_id))
            self.assertEqual(facts["markers"][kind]["count"] + kinds[kind, conn_id], 2000)

    def test_a_dropped_marker_reaches_back_as_far_as_the_marker_itself(self) -> None:
        """A `session_down` that is dropped spoils what came since its `since`, not only since its own time."""
        rig = self.full(buffer_bytes=64)
        self.assertEqual(rig.router.mark(Marker("session_down", 7, AT, {"since": AT - 30})), 1)
        self.assertEqual(rig.router._drops.markers_due()[0].facts["first_at"], AT - 30)
        rig.router._drops.forget(rig.router._drops.markers_due()[0])
        self.end(rig)

    def test_a_drop_is_marked_before_the_next_marker_of_its_connection(self) -> None:
        """The order of a connection is kept even while the buffer is full of messages."""
        rig = Rig(self)
        rig.disk.room = 0
        rig.router.deliver(messages(130))
        rig.router.mark(Marker("session_down", 7, AT))
        rig.router.mark(Marker("session_up", 8, AT))
        rig.router.deliver(messages(5, start=130))
        self.end(rig)
        kinds = [r["marker"] for r in rig.records() if "marker" in r]
        self.assertEqual(kinds, ["local_drop", "session_down", "session_up", "local_drop"])

    def test_large_backlogs_are_compressed_in_parts(self) -> None:
        """A block has at most `BLOCK_BYTES`, so that a retry needs no second buffer."""
        backlog = Backlog(1000, 64 << 20)
        for _ in range(10):
            backlog.put(b"x" * (BLOCK_BYTES // 3), 1, AT)
        sizes = []
        while block := backlog.take():
            sizes.append(len(block.lines))
            backlog.mark_written(block)
        self.assertEqual(sizes, [3, 3, 3, 1])
        self.assertEqual((backlog.messages, backlog.memory_bytes, backlog.waiting_bytes), (0, 0, 0))

    def test_a_line_larger_than_a_block_is_a_block(self) -> None:
        """Nothing is too large for a frame."""
        backlog = Backlog(1000, 64 << 20)
        backlog.put(b"x" * (BLOCK_BYTES + 1), 1, AT)
        backlog.put(b"y", 1, AT)
        self.assertEqual([block.messages for block in (backlog.take(), backlog.take()) if block], [1, 1])


STEPS = st.one_of(
    st.tuples(st.just("deliver"), st.integers(1, 3), st.integers(1, 8), st.sampled_from([0, 200, 3000, 60_000])),
    st.tuples(st.just("mark"), st.integers(1, 3), st.sampled_from(["undecodable", "gap", "session_up"]),
              st.sampled_from([0, 3000, 30_000])),
    st.sampled_from([("hold",), ("release",), ("second",), ("full", 0), ("full", 500), ("empty",)]),
)  # fmt: skip


class AccountTests(SynchronousTestCase):
    """Messages and markers of any size, a disk that holds the writer or is full."""

    @settings(max_examples=150, deadline=None)
    @given(st.lists(STEPS, max_size=30))
    def test_nothing_is_silent(self, steps: list[tuple[Any, ...]]) -> None:
        """The memory stays within its bound; per connection each record comes once and in order, and the markers
        between them count exactly those that are missing, by kind."""
        rig = Rig(self, segment_bytes=3000, buffer_messages=40, buffer_bytes=128 * KIB)
        sent: dict[int, list[str]] = {1: [], 2: [], 3: []}
        for name, *args in steps:
            if name in ("deliver", "mark"):
                getattr(self, f"_{name}")(rig, sent, *args)
            elif name == "hold":
                rig.threads.held = True
            elif name == "release":
                rig.threads.release()
            elif name == "second":
                rig.clock.advance(1)
            else:
                rig.disk.room = args[0] if args else None
            self.assertLessEqual(rig.router._backlog.memory_bytes, 128 * KIB)
        rig.disk.room = None
        rig.threads.release()
        rig.clock.advance(1)
        rig.close()
        self._check(rig, sent)
        self.assertEqual(rig.router.received, rig.router.written + rig.router.dropped)

    def _deliver(self, rig: Rig, sent: dict[int, list[str]], conn_id: int, count: int, size: int) -> None:
        batch = [large(len(sent[conn_id]) + n, conn_id, size) for n in range(count)]
        sent[conn_id] += ["message"] * count
        before = rig.router.dropped
        self.assertEqual(rig.router.deliver(batch), rig.router.dropped - before)

    def _mark(self, rig: Rig, sent: dict[int, list[str]], conn_id: int, kind: str, size: int) -> None:
        rig.router.mark(Marker(kind, conn_id, AT, {"n": len(sent[conn_id]), "x": "x" * size}))
        sent[conn_id].append(kind)

    def _check(self, rig: Rig, sent: dict[int, list[str]]) -> None:
        """Walk through the capture, beside what was sent."""
        place = dict.fromkeys(sent, 0)
        for record in rig.records():
            conn_id, kind = record["conn_id"], record.get("marker", "message")
            if kind == "local_drop":
                facts = record["facts"]
                lost = Counter({k: each["count"] for k, each in facts.get("markers", {}).items()})
                lost["message"] = facts["count"]
                number = lost.total()
                self.assertEqual(Counter(sent[conn_id][place[conn_id] :][:number]), +lost)
                place[conn_id] += number
            else:
                self.assertEqual(sent[conn_id][place[conn_id]], kind)
                self.assertEqual((record.get("data") or record["facts"])["n"], place[conn_id])
                place[conn_id] += 1
        self.assertEqual(place, {conn_id: len(kinds) for conn_id, kinds in sent.items()})
