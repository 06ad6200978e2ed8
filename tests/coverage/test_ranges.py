"""An answer about a range is the part of the whole answer that lies in it."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.coverage import Coverage, Interval, State, coverage_of
from tests.coverage.captures import MadeUpGatherer, Step, steps

Feed = tuple[str, str | None]
Shares = tuple[float, float]
"""Where a range begins and ends, in parts of the whole."""


def states(coverage: Coverage) -> dict[Feed, list[tuple[int, int, str]]]:
    """Feeds that are not merely absent, with their intervals; reasons and connections aside."""
    found = {}
    for feed in coverage.feeds:
        spans = clipped(feed.intervals, coverage.start, coverage.end)
        if [state for _, _, state in spans] != ["not_carried"]:
            found[feed.channel, feed.ticker] = spans
    return found


def clipped(intervals: tuple[Interval, ...], start: int, end: int) -> list[tuple[int, int, str]]:
    """The part of them between two times, neighbours of one state put together."""
    found: list[tuple[int, int, str]] = []
    for interval in intervals:
        first, last = max(interval.start, start), min(interval.end, end)
        if first < last:
            state = interval.state.value
            if found and found[-1][2] == state:
                found[-1] = (found[-1][0], last, state)
            else:
                found.append((first, last, state))
    return found


def part(whole: Coverage, start: int, end: int) -> Coverage:
    """The whole answer, for a range."""
    return Coverage(start, end, whole.feeds)


class RangeTests(SynchronousTestCase):
    """Random captures, random ranges."""

    @settings(max_examples=150, deadline=None)
    @given(
        steps,
        st.sampled_from(("stop", "kill", "flow")),
        st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=6),
    )
    def test_a_range_is_a_part_of_the_whole(self, story: list[Step], last: str, ranges: list[Shares]) -> None:
        """For every feed, whatever went wrong before, in or after the range."""
        with tempfile.TemporaryDirectory() as folder:
            directory = Path(folder) / "capture"
            MadeUpGatherer(directory).tell([("up", 7, 0, 1.0, True), ("add", 7, 0, 1.0, True), *story], last)
            if not any(directory.iterdir()):
                return
            whole = coverage_of([directory])
            length = whole.end - whole.start
            for one, other in ranges:
                start, end = sorted(whole.start + int(share * length) for share in (one, other))
                if start < end:
                    ranged = coverage_of([directory], start=start, end=end)
                    self.assertEqual(states(ranged), states(part(whole, start, end)))


class TruthTests(SynchronousTestCase):
    """Random captures, with a clock that is set back and forth."""

    @settings(max_examples=150, deadline=None)
    @given(steps, st.sampled_from(("stop", "kill")))
    def test_complete_is_true_at_every_moment_of_a_time(self, story: list[Step], last: str) -> None:
        """After a step back the same time comes again: it is complete only if the book was complete each time."""
        with tempfile.TemporaryDirectory() as folder:
            directory = Path(folder) / "capture"
            made = MadeUpGatherer(directory)
            made.tell([("up", 7, 0, 1.0, True), ("add", 7, 0, 1.0, True), *story], last)
            if not any(directory.iterdir()):
                return
            for feed in coverage_of([directory]).feeds:
                for probe in made.moments if feed.ticker else ():
                    at = (probe.start + probe.end) // 2
                    interval = feed.at(at)
                    if interval is not None and interval.state is State.COMPLETE:
                        moments = [moment for moment in made.moments if moment.start <= at < moment.end]
                        wrong = [m for m in moments if not any(ticker == feed.ticker for _, ticker in m.complete)]
                        self.assertEqual(wrong, [], (feed.ticker, at))


class KnownRangeTests(SynchronousTestCase):
    """What came out as complete."""

    def check(self, story: list[Step], start: float, end: float) -> str:
        """The states of the first market between two seconds after the start of the capture; whole and ranged agree."""
        directory = Path(self.mktemp())
        MadeUpGatherer(directory).tell([("up", 7, 0, 0.0, True), ("add", 7, 0, 1.0, True), *story], "stop")
        whole = coverage_of([directory])
        first, last = (whole.start + int(second * 1e9) for second in (start, end))
        ranged = coverage_of([directory], start=first, end=last)
        self.assertEqual(states(ranged), states(part(whole, first, last)))
        return " ".join(i.state.value for i in ranged.book("KXA-1").intervals)

    def test_a_half_open_socket_that_is_noticed_after_the_range(self) -> None:
        """The hole begins with the last sign of life, in the range."""
        story = [("flow", 7, 0, 70.0, True), ("segment", 7, 0, 0.0, True), ("down", 7, 0, 0.0, True)]
        self.assertEqual(self.check(story, 0.5, 30), "complete hole")

    def test_a_gap_that_shows_a_minute_after_the_range(self) -> None:
        """A quiet sid shows what it lost with its next message."""
        story = [("flow", 7, 0, 70.0, True), ("segment", 7, 0, 0.0, True), ("gap", 7, 0, 1.0, True)]
        self.assertEqual(self.check(story, 0.5, 10), "complete hole")

    def test_between_a_restart_and_the_new_book(self) -> None:
        """The book of the run before says that something is missing."""
        story: list[Step] = [
            ("flow", 7, 0, 5.0, True), ("kill", 7, 0, 25.0, True), ("up", 7, 0, 25.0, True), ("add", 7, 0, 5.0, True),
        ]  # fmt: skip
        self.assertEqual(self.check(story, 40, 50), "hole")

    def test_a_market_that_comes_back_late_after_a_restart(self) -> None:
        """Whether it is missing in the meantime shows only then, however far behind the range that is."""
        story: list[Step] = [("kill", 7, 0, 5.0, True), ("up", 8, 1, 0.0, True), ("add", 8, 1, 1.0, True)]
        for _ in range(8):
            story += [("flow", 8, 1, 25.0, True), ("segment", 8, 1, 0.0, True)]
        self.assertEqual(self.check(story, 7, 9), "not_carried")
        self.assertEqual(self.check([*story, ("add", 8, 0, 1.0, True)], 7, 9), "hole")

    def test_reading_ends_when_nothing_can_change(self) -> None:
        """Far behind the range nothing is read, not even a damaged segment."""
        directory = Path(self.mktemp())
        story: list[Step] = [("up", 7, 0, 0.0, True), ("add", 7, 0, 1.0, True)]
        for _ in range(8):
            story += [("flow", 7, 0, 25.0, True), ("segment", 7, 0, 0.0, True)]
        MadeUpGatherer(directory).tell(story, "stop")
        start = coverage_of([directory]).start
        sorted(directory.iterdir())[-1].write_bytes(b"no")
        found = coverage_of([directory], start=start + 2 * 10**9, end=start + 4 * 10**9)
        self.assertEqual([i.state for i in found.book("KXA-1").intervals], [State.COMPLETE])
