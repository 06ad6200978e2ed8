"""The real router on a disk that can be spoiled, and an account of what it was given, held against the capture."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from gatherer.capture_format import encode_marker, read_lines
from gatherer.capture_format.records import encode_message
from gatherer.interfaces import IMessageRouter
from gatherer.router import SegmentRouter
from gatherer.values import Marker, RawMessage
from tests.router.support import FaultyDisk, ManualThreads

BAD_DISKS = ("full", "short", "hung", "sync")
"""What `DiskRouter.spoil` takes."""
OWN = ("segment_start", "sync_failed", "run_end")
"""Markers that the router makes itself, beside `local_drop`."""
MESSAGE = "message"


class _Line(msgspec.Struct):
    conn_id: int
    marker: str = MESSAGE
    facts: dict[str, Any] = {}


_decode = msgspec.json.Decoder(_Line).decode


@implementer(IMessageRouter)
class DiskRouter:
    """Every record it was given is in the capture once and in order, or counted by a `local_drop` in its place."""

    def __init__(self, clock: IReactorTime, buffer_messages: int = 40, buffer_bytes: int = 40_000) -> None:
        """The buffer is small, so that a bad disk soon costs messages."""
        self._folder = TemporaryDirectory(prefix="gatherer-test-")
        self._given: dict[int, list[tuple[str, int]]] = {}
        self.threads = ManualThreads()
        self.disk = FaultyDisk()
        self.router = SegmentRouter(
            Path(self._folder.name) / "capture", clock, threads=self.threads, disk=self.disk, segment_bytes=20_000,
            buffer_messages=buffer_messages, buffer_bytes=buffer_bytes, wall=lambda: int(clock.seconds() * 1e9),
            level=1,
        )  # fmt: skip

    # -- the disk ------------------------------------------------------------------------------

    def spoil(self, how: str) -> None:
        """`full`: no more writes; `short`: half a frame more; `hung`: no call returns; `sync`: an fsync fails."""
        if how == "hung":
            self.threads.held = True
        elif how == "sync":
            self.disk.bad_syncs += 1
        else:
            self.disk.room = 0 if how == "full" else 60

    def heal(self) -> None:
        """A good disk again."""
        self.disk.room, self.disk.bad_syncs = None, 0
        self.threads.release()

    @property
    def losses(self) -> int:
        """Messages and markers that found no room so far."""
        return self.router.dropped + self.router._drops.markers

    # -- IMessageRouter ------------------------------------------------------------------------

    def start(self) -> None:
        self.router.start()

    def deliver(self, batch: list[RawMessage]) -> int:
        for message in batch:
            self._note(message.conn_id, MESSAGE, encode_message(message))
        return self.router.deliver(batch)

    def mark(self, marker: Marker) -> int:
        self._note(marker.conn_id, marker.kind, encode_marker(marker))
        return self.router.mark(marker)

    def backlog(self) -> int:
        return self.router.backlog()

    def status(self) -> Any:
        return self.router.status()

    def close(self) -> Deferred[None]:
        return self.router.close()

    def _note(self, conn_id: int, kind: str, line: bytes) -> None:
        self._given.setdefault(conn_id, []).append((kind, crc32(line[:-1])))

    # -- the verdict ---------------------------------------------------------------------------

    def check(self, *, is_complete: bool) -> list[str]:
        """What the capture has wrong. One that is not complete ends early, and has no `run_end`."""
        place = dict.fromkeys(self._given, 0)
        kind = ""
        faults: list[str] = []
        for raw in read_lines(Path(self._folder.name) / "capture"):
            line = _decode(raw)
            kind = line.marker
            if kind not in OWN:
                faults += self._compare(line, crc32(raw), place)
        missing = {conn_id: len(given) - place[conn_id] for conn_id, given in self._given.items()}
        if is_complete and any(missing.values()):
            faults.append(f"records neither written nor counted, by connection: {missing}")
        if is_complete != (kind == "run_end") and self._given:
            faults.append(f"the last record of the run is {kind!r}, complete: {is_complete}")
        self._folder.cleanup()
        return faults

    def _compare(self, line: _Line, crc: int, place: dict[int, int]) -> list[str]:
        conn_id, at = line.conn_id, place[line.conn_id]
        if line.marker != "local_drop":
            place[conn_id] += 1
            expected = self._given[conn_id][at : at + 1]
            return [] if expected == [(line.marker, crc)] else [f"conn {conn_id}: {line.marker} is not {expected}"]
        lost = Counter({kind: each["count"] for kind, each in line.facts.get("markers", {}).items()})
        lost[MESSAGE] += line.facts["count"]
        place[conn_id] += lost.total()
        really = Counter(kind for kind, _ in self._given[conn_id][at : at + lost.total()])
        return [] if really == +lost else [f"conn {conn_id}: {+lost} counted, {really} lost"]
