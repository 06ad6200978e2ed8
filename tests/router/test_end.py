"""How a run ends: with its last marker on disk, or with the truth about what is missing, and always in time."""

from twisted.trial.unittest import SynchronousTestCase

from gatherer.capture_format import read_capture, segments_of
from gatherer.errors import CaptureIncomplete
from gatherer.router.segment_router import SegmentRouter
from gatherer.values import Marker
from tests.router.support import AT, ManualThreads, Rig, messages


class RunEndTests(SynchronousTestCase):
    """The marker `run_end`."""

    def test_is_the_last_record_of_a_run(self) -> None:
        """It counts what the run received and dropped; what comes during the close stands before it."""
        rig = Rig(self)
        rig.threads.held = True
        rig.router.deliver(messages(101))
        closed = rig.router.close()
        rig.router.deliver(messages(1, conn_id=8))
        rig.router.mark(Marker("session_down", 7, AT))
        rig.threads.release()
        self.successResultOf(closed)
        *_, before, last = read_capture(rig.directory)
        self.assertEqual(before["marker"], "local_drop")
        self.assertEqual((last["marker"], last["conn_id"]), ("run_end", 0))
        self.assertEqual(last["facts"], {"received": 102, "dropped": 2, "dropped_markers": 0})

    def test_is_not_older_than_what_it_follows(self) -> None:
        """A wall clock that was set back does not put the end of the run before its last message."""
        rig = Rig(self, wall=lambda: 5)
        rig.router.deliver(messages(3))
        rig.close()
        *_, last = read_capture(rig.directory)
        self.assertEqual((last["marker"], last["received_at"]), ("run_end", AT + 2000))

    def test_a_run_that_could_not_be_written_has_none(self) -> None:
        """A disk that stays full until the end leaves the run without its last record, so a reader sees a hole."""
        rig = Rig(self)
        rig.router.deliver(messages(20))
        rig.disk.room = 0
        rig.router.deliver(messages(20, start=20))
        text = rig.close_fails()
        self.assertIn("20 messages", text)
        self.assertNotIn("run_end", [r.get("marker") for r in read_capture(rig.directory)])
        again = SegmentRouter(rig.directory, rig.clock, threads=ManualThreads())
        again.start()  # the directory was released
        self.successResultOf(again.close())

    def test_a_disk_that_recovers_during_the_close_loses_nothing(self) -> None:
        """The backlog and the end of the run are written when space comes back in time."""
        rig = Rig(self)
        rig.disk.room = 0
        rig.router.deliver(messages(150))
        closed = rig.router.close()
        rig.clock.advance(1)
        rig.disk.room = None
        rig.clock.advance(1)
        self.successResultOf(closed)
        self.assertEqual(rig.numbers(), list(range(100)))
        self.assertEqual([r.get("marker") for r in read_capture(rig.directory)][-2:], ["local_drop", "run_end"])


class HungDiskTests(SynchronousTestCase):
    """A call to the operating system that never returns."""

    def test_a_write_that_never_returns_does_not_hold_up_the_stop(self) -> None:
        """Close fails after `close_timeout` with the number of messages that are missing. The directory stays locked,
        since the write may still happen."""
        rig = Rig(self, close_timeout=5.0)
        rig.router.deliver(messages(20))
        rig.threads.held = True
        rig.router.deliver(messages(40, start=20))
        closed = rig.router.close()
        rig.clock.pump([1] * 4)
        self.assertNoResult(closed)
        rig.clock.advance(1)
        text = self.failureResultOf(closed, CaptureIncomplete).getErrorMessage()
        self.assertIn("40 messages", text)
        self.assertIn("the disk does not answer", text)
        self.assertTrue(rig.threads.running)  # a thread that hangs cannot be joined
        self.assertEqual(rig.clock.getDelayedCalls(), [])
        self.assertGreaterEqual(rig.router._directory._lock_fd, 0)
        self.failureResultOf(rig.router.close(), CaptureIncomplete)
        rig.threads.release()
        rig.router._directory.close()

    def test_an_fsync_that_never_returns_does_not_hold_up_the_stop(self) -> None:
        """Close fails after `close_timeout` and names the segment. All its records are in the file."""
        rig = Rig(self, close_timeout=5.0)
        rig.router.deliver(messages(20))
        rig.threads.finish = lambda work: rig.threads.hold(work)  # type: ignore[method-assign]
        closed = rig.router.close()
        rig.clock.pump([1] * 5)
        text = self.failureResultOf(closed, CaptureIncomplete).getErrorMessage()
        (path,) = segments_of(rig.directory)
        self.assertIn(f"segment {path.name.removesuffix('.open')} may not be on disk: the disk does not answer", text)
        self.assertEqual(rig.numbers(), list(range(20)))
        rig.threads.release()
        rig.router._directory.close()

    def test_a_write_that_returns_late_is_not_lost(self) -> None:
        """A disk that answers within `close_timeout` costs nothing."""
        rig = Rig(self, close_timeout=5.0)
        rig.threads.held = True
        rig.router.deliver(messages(40))
        closed = rig.router.close()
        rig.clock.pump([1] * 4)
        rig.threads.release()
        self.successResultOf(closed)
        self.assertEqual(rig.clock.getDelayedCalls(), [])
        self.assertEqual(rig.numbers(), list(range(40)))


class SyncFailureTests(SynchronousTestCase):
    """An fsync that fails: the operating system may have thrown away what it could not write."""

    def facts(self, rig: Rig) -> list[dict[str, object]]:
        """Of the markers about it."""
        return [r["facts"] for r in rig.records() if r.get("marker") == "sync_failed"]

    def test_the_next_segment_says_which_segment_may_have_lost_records(self) -> None:
        """The marker names the segment and how much of it could be read back, though the second try succeeds."""
        rig = Rig(self, segment_bytes=1)
        rig.disk.bad_syncs = 1
        rig.router.deliver(messages(20))
        rig.router.deliver(messages(20, start=20))
        rig.clock.advance(1)
        rig.close()
        first, second = rig.finished()[:2]
        (facts,) = self.facts(rig)
        size = first.stat().st_size
        self.assertEqual(
            facts,
            {
                "segment": first.name,
                "error": "Input/output error",
                "size": size,
                "sound_size": size,
                "since": AT + 19_000,
            },
        )
        self.assertIn("sync_failed", [r.get("marker") for r in read_capture(second)])

    def test_what_cannot_be_read_back_is_told(self) -> None:
        """After a damaged frame nothing of the segment counts as sound, and `since` is the last record before it."""
        rig = Rig(self)
        rig.router.deliver(messages(20))
        (path,) = segments_of(rig.directory)
        sound = path.stat().st_size
        rig.router.deliver(messages(20, start=20))
        rig.router.deliver(messages(20, start=40))
        with path.open("r+b") as file:
            file.seek(sound + 30)
            file.write(b"\0" * 20)
        rig.disk.bad_syncs = 1
        rig.router._flusher._segment_aged()
        rig.clock.advance(1)
        rig.router.deliver(messages(20, start=60))
        rig.close()
        (facts,) = (r["facts"] for p in rig.finished()[1:] for r in read_capture(p) if r.get("marker") == "sync_failed")
        self.assertEqual((facts["sound_size"], facts["since"]), (sound, AT + 19_000))
        self.assertGreater(facts["size"], sound)

    def test_one_at_the_very_end_is_marked_too(self) -> None:
        """The last segment of a run gets a successor that says so, and that one ends the run."""
        rig = Rig(self)
        rig.router.deliver(messages(20))
        rig.disk.bad_syncs = 1
        rig.close()
        self.assertEqual(len(self.facts(rig)), 1)
        self.assertEqual([r.get("marker") for r in read_capture(rig.directory)][-2:], ["sync_failed", "run_end"])

    def test_a_disk_that_never_syncs_ends_in_an_error(self) -> None:
        """Close fails and names the segments that are not known to be on disk; each is marked once."""
        rig = Rig(self)
        rig.router.deliver(messages(20))
        rig.disk.bad_syncs = 1000
        text = rig.close_fails()
        self.assertEqual(text.count("may not be on disk: [Errno 5] Input/output error"), 2)
        self.assertEqual(rig.numbers(), list(range(20)))
