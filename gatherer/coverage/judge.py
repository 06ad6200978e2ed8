"""Was a market's order book complete between two times? Decided from the segments of a capture alone."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from gatherer.capture_format.reading import segments_of
from gatherer.capture_format.segment_file import OPEN_SUFFIX, segment_time
from gatherer.coverage.coverage import Coverage
from gatherer.coverage.events import apply
from gatherer.coverage.scan import NotACapture, SegmentScan, digest, first_record, last_message, last_record
from gatherer.coverage.timeline import Cause, Interval, Standing

DEAD_GATHERER = "the gatherer was killed or crashed: its last record is here, what came next is not"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. Times are Unix ns."""

    ticker: str
    start: int
    end: int
    intervals: list[Interval]
    segments: int
    """Segments that were read."""
    is_growing: bool
    """The capture ends without the gatherer having been stopped: it still runs, or was killed."""

    @property
    def holes(self) -> list[Interval]:
        """What is missing."""
        return [interval for interval in self.intervals if interval.standing is Standing.HOLE]

    @property
    def is_complete(self) -> bool:
        """No hole, and carried at all."""
        standings = {interval.standing for interval in self.intervals}
        return Standing.COMPLETE in standings and Standing.HOLE not in standings

    def length(self, standing: Standing) -> int:
        """Nanoseconds of a standing in all."""
        return sum(interval.length for interval in self.intervals if interval.standing is standing)


class Judge:
    """Reads the segments in order and tells a `Coverage`; sees where runs begin and break off."""

    def __init__(self, ticker: str) -> None:
        self.coverage = Coverage()
        self.segments = 0
        self.first_at = 0
        self.is_growing = False
        self._ticker = ticker
        self._last: SegmentScan | None = None

    def take(self, part: SegmentScan) -> None:
        """The next segment."""
        self._boundary(part)
        for number, line in enumerate(part.lines):
            try:
                apply(line, self._ticker, self.coverage)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise NotACapture(f"{part.path}: record {number} of this market is not readable: {error}") from None
        self.segments += 1
        self._last = part

    def last_at(self) -> int:
        """When the last record that was taken was made."""
        return 0 if self._last is None else max(last_record(self._last.path), self.coverage.now)

    def is_beyond(self, end: int) -> bool:
        """Whether nothing that follows can change what is said until `end`: a loss of ours is told before the next
        message of any connection."""
        return self._last is not None and not self.coverage.is_open and last_message(self._last.path, None) > end

    def finish(self) -> int:
        """Nothing follows in the capture. Until when the answer holds, Unix ns."""
        sure = [self._sure(conn_id) for conn_id in self.coverage.carriers]
        self.is_growing = bool(sure) or self._is_open()
        last_at = self.last_at()
        self.coverage.broke_off(last_at, self._sure, "the capture ends here without the gatherer having been stopped")
        return max(sure, default=last_at)

    def _is_open(self) -> bool:
        return self._last is not None and self._last.path.name.endswith(OPEN_SUFFIX)

    def _boundary(self, part: SegmentScan) -> None:
        last, at = self._last, part.first_at
        if last is None:
            self.first_at = at
        elif part.start.run == last.start.run and part.start.number == last.start.number + 1 and not last.torn:
            return
        elif part.start.run == last.start.run:
            missing = f"the capture lacks what came between {last.path.name} and {part.path.name}"
            self.coverage.broke_off(self.last_at(), self._sure, missing)
            self.coverage.begins_within(self.last_at(), missing)
            return
        else:
            self.coverage.broke_off(self.last_at(), self._sure, DEAD_GATHERER)
        if part.start.number == 1:
            self.coverage.new_run(at)
        else:
            self.coverage.begins_within(at, f"the segments of this run before {part.path.name} are not in the capture")

    def _sure(self, conn_id: int) -> int:
        """Until when a connection surely lacks nothing: its last message, or, as a socket that was dead for longer
        would have been noticed and told, that much before the last message of all."""
        if self._last is None:
            return 0
        end = last_message(self._last.path, None) or self._last.first_at
        alive = end - int(self.coverage.ping_timeout(conn_id) * 1e9)
        return min(end, max(last_message(self._last.path, conn_id, alive), alive))


def judge(capture: Path, ticker: str, start: int | None = None, end: int | None = None) -> Verdict:
    """Read what is needed of a directory or a segment.

    Raises `NotACapture`, `CaptureDamaged` or OSError, each with a text that names the file.
    """
    paths = _segments(capture)
    judge = Judge(ticker)
    read: dict[Path, SegmentScan | None] = {}
    for path in paths[0 if start is None else _begin(paths, ticker, start, read) :]:
        if end is not None and judge.is_beyond(end):
            return _verdict(judge, ticker, start, end, end)
        part = read.pop(path) if path in read else digest(_current(path), ticker)
        if part is not None:
            judge.take(part)
    if not judge.segments:
        raise NotACapture(f"{capture}: holds no complete record yet")
    return _verdict(judge, ticker, start, end, judge.finish())


def _verdict(judge: Judge, ticker: str, start: int | None, end: int | None, sure_until: int) -> Verdict:
    first, last = judge.first_at, max(sure_until, judge.last_at())
    start, end = first if start is None else start, max(first, sure_until) if end is None else end
    found = judge.coverage.intervals(max(start, first), min(end, last)) if start <= last and end >= first else []
    if start < first:
        before = Cause(first, "outside", "before the capture begins")
        found.insert(0, Interval(start, min(first, end), Standing.HOLE, (before,)))
    if end > last:
        after = Cause(last, "outside", "after the capture ends")
        found.append(Interval(max(last, start), end, Standing.HOLE, (after,)))
    return Verdict(ticker, start, end, found, judge.segments, judge.is_growing)


def _segments(capture: Path) -> list[Path]:
    if not capture.exists():
        raise NotACapture(f"{capture}: no such file or directory")
    paths = segments_of(capture)
    if not paths:
        raise NotACapture(f"{capture}: no segments (*.jsonl.zst) in this directory")
    return paths


def _current(path: Path) -> Path:
    """An open segment may have been finished since the directory was read."""
    finished = path.with_name(path.name.removesuffix(".open"))
    return finished if path != finished and not path.exists() else path


def _begin(paths: list[Path], ticker: str, start: int, read: dict[Path, SegmentScan | None]) -> int:
    """From which segment on to read to know how things stood at `start`: one with a book of the market before that,
    or the first of a run. Names tell no more than the first record's time, so the search is backwards from there.
    What was read on the way is put into `read`."""
    begun = [index for index, path in enumerate(paths) if (segment_time(path.name) or 0) <= start]
    for index in reversed(begun):
        path = _current(paths[index])
        begins = first_record(path)
        if begins is not None and begins.number == 1:
            return index
        read[paths[index]] = part = digest(path, ticker)
        if part is not None and _has_book(part, ticker, start):
            return index
    return 0


def _has_book(part: SegmentScan, ticker: str, start: int) -> bool:
    probe = Judge(ticker)
    probe.take(part)
    return any(i.standing is Standing.COMPLETE and i.start < start for i in probe.coverage.intervals(0, start))
