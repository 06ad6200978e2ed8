"""`write_tables`: finished segments of one or several captures to tables of Parquet files, each message once.

One round reads some new segments in the order of time. Then it chooses whose messages make each book. Then it
publishes, segment by segment. What a segment publishes depends only on the segments that are known, so a later round
publishes again what it would now make differently: a loss was reported late, or a segment came late.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from gatherer.data.build import BOOK_TABLES, BookBuilder, Segment
from gatherer.data.engine import MEMORY_MB, SegmentDamaged, connect
from gatherer.data.join import Joiner
from gatherer.data.judged import JudgedCapture
from gatherer.data.output import Done, Output, opened, read_scan, write_scan
from gatherer.data.pieces import Piece, Source, Windows, choose, fingerprint
from gatherer.data.reader import Reader, Staged
from gatherer.data.sources import Capture, captures, damage, file_stem
from gatherer.data.stage import EARLIEST, LATEST, Scan, Sessions
from gatherer.data.summary import has_holes, write_coverage, write_markets

ROUND_SEGMENTS = 2
"""Segments taken before anything of them is published."""
Progress = Callable[[str, int, int], None]
"""What is being done, how many segments are done, how many there are."""


@dataclass(slots=True)
class _Gatherer:
    """One capture, and what its segments said."""

    capture: Capture
    judged: JudgedCapture = field(default_factory=JudgedCapture)
    scans: list[Scan] = field(default_factory=list)
    touched: int = LATEST
    """The earliest time about which this round changed what was known."""
    inserted: int = LATEST
    """The lowest place of a segment that came in this round."""

    @property
    def name(self) -> str:
        return self.capture.name

    def take(self, scan: Scan) -> None:
        self.scans.append(scan)
        self.judged.take(scan)
        self.touched = min(self.touched, self.judged.touched)


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
        self._memory_mb = memory_mb
        self._connection = connect(output.work, memory_mb // 4)
        self._builder = BookBuilder(self._connection)
        self._joiner = Joiner(self._connection, output)
        self._gatherers: dict[str, _Gatherer] = {}
        self._damaged: dict[Path, str] = {}

    def run(self) -> Written:
        """Publish all finished segments that are not published yet."""
        written = again = 0
        found = captures(self._paths, self._output.manifest.captures)
        known = self._output.manifest.captures
        known |= {str(capture.path): capture.name for capture in found}
        # Those of earlier runs keep their rank and what they said, whether they are named again or not.
        everyone = [Capture(Path(path), name) for path, name in known.items()]
        new = self._new(found)
        with Reader(self._output, self._memory_mb * 3 // 4, self._sessions_before) as reader:
            staged = reader.staged(new)
            while chosen := list(islice(staged, ROUND_SEGMENTS)):
                gatherers = [self._take(capture, chosen) for capture in everyone]
                for is_new in self._publish_all(gatherers, reader):
                    written, again = written + is_new, again + (not is_new)
                    self._progress("writing", written, len(new))
        self._progress("judging", written, len(new))
        self._summarise(everyone)
        holes = has_holes(self._connection, self._output)
        return Written(written, again, tuple(self._damaged.values()), holes)

    def _summarise(self, everyone: Sequence[Capture]) -> None:
        """Write the tables that are made of all segments, if segments were published since."""
        manifest = self._output.manifest
        if not manifest.unsummarised:
            return
        gatherers = [self._take(capture, ()) for capture in everyone]
        write_markets(self._connection, self._output, manifest.unsummarised)
        write_coverage(self._connection, self._output, {gatherer.name: gatherer.judged for gatherer in gatherers})
        manifest.unsummarised = []
        self._output.save()

    def _new(self, found: Sequence[Capture]) -> list[tuple[str, Path]]:
        """Gatherer and path of what is not published, in the order of time."""
        new = [
            (capture.name, path)
            for capture in found
            for path in capture.finished()
            if path.name not in self._output.done(capture.name) and path not in self._damaged
        ]
        for _, path in new:
            if torn := damage(path):
                self._leave_out(path, f"{path}: damaged: {torn}")
        return sorted((pair for pair in new if pair[1] not in self._damaged), key=lambda pair: (pair[1].name, pair[0]))

    def _leave_out(self, path: Path, text: str) -> None:
        if not self._skip_damaged:
            raise SegmentDamaged(text)
        self._damaged[path] = text

    def _sessions_before(self, gatherer: str, segment: str) -> tuple[str, Sessions]:
        name = max((name for name in self._output.done(gatherer) if name < segment), default="")
        return name, read_scan(self._output.scan_path(gatherer, name)).sessions if name else Sessions()

    def _take(self, capture: Capture, chosen: Sequence[Staged]) -> _Gatherer:
        """What the published and the chosen segments of a capture say."""
        new = {staged.path.name: scan for staged in chosen if staged.gatherer == capture.name
               for scan in self._scans(staged)}  # fmt: skip
        known = self._gatherers.get(capture.name)
        if known is None or (known.scans and new and min(new) < known.scans[-1].segment):
            known = _Gatherer(capture)  # something came late: all is taken again, in order
            for segment in sorted({*self._output.done(capture.name)} - {*new}):
                new[segment] = read_scan(self._output.scan_path(capture.name, segment))
        known.capture, known.touched, known.inserted = capture, LATEST, LATEST
        done = self._output.done(capture.name)
        for segment in sorted(new):
            before = known.touched
            if segment not in done:
                known.inserted = min(known.inserted, len(known.scans))
            known.take(new[segment])
            if segment in done:
                known.touched = before
        self._gatherers[capture.name] = known
        return known

    def _scans(self, staged: Staged) -> Iterator[Scan]:
        """The scan of a staged segment; none for a damaged one that is left out."""
        try:
            scan = staged.scan.result()
        except SegmentDamaged as error:
            self._leave_out(staged.path, str(error))
            return
        write_scan(self._output.scan_path(staged.gatherer, staged.path.name), scan)
        self._joiner.note(staged.work, staged.gatherer, staged.path.name)
        yield scan

    def _publish_all(self, gatherers: Sequence[_Gatherer], reader: Reader) -> Iterator[bool]:
        manifest = self._output.manifest
        self._output.save()  # from now on the directory is ours, whatever happens
        sources = [Source(g.name, g.judged.spans(), g.judged.sure_until) for g in gatherers]
        pieces = choose(sources, manifest.start, manifest.end)
        touched = min((gatherer.touched for gatherer in gatherers), default=LATEST)
        for gatherer in gatherers:
            own = [piece for some in pieces.values() for piece in some if piece.gatherer == gatherer.name]
            yield from self._publish(gatherer, own, touched, reader)

    def _publish(
        self, gatherer: _Gatherer, pieces: list[Piece], touched: int, reader: Reader
    ) -> Iterator[bool]:  # fmt: skip
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
            path = gatherer.capture.path / scan.segment
            if not is_new:
                if not path.exists():
                    continue  # it is no longer kept: what was published of it stays
                reader.again(gatherer.name, path)
            work = self._work(gatherer.name, scan.segment)
            moved = self._segment(gatherer, place, own, windows) or place >= gatherer.inserted
            if is_new:
                self._joiner.publish(work, gatherer.name, scan.segment)
            done[scan.segment] = Done(mark)
            self._output.manifest.unsummarised.append((gatherer.name, scan.segment))
            self._output.save()
            shutil.rmtree(work)
            yield is_new

    def _segment(self, gatherer: _Gatherer, place: int, pieces: list[Piece], windows: Windows) -> bool:
        """Make and publish the book tables of a segment; whether the next segment begins otherwise than before."""
        name, segment = gatherer.name, gatherer.scans[place].segment
        by_market: dict[str, list[Piece]] = {}
        for piece in pieces:
            by_market.setdefault(piece.market, []).append(piece)
        after = gatherer.scans[place].last
        kept = {(span.market, span.conn_id) for span in gatherer.judged.spans() if span.start <= after < span.end}
        plan = Segment(
            name, segment, by_market, lambda piece: _compare(windows.place(piece.start), place),
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
        return self._output.work / file_stem(gatherer, segment)


def _compare(place: int, here: int) -> int:
    """Whether a place is before another (-1), the same (0) or behind it (1). No place is behind all."""
    if place < 0:
        return 1
    return (place > here) - (place < here)


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
