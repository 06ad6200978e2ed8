"""`write_tables`: finished segments of one or several captures to tables of Parquet files, each message once.

One round reads some new segments in the order of time. Then it chooses whose messages make each book. Then it
publishes, segment by segment. What a segment publishes depends only on the segments that are known, so a later round
publishes again what it would now make differently: a loss was reported late, or a segment came late.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gatherer.data.build import BOOK_TABLES, BookBuilder, Segment
from gatherer.data.engine import MEMORY_MB, DataError, connect
from gatherer.data.join import Joiner
from gatherer.data.output import Done, Output, opened, read_scan, write_scan
from gatherer.data.pieces import Piece, Source, Windows, choose, fingerprint
from gatherer.data.sources import Capture, captures, file_stem
from gatherer.data.spans import SpanTracker
from gatherer.data.stage import EARLIEST, LATEST, Scan, Stage
from gatherer.data.summary import has_holes, write_coverage, write_markets

ROUND_SEGMENTS = 16
"""Segments read before anything of them is published: a killed run loses the work of these at most."""
Progress = Callable[[str, int, int], None]
"""What is being done, how many segments are done, how many there are."""


@dataclass(slots=True)
class _Gatherer:
    """One capture, and what its segments said."""

    capture: Capture
    tracker: SpanTracker = field(default_factory=SpanTracker)
    scans: list[Scan] = field(default_factory=list)
    sessions: list[dict[int, int]] = field(default_factory=list)
    """Before each of the scans."""
    touched: int = LATEST
    inserted: int = 2**31
    """The lowest place of a segment that came now."""

    @property
    def name(self) -> str:
        return self.capture.name

    def take(self, scan: Scan) -> None:
        self.sessions.append(self.tracker.sessions)
        self.scans.append(scan)
        self.tracker.take(scan)


@dataclass(frozen=True, slots=True)
class Written:
    """What a run did."""

    segments: int
    """Published for the first time."""
    again: int
    """Published again, because of what was learnt since."""
    damaged: tuple[str, ...]
    """Left out, each with its cause."""
    has_holes: bool
    """Whether the coverage of what is published has a hole."""


class TableWriter:
    """Writes to one output. Blocking."""

    def __init__(
        self, paths: Sequence[Path | str], output: Output, skip_damaged: bool = False, memory_mb: int = MEMORY_MB,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        self._paths = paths
        self._output = output
        self._skip_damaged = skip_damaged
        self._progress = progress or (lambda doing, done, total: None)
        self._connection = connect(output.work, memory_mb)
        self._stage = Stage(self._connection, output.manifest.start, output.manifest.end)
        self._builder = BookBuilder(self._connection)
        self._joiner = Joiner(self._connection, output)
        self._damaged: dict[Path, str] = {}
        self._again = 0

    def run(self) -> Written:
        """Publish all finished segments that are not published yet."""
        written = again = 0
        before = self._published()
        found = captures(self._paths, self._output.manifest.captures)
        self._output.manifest.captures |= {str(capture.path): capture.name for capture in found}
        new = self._new(found)
        while new:
            chosen, new = new[:ROUND_SEGMENTS], new[ROUND_SEGMENTS:]
            total = written + len(chosen) + len(new)
            done, repeated = self._round(found, {path for _, path in chosen}, written, total)
            written, again = written + done, again + repeated
        self._progress("judged", written, written)
        write_markets(self._connection, self._output, self._published() - before)
        if written or again or not self._output.files("coverage"):
            write_coverage(self._connection, self._output, found, self._skip_damaged)
        holes = has_holes(self._connection, self._output)
        return Written(written, again, tuple(self._damaged.values()), holes)

    def _published(self) -> set[tuple[str, str]]:
        """Gatherer and name of each segment that is done."""
        return {(name, segment) for name, done in self._output.manifest.done.items() for segment in done}

    def _new(self, found: Sequence[Capture]) -> list[tuple[str, Path]]:
        new = [
            (path.name, path)
            for capture in found
            for path in capture.finished()
            if path.name not in self._output.done(capture.name) and path not in self._damaged
        ]
        return sorted(new)

    def _round(self, found: Sequence[Capture], chosen: set[Path], before: int, total: int) -> tuple[int, int]:
        gatherers = [_Gatherer(capture) for capture in found]
        for gatherer in gatherers:
            self._read(gatherer, chosen, before, total)
        manifest = self._output.manifest
        sources = [Source(g.name, g.tracker.spans, g.tracker.sure_until) for g in gatherers]
        pieces = choose(sources, manifest.start, manifest.end)
        touched = min((gatherer.touched for gatherer in gatherers), default=LATEST)
        written = again = 0
        for gatherer in gatherers:
            own = [piece for some in pieces.values() for piece in some if piece.gatherer == gatherer.name]
            for is_new in self._publish(gatherer, own, touched):
                written, again = written + is_new, again + (not is_new)
                self._progress("written", before + written, total)
        return written, again

    def _read(self, gatherer: _Gatherer, chosen: set[Path], before: int, total: int) -> None:
        """Take all segments that are done or chosen, in order."""
        name, done = gatherer.name, self._output.done(gatherer.name)
        here = {path.name: path for path in gatherer.capture.finished() if path in chosen}
        for segment in sorted({*done, *here}):
            if segment in done:
                gatherer.take(read_scan(self._output.scan_path(name, segment)))
                continue
            try:
                scan = self._stage.read(here[segment], name, gatherer.tracker.sessions, self._work(name, segment))
            except DataError as error:
                if not self._skip_damaged:
                    raise
                self._damaged[here[segment]] = str(error)
                continue
            write_scan(self._output.scan_path(name, segment), scan)
            self._joiner.note(self._work(name, segment), name, segment)
            gatherer.inserted = min(gatherer.inserted, len(gatherer.scans))
            gatherer.take(scan)
            gatherer.touched = min(gatherer.touched, gatherer.tracker.touched)
            self._progress("read", before, total)

    def _publish(self, gatherer: _Gatherer, pieces: list[Piece], touched: int) -> Iterator[bool]:
        """Publish what is new or would be made otherwise now. Yields whether it is new, for each."""
        done = self._output.done(gatherer.name)
        windows = Windows([(scan.first, scan.last) for scan in gatherer.scans])
        moved = False
        for place, scan in enumerate(gatherer.scans):
            is_new = scan.segment not in done
            moved = moved or place >= gatherer.inserted
            if not is_new and not moved and max(scan.last, scan.first) < touched:
                continue
            own = [piece for piece in pieces if windows.concerns(piece, place)]
            mark = fingerprint(own, scan.last)
            if not is_new and not moved and done[scan.segment].pieces == mark:
                continue
            if not is_new and not self._read_again(gatherer, place):
                continue
            moved = self._segment(gatherer, place, own, windows) or place >= gatherer.inserted
            if is_new:
                self._joiner.publish(self._work(gatherer.name, scan.segment), gatherer.name, scan.segment)
            done[scan.segment] = Done(mark)
            self._output.save()
            shutil.rmtree(self._work(gatherer.name, scan.segment))
            yield is_new

    def _read_again(self, gatherer: _Gatherer, place: int) -> bool:
        """Stage the books of a segment that is published already; whether it is still there."""
        path = gatherer.capture.path / gatherer.scans[place].segment
        if not path.exists():
            return False
        work = self._work(gatherer.name, path.name)
        self._stage.read(path, gatherer.name, gatherer.sessions[place], work, joined=False)
        return True

    def _segment(self, gatherer: _Gatherer, place: int, pieces: list[Piece], windows: Windows) -> bool:
        """Make and publish the book tables of a segment; whether the next segment begins otherwise than before."""
        name, segment = gatherer.name, gatherer.scans[place].segment
        by_market: dict[str, list[Piece]] = {}
        for piece in pieces:
            by_market.setdefault(piece.market, []).append(piece)
        kept = {(span.market, span.conn_id) for span in gatherer.tracker.spans if span.place <= place < span.end_place}
        plan = Segment(
            name, segment, place, by_market, lambda piece: windows.place(piece.start) == place,
            lambda market, conn_id: (market, conn_id) in kept,
        )  # fmt: skip
        work, before = self._work(name, segment), None
        if place:
            before = self._output.state_path(name, gatherer.scans[place - 1].segment)
        self._builder.build(plan, work, before)
        for table in BOOK_TABLES:
            self._output.publish(self._connection, table, work / f"{table}.parquet", name, segment)
        state = self._output.state_path(name, segment)
        changed = not state.exists() or state.read_bytes() != (work / "state.parquet").read_bytes()
        (work / "state.parquet").replace(state)
        return changed

    def _work(self, gatherer: str, segment: str) -> Path:
        path = self._output.work / file_stem(gatherer, segment)
        path.mkdir(exist_ok=True)
        return path


def write_tables(
    paths: Sequence[Path | str], out: Path | str, *, start: int | None = None, end: int | None = None,
    skip_damaged: bool = False, memory_mb: int = MEMORY_MB, progress: Progress | None = None,
    wait: Callable[[], bool] | None = None,
) -> Written:  # fmt: skip
    """Write the tables of `docs/tables.md` for messages read from `start` until before `end` (Unix ns).

    Run again it adds what is new. `wait` makes it follow: it is called after each round and says whether to go on.
    Raises `DataError` (a `GathererError`) with one line; what is published by then stays and is whole.
    """
    bounds = (EARLIEST if start is None else start, LATEST if end is None else end)
    with opened(Path(out), *bounds) as output:
        writer = TableWriter(paths, output, skip_damaged, memory_mb, progress)
        written = writer.run()
        while wait is not None and wait():
            more = writer.run()
            written = replace(more, segments=written.segments + more.segments, again=written.again + more.again)
    return written
