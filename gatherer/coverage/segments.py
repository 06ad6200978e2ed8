"""Reads the segments of one capture in order and tells the judge; sees where runs begin and break off."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from gatherer.capture_format import OPEN_SUFFIX, CaptureDamaged, read_blocks, segments_of, torn_bytes
from gatherer.coverage.answer import BOOKS
from gatherer.coverage.capture_judge import CaptureJudge
from gatherer.coverage.connections import ConnectionState
from gatherer.coverage.needed import Heard, current, first_needed
from gatherer.coverage.records import Facts, Record, Start, decode_facts, message_of
from gatherer.coverage.running import is_running
from gatherer.coverage.scan import LineFinder, NotACapture, first_record, last_messages, last_record, records, time_of

DEAD_GATHERER = "the gatherer was killed or crashed: what came after its last record is not here"
NO_END = "the capture ends here without the last marker of the gatherer"
MAX_SILENCE = 120.0
"""Seconds of the end of a segment that are searched for the last messages; more than any `ping_timeout` in use."""
MARGIN = 60_000_000_000
"""Nanoseconds after which a loss that the gatherer has noticed is in the capture."""
Handler = Callable[[CaptureJudge, int, int, Facts], None]
HANDLERS: dict[str, Handler] = {
    "session_up": CaptureJudge.session_up,
    "session_down": CaptureJudge.session_down,
    "markets_added": CaptureJudge.added,
    "markets_removed": CaptureJudge.removed,
    "without_book": CaptureJudge.without_book,
    "gap": CaptureJudge.gap,
    "terminal_error": CaptureJudge.ended,
    "local_drop": CaptureJudge.dropped,
    "undecodable": CaptureJudge.unreadable,
    "feed_frozen": CaptureJudge.frozen,
    "clock_step": CaptureJudge.clock_stepped,
}
"""Markers that matter. `recovered` does not: a book is complete again with its own snapshot. `segment_start` is about
the run. Unknown markers say nothing about completeness."""


class CaptureReader:
    """One capture: a directory, or a single segment."""

    def __init__(
        self, path: Path, tickers: Collection[str] | None, channels: Collection[str] | None, skip_damaged: bool = False
    ) -> None:
        self.path = path
        self.judge = CaptureJudge(tickers, channels)
        self.first_at = 0
        self.end = 0
        """Until when the answer holds; exclusive."""
        self._finder = LineFinder(tickers, channels is None or BOOKS in channels)
        self._skip_damaged = skip_damaged
        self._last: tuple[Path, Start] | None = None
        self._missing = ""
        """Why records are missing at the end of the segment that was read last."""
        self._heard = Heard()
        self._begun_at = 0
        """When the segment that was read last begins."""
        self._seen_at = 0
        """When the last record of the last sound frame was made."""
        self._is_damaged = False
        """Whether the end of the segment that was read last cannot be read."""

    def read(
        self, start: int | None = None, end: int | None = None, step: Callable[[], None] = lambda: None
    ) -> "CaptureReader":
        """Read all that the answer between two times (None: all) can depend on. `step` is called before each segment.

        Raises `NotACapture`, `CaptureDamaged` or OSError, each with a text that names the file.
        """
        running = is_running(self.path)
        paths = _segments(self.path)
        needed = paths if start is None else paths[first_needed(paths, start) :]
        for number, path in enumerate(needed):
            if end is not None and self._is_settled(end, needed[number:]):
                self.end = max(end, self.judge.clock.latest)
                return self._covering(paths[0])
            step()
            self._take(current(path), end)
        if self._last is None:
            raise NotACapture(f"{self.path}: holds no complete record yet")
        self._finish(running)
        return self._covering(paths[0])

    def _covering(self, path: Path) -> "CaptureReader":
        """The capture begins with this segment, wherever reading began."""
        begins = first_record(current(path))
        if begins is not None:
            self.first_at = min(self.first_at, begins[0])
        return self

    def _is_settled(self, end: int, later: Sequence[Path]) -> bool:
        """Whether nothing that comes later can change the answer before `end`. Every subscription was heard in order
        after that, no feed waits for anything, and no later segment begins before that because a clock was set back."""
        if self._last is None or self._last_at() < end + MARGIN:
            return False
        if not self._heard.covers(self.judge.carrying(), self._last_at() - MARGIN):
            return False
        if any(feed.is_open for feed in self.judge.feeds.values()):
            return False
        begins = (first_record(current(path)) for path in later)
        return all(each is None or each[0] >= end for each in begins)

    def _take(self, path: Path, end: int | None) -> None:
        begins = None
        try:
            begins = first_record(path)
            torn = torn_bytes(path)
            if begins is not None:
                self._boundary(path, *begins)
                for block in read_blocks(path):
                    self._take_block(path, block)
                    if end is not None and self._seen_at >= end:
                        self._heard.listen(block, end)
        except CaptureDamaged:
            if not self._skip_damaged:
                raise
            self._missing, self._is_damaged = f"{path.name} is damaged", begins is not None
            return
        self._missing = f"{path.name} is cut off" if torn else ""
        if torn and not (self._skip_damaged or path.name.endswith(OPEN_SUFFIX)):
            raise CaptureDamaged(path, path.stat().st_size - torn, "it is cut off, or not a zstd frame")

    def _take_block(self, path: Path, block: bytes) -> None:
        judge = self.judge
        judge.clock.see(time_of(block))
        self._seen_at = time_of(block, block.rfind(b"\n", 0, -1) + 1)
        for record in records(path, self._finder.lines(block, judge.starts_unknown)):
            judge.clock.see(record.received_at)
            if record.marker == "sync_failed":
                self._not_synced(path, record)
            else:
                apply(record, judge)

    def _not_synced(self, path: Path, record: Record) -> None:
        """An fsync failed. Records are missing if the segment is shorter than what was written."""
        facts = decode_facts(record.facts)
        segment = path.with_name(facts.segment)
        size = segment.stat().st_size if facts.segment and segment.exists() else 0
        if size < facts.size:
            self.judge.not_synced(record.received_at, facts.since, f"{facts.segment} lost its end: its fsync failed")

    def _boundary(self, path: Path, at: int, start: Start) -> None:
        last, missing = self._last, self._missing
        if last is None:
            self.first_at = at
        elif start.run != last[1].run:
            self.judge.broke_off(self._last_at(), self._sure(), DEAD_GATHERER)
        elif missing or start.number != last[1].number + 1:
            self._miss(missing or f"segments are missing before {path.name}")
        is_new = last is None or start.run != last[1].run
        self._last, self._missing, self._is_damaged, self._begun_at = (path, start), "", False, at
        if is_new:
            self.judge.clock.see(at)
            if start.number == 1:
                self.judge.new_run(at)
            else:
                self.judge.begins_within(at, f"the segments of this run before {path.name} are not in the capture")

    def _miss(self, text: str) -> None:
        """Records of a run are missing, and the run goes on."""
        at = self._last_at()
        self.judge.broke_off(at, self._sure(), text)
        self.judge.begins_within(at, text)

    def _finish(self, running: bool) -> None:
        last_at, sure = self._last_at(), self._sure()
        self.end = last_at + 1
        if running:
            self.end = max(self.first_at, min([self.end, *(sure(each) for each in self.judge.carrying())]))
        else:
            self.judge.broke_off(last_at, sure, NO_END)
        self.judge.finish()

    def _last_at(self) -> int:
        assert self._last is not None
        last = self._seen_at if self._is_damaged else last_record(self._last[0])
        return max(last, self.judge.clock.latest, self.first_at)

    def _sure(self) -> Callable[[ConnectionState], int]:
        """Until when a connection surely lacks nothing: its last message, or, as the gatherer would have noticed a
        socket that was dead for longer, that much before the last message of all."""
        assert self._last is not None
        last, by_connection = (self._seen_at, {}) if self._is_damaged else last_messages(self._last[0], MAX_SILENCE)
        last = last or self._begun_at

        def sure(connection: ConnectionState) -> int:
            alive = self.judge.clock.before(last, connection.ping_timeout)
            return min(last, max(by_connection.get(connection.conn_id, 0), alive))

        return sure


def apply(record: Record, judge: CaptureJudge) -> None:
    """Tell the judge of a record."""
    if not record.marker:
        judge.message(record.conn_id, record.received_at, message_of(record))
    elif record.marker in HANDLERS:
        HANDLERS[record.marker](judge, record.conn_id, record.received_at, decode_facts(record.facts))


def _segments(capture: Path) -> list[Path]:
    if not capture.exists():
        raise NotACapture(f"{capture}: no such file or directory")
    paths = segments_of(capture)
    if not paths:
        raise NotACapture(f"{capture}: no segments (*.jsonl.zst) in this directory")
    return paths
