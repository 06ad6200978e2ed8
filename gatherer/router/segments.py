"""The default router: append-only segments of zstd-compressed JSON lines. This is its side in the reactor thread.

`deliver` encodes and appends to the backlog; a writer thread makes each block of the backlog one zstd frame. Encoding
in the writer thread instead was measured (`benchmarks/router_rate.py`, 2 cores, CPython 3.11, 253-byte messages in
batches of 50): 630,000 to 760,000 messages/s against 640,000 to 860,000 this way. It takes 0.3 µs a message off
`deliver` and gives as much back in waiting for the interpreter lock; compression, the larger part, holds no lock.
"""

import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from gatherer.capture_format import CaptureDirectory, encode_batch, encode_marker
from gatherer.interfaces import IMessageRouter, RouterStatus
from gatherer.log.throttle import Throttle
from gatherer.router.backlog import Backlog
from gatherer.router.flusher import Flusher
from gatherer.router.threads import Threads, WriterThreads
from gatherer.router.writer import SegmentWriter
from gatherer.values import Marker, RawMessage

_BLOCK_MESSAGES = 2_000
"""Worth a frame: 150,000 messages/s through a buffer of 10,000 is 75 blocks/s, with four blocks of slack."""


class _Life(Enum):
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
        self,
        directory: str | os.PathLike[str],
        reactor: Any,
        *,
        segment_bytes: int = 256 << 20,
        segment_seconds: float = 3600.0,
        flush_interval: float = 1.0,
        buffer_messages: int = 10_000,
        level: int = 3,
        close_timeout: float = 5.0,
        threads: Threads | None = None,
        write: Callable[[int, bytes | memoryview], int] = os.write,
    ) -> None:
        """`reactor` provides IReactorTime and IReactorFromThreads; no type of mypy says both.
        Nothing is touched before `start`.

        `segment_bytes` counts compressed bytes; times are in seconds. A `kill -9` loses what came within the last
        `flush_interval`. `close_timeout` is how long `close` goes on trying when the disk refuses.
        """
        self.received = 0
        """Messages delivered, kept or not."""
        self._life = _Life.NEW
        self._directory = CaptureDirectory(Path(directory))
        self._buffer_messages = buffer_messages
        self._close_timeout = close_timeout
        self._backlog = Backlog(buffer_messages)
        self._drops = self._backlog.drops
        self._throttle = Throttle(reactor)
        self._writer = SegmentWriter(self._directory.path, self._backlog, segment_bytes, level, write)
        self._flusher = Flusher(
            reactor,
            self._backlog,
            self._writer,
            WriterThreads(reactor) if threads is None else threads,
            # Half of it: the other half is for compressing and writing.
            flush_delay=flush_interval / 2,
            block_messages=max(1, min(_BLOCK_MESSAGES, buffer_messages // 5)),
            segment_seconds=segment_seconds,
            after_drain=self._mark_drops,
        )
        self._closers: list[Deferred[None]] = []

    def start(self) -> None:
        """Lock the directory and recover the segments of an earlier run. Raises ConfigError with the cause."""
        for leftover in self._directory.open():
            self._log.warn(
                "recovered segment {name} of an earlier run: {kept} bytes kept, {cut} torn bytes cut off",
                name=leftover.name or "(empty, removed)",
                kept=leftover.kept,
                cut=leftover.cut,
            )
        self._life = _Life.RUNNING
        self._flusher.start()

    def deliver(self, batch: list[RawMessage]) -> int:
        """Take over a batch. What does not fit is dropped, counted and marked. Returns how many were dropped."""
        dropped = self.dropped
        self.received += len(batch)
        room = self._room()
        if room and self._drops.has_unmarked:
            self._mark_drops()
        if len(batch) > room:
            self._drop(batch[room:])
            batch = batch[:room]
        if batch:
            self._put(batch)
            self._flusher.schedule()
        return self.dropped - dropped

    def mark(self, marker: Marker) -> None:
        """Take over a marker, even when the buffer is full. After `close` has fired the marker is only logged."""
        if self._life is _Life.CLOSED:
            self._log.warn(
                "marker {kind} of connection {conn_id} came too late", kind=marker.kind, conn_id=marker.conn_id
            )
            return
        self._backlog.put(encode_marker(marker), 0, marker.at)
        self._flusher.schedule()

    def backlog(self) -> int:
        """Messages taken over and not yet handed to the operating system."""
        return self._backlog.messages

    def close(self) -> Deferred[None]:
        """Write the backlog and finish the segment. Fires when that is on disk, or when `close_timeout` has passed."""
        if self._life is _Life.CLOSED:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._closers.append(done)
        if self._life is not _Life.CLOSING:
            self._life = _Life.CLOSING
            self._mark_drops()
            stopped = Deferred.fromCoroutine(self._flusher.stop(self._close_timeout))
            stopped.addErrback(self._close_failed).addCallback(self._close_done)
        return done

    @property
    def written(self) -> int:
        """Messages handed to the operating system."""
        return self._backlog.written

    @property
    def dropped(self) -> int:
        """Messages that found no room."""
        return self._drops.total

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
        return self._flusher.errors + self._flusher.finisher.errors

    def status(self) -> RouterStatus:
        """Counters, the current segment and, while the disk refuses, why."""
        return RouterStatus(
            kind="segments",
            directory=str(self._directory.path),
            segment=self._writer.current,
            received=self.received,
            written=self.written,
            dropped=self.dropped,
            dropped_by_connection={str(conn_id): n for conn_id, n in sorted(self._drops.by_connection.items())},
            backlog=self.backlog(),
            buffer_messages=self._buffer_messages,
            bytes_written=self.bytes_written,
            segments=self.segments,
            segments_finished=self._flusher.finisher.finished,
            write_errors=self.write_errors,
            trouble=None if self._flusher.last_error is None else str(self._flusher.last_error),
        )

    def _room(self) -> int:
        """Messages that still fit: none while closing, or closing would never end."""
        if self._life in (_Life.CLOSING, _Life.CLOSED):
            return 0
        return self._backlog.room

    def _put(self, batch: list[RawMessage]) -> None:
        try:
            lines = encode_batch(batch)
        except Exception:  # a bug of ours must not stop the connection that calls
            self._log.failure("a batch that cannot be encoded was dropped")
            self._drop(batch)
            return
        self._backlog.put(lines, len(batch), batch[0].received_at)

    def _drop(self, dropped: list[RawMessage]) -> None:
        self._drops.add(dropped)
        if self._throttle.note("drop"):
            self._log.warn(
                "the writer cannot keep up: {dropped} messages dropped so far, {backlog} wait",
                dropped=self.dropped,
                backlog=self.backlog(),
            )

    def _mark_drops(self) -> None:
        """Mark the drops, unless the buffer is still full: then the next message would be dropped as well."""
        if self._drops.has_unmarked and (self._room() or self._life is _Life.CLOSING):
            for marker in self._drops.take_markers():
                self._backlog.put(encode_marker(marker), 0, marker.at)

    def _close_failed(self, failure: Failure) -> None:
        self._log.failure("closing the capture failed; what is open is recovered at the next start", failure)

    def _close_done(self, _: None) -> None:
        self._directory.close()
        self._life = _Life.CLOSED
        closers, self._closers = self._closers, []
        for done in closers:
            done.callback(None)
