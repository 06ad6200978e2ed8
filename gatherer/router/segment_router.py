"""The default router: append-only segments of zstd-compressed JSON lines. This is its side in the reactor thread.

`deliver` encodes and appends to the backlog; a writer thread makes each block of the backlog one zstd frame. Encoding
in the writer thread instead was measured (`benchmarks/router_rate.py`, 2 cores, CPython 3.11, 253-byte messages in
batches of 50): 630,000 to 760,000 messages/s against 640,000 to 860,000 this way. It takes 0.3 µs a message off
`deliver` and gives as much back in waiting for the interpreter lock; compression, the larger part, holds no lock.
"""

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.capture_format import CaptureDirectory, Disk, SyncFailure, encode_batch, encode_marker
from gatherer.errors import CaptureIncomplete
from gatherer.interfaces import IMessageRouter, RouterStatus
from gatherer.log.throttle import Throttle
from gatherer.router.backlog import Backlog
from gatherer.router.finisher import SegmentFinisher
from gatherer.router.flusher import Flusher
from gatherer.router.threads import Threads, WriterThreads
from gatherer.router.writer import SegmentWriter
from gatherer.values import Marker, RawMessage

_BLOCK_MESSAGES = 2_000
"""Worth a frame: 150,000 messages/s through a buffer of 10,000 is 75 blocks/s, with four blocks of slack."""
_WITH_MESSAGE = frozenset({"undecodable"})
"""Markers that hold a message of the exchange. They take the room for messages, so that they cannot crowd out the
markers about sessions and subscriptions."""


class _RouterState(Enum):
    """A router is started at most once and closed at most once."""

    NEW = "new"
    RUNNING = "running"
    CLOSING = "closing"
    CLOSED = "closed"


@implementer(IMessageRouter)
class SegmentRouter:
    """Writes everything to `directory`; a full or failing disk costs messages, which are counted and marked."""

    _log = Logger()

    def __init__(
        self, directory: str | os.PathLike[str], reactor: Any, *,
        segment_bytes: int = 256 << 20, segment_seconds: float = 3600.0, flush_interval: float = 1.0,
        buffer_messages: int = 10_000, buffer_bytes: int = 64 << 20, level: int = 3, close_timeout: float = 5.0,
        threads: Threads | None = None, disk: Disk | None = None, wall: Callable[[], int] = time.time_ns,
    ) -> None:  # fmt: skip
        """`reactor` provides IReactorTime and IReactorFromThreads; no type of mypy says both.
        Nothing is touched before `start`.

        `segment_bytes` counts compressed bytes, `buffer_bytes` memory; times are in seconds. A `kill -9` loses what
        came within the last `flush_interval`. `close` takes at most `close_timeout`. `wall` gives Unix ns.
        """
        self.received = 0
        """Messages delivered, kept or not."""
        self._life = _RouterState.NEW
        self._directory = CaptureDirectory(Path(directory))
        self._buffer_messages = buffer_messages
        self._buffer_bytes = buffer_bytes
        self._close_timeout = close_timeout
        self._wall = wall
        self._backlog = Backlog(buffer_messages, buffer_bytes)
        self._drops = self._backlog.drops
        self._throttle = Throttle(reactor)
        threads = WriterThreads(reactor) if threads is None else threads
        self._writer = SegmentWriter(self._directory.path, self._backlog, segment_bytes, level, disk or Disk())
        self._finisher = SegmentFinisher(threads, self._sync_failed)
        self._flusher = Flusher(
            reactor, self._backlog, self._writer, threads, self._finisher,
            directory=self._directory.path,
            flush_delay=flush_interval / 2,  # the other half is for compressing and writing
            block_messages=max(1, min(_BLOCK_MESSAGES, buffer_messages // 5)),
            segment_seconds=segment_seconds,
            after_drain=self._mark_drops,
        )  # fmt: skip
        self._incomplete: CaptureIncomplete | None = None
        self._closers: list[Deferred[None]] = []
        self._last_at = 0  # of the last record that was put

    def start(self) -> None:
        """Lock the directory and recover the segments of an earlier run. Raises ConfigError with the cause."""
        for leftover in self._directory.open():
            self._log.warn(
                "recovered segment {name} of an earlier run: {kept} bytes kept, {cut} torn bytes cut off",
                name=leftover.name or "(empty, removed)",
                kept=leftover.kept,
                cut=leftover.cut,
            )
        self._life = _RouterState.RUNNING
        self._flusher.start()

    def deliver(self, batch: list[RawMessage]) -> int:
        """Take over a batch. What does not fit is dropped, counted and marked. Returns how many were dropped."""
        dropped = self._drops.messages
        self.received += len(batch)
        room = self._room()
        if len(batch) > room:
            if room <= 0 or not self._put(batch[:room]):
                room = 0
            self._drop(batch[room:])
        elif batch and not self._put(batch):
            self._drop(batch)
        return self._drops.messages - dropped

    def mark(self, marker: Marker) -> int:
        """Take over a marker, even when the buffer is full of messages. Returns 1 if it was dropped, else 0.

        Dropped markers are counted by their kind in the next `local_drop`. After `close` has fired the marker is only
        logged.
        """
        if self._life is _RouterState.CLOSED:
            self._log.warn(
                "marker {kind} of connection {conn_id} came too late", kind=marker.kind, conn_id=marker.conn_id
            )
            return 1
        line, in_reserve = encode_marker(marker), marker.kind not in _WITH_MESSAGE
        if not self._backlog.fits(line, in_reserve=in_reserve) or not self._mark_drops(marker.conn_id):
            self._drops.add_marker(marker)
            self._warn_of_drops()
            return 1
        if in_reserve:
            self._backlog.put_in_reserve(line, marker.at)
        else:
            self._backlog.put(line, 0, marker.at)
        self._last_at = marker.at
        self._flusher.schedule()
        return 0

    def backlog(self) -> int:
        """Messages taken over and not yet handed to the operating system."""
        return self._backlog.messages

    def close(self) -> Deferred[None]:
        """Write the backlog and finish the segment. Fires when that is on disk, or fails with `CaptureIncomplete`.

        Either comes within `close_timeout`, even if the disk does not answer.
        """
        if self._life is _RouterState.CLOSED:
            return succeed(None) if self._incomplete is None else fail(self._incomplete)
        done: Deferred[None] = Deferred()
        self._closers.append(done)
        if self._life is not _RouterState.CLOSING:
            self._life = _RouterState.CLOSING
            stopped = Deferred.fromCoroutine(self._flusher.stop(self._close_timeout, self._put_run_end))
            stopped.addErrback(self._close_failed).addCallback(self._close_ended)
        return done

    @property
    def written(self) -> int:
        """Messages handed to the operating system."""
        return self._backlog.written

    @property
    def dropped(self) -> int:
        """Messages that found no room."""
        return self._drops.messages

    @property
    def bytes_written(self) -> int:
        """Compressed bytes handed to the operating system."""
        return self._writer.bytes_written

    @property
    def segments(self) -> int:
        """Segments begun."""
        return self._writer.segments

    @property
    def write_errors(self) -> int:
        """How many times the disk refused."""
        return self._flusher.errors + self._finisher.errors

    def status(self) -> RouterStatus:
        """Counters, the current segment and, while the disk refuses, why."""
        error = self._flusher.last_error
        return RouterStatus(
            kind="segments",
            directory=str(self._directory.path),
            segment=self._writer.current,
            received=self.received,
            written=self.written,
            dropped=self.dropped,
            dropped_markers=self._drops.markers,
            dropped_by_connection={str(conn_id): n for conn_id, n in sorted(self._drops.by_connection.items())},
            backlog=self.backlog(),
            backlog_bytes=self._backlog.memory_bytes,
            buffer_messages=self._buffer_messages,
            buffer_bytes=self._buffer_bytes,
            bytes_written=self.bytes_written,
            segments=self.segments,
            segments_finished=self._finisher.finished,
            write_errors=self.write_errors,
            sync_failures=self._finisher.sync_failures,
            trouble=None if error is None else f"{self._directory.path}: {error}",
        )

    def _room(self) -> int:
        """Messages that still fit, by their number: none while closing, or closing would never end."""
        if self._life in (_RouterState.CLOSING, _RouterState.CLOSED):
            return 0
        return self._backlog.room

    def _put(self, batch: list[RawMessage]) -> bool:
        """False when the bytes do not fit, or the markers that have to stand before them."""
        try:
            lines = encode_batch(batch)
        except Exception:  # a bug of ours must not stop the connection that calls
            self._log.failure("a batch that cannot be encoded was dropped")
            return False
        if self._drops.unmarked and not (self._backlog.fits(lines) and self._mark_drops()):
            return False
        if not self._backlog.put(lines, len(batch), batch[0].received_at):
            return False
        self._last_at = batch[-1].received_at
        self._flusher.schedule()
        return True

    def _drop(self, dropped: list[RawMessage]) -> None:
        self._drops.add_messages(dropped)
        self._warn_of_drops()

    def _warn_of_drops(self) -> None:
        if self._throttle.note("drop"):
            self._log.warn(
                "the writer cannot keep up: {dropped} messages and {markers} markers dropped so far; "
                "{backlog} messages wait, {size} bytes in all",
                dropped=self._drops.messages,
                markers=self._drops.markers,
                backlog=self.backlog(),
                size=self._backlog.memory_bytes,
            )

    def _mark_drops(self, conn_id: int | None = None) -> bool:
        """Put the markers of unmarked drops, of one connection or of all. False when there is no room for them."""
        for marker in self._drops.markers_due(conn_id):
            line = encode_marker(marker)
            if not self._backlog.fits(line, in_reserve=True):
                return False
            self._backlog.put_in_reserve(line, marker.at)
            self._drops.forget(marker)
        return True

    def _sync_failed(self, found: SyncFailure) -> None:
        """A segment may have lost records: say so in the next one."""
        self._log.error(
            "segment {name} may have lost records: {error}; {sound} of its {size} bytes could be read back",
            name=found.segment,
            error=found.error,
            sound=found.sound_size,
            size=found.size,
        )
        self.mark(Marker("sync_failed", 0, self._wall(), asdict(found)))

    def _put_run_end(self) -> None:
        """The last record of a run that had any. It needs no room: the run ends with it."""
        self._mark_drops()
        if not (self._writer.segments or self._backlog.waiting_bytes):
            return
        facts = {"received": self.received, "dropped": self.dropped, "dropped_markers": self._drops.markers}
        marker = Marker("run_end", 0, max(self._wall(), self._last_at), facts)
        self._backlog.put_in_reserve(encode_marker(marker), marker.at)

    def _close_failed(self, failure: Failure) -> list[str]:
        self._log.failure("closing the capture failed; the next start recovers the open segment", failure)
        return [failure.getErrorMessage()]

    def _close_ended(self, unsafe: list[str]) -> None:
        self._life = _RouterState.CLOSED
        if not self._flusher.is_stuck:  # else the thread may still write: the lock stays until the process ends
            self._directory.close()
        if unsafe:
            self._incomplete = CaptureIncomplete("; ".join(unsafe))
        closers, self._closers = self._closers, []
        for done in closers:
            if self._incomplete is None:
                done.callback(None)
            else:
                done.errback(self._incomplete)
