"""What the router has taken over and not written yet, and what found no room there.

The reactor thread and the writer thread share the `Backlog` and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

import msgspec

from gatherer.values import Marker, RawMessage

BLOCK_BYTES = 4 << 20
"""The most that is compressed at once: a retry needs memory for the lines once more, and a reader for the frame."""
ENTRY_BYTES = 128
"""What Python needs for an entry beside its lines (CPython 3.11: 105)."""
MARKER_SHARE = 4
"""One part in so many of the bytes is kept free for markers, so that messages cannot crowd them out."""


@dataclass(frozen=True, slots=True)
class Block:
    """Encoded lines that become one zstd frame."""

    lines: list[bytes]
    messages: int
    """Messages among the lines; markers are not counted."""
    first_at: int
    """Unix time in ns of the first record."""
    message_bytes: int
    """What it takes of the bytes for messages."""
    marker_bytes: int
    """What it takes of the bytes in reserve for markers."""


class _Entry(msgspec.Struct, frozen=True, gc=False):
    lines: bytes
    messages: int
    at: int
    in_reserve: bool


class Backlog:
    """Lines in order, bounded in messages and in bytes. The reactor thread puts, the writer thread takes.

    Each counter has one writing thread; the lock is for the list that both change.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self.drops = DropCounter()
        """Records that found no room."""
        self.accepted = 0
        """Messages ever put."""
        self.written = 0
        """Messages ever handed to the operating system."""
        self.waiting_bytes = 0
        """Encoded bytes not yet taken by the writer thread."""
        self._max_messages = max_messages
        self._max_marker_bytes = max_bytes // MARKER_SHARE
        self._max_message_bytes = max_bytes - self._max_marker_bytes
        self._message_bytes_put = self._message_bytes_taken = self._message_bytes_written = 0
        self._marker_bytes_put = self._marker_bytes_taken = self._marker_bytes_written = 0
        self._lock = Lock()
        self._entries: list[_Entry] = []
        self._taken = 0

    @property
    def messages(self) -> int:
        """Messages put and not yet handed to the operating system, those in the writer's hands included."""
        return self.accepted - self.written

    @property
    def memory_bytes(self) -> int:
        """Memory of all that was put and is not yet handed to the operating system, markers included."""
        put = self._message_bytes_put + self._marker_bytes_put
        return put - self._message_bytes_written - self._marker_bytes_written

    @property
    def waiting(self) -> int:
        """Messages not yet taken by the writer thread."""
        return self.accepted - self._taken

    @property
    def room(self) -> int:
        """How many more messages fit, by their number."""
        return self._max_messages - self.messages

    def fits(self, lines: bytes, *, in_reserve: bool = False) -> bool:
        """Whether there are bytes left for an entry, of those for messages or of those in reserve for markers."""
        size = len(lines) + ENTRY_BYTES
        if in_reserve:
            return self._marker_bytes_put - self._marker_bytes_written + size <= self._max_marker_bytes
        return self._message_bytes_put - self._message_bytes_written + size <= self._max_message_bytes

    def put(self, lines: bytes, messages: int, at: int) -> bool:
        """Append encoded lines of messages; `at` is the Unix time in ns of the first. False when they do not fit."""
        size = len(lines)
        put = self._message_bytes_put + size + ENTRY_BYTES
        if put - self._message_bytes_written > self._max_message_bytes:
            return False
        entry = _Entry(lines, messages, at, False)
        with self._lock:
            self._entries.append(entry)
            self._message_bytes_put = put
            self.accepted += messages
            self.waiting_bytes += size
        return True

    def put_in_reserve(self, line: bytes, at: int) -> None:
        """Append the line of a marker, whether or not it `fits`."""
        entry = _Entry(line, 0, at, True)
        with self._lock:
            self._entries.append(entry)
            self._marker_bytes_put += len(line) + ENTRY_BYTES
            self.waiting_bytes += len(line)

    def take(self) -> Block | None:
        """The oldest entries, `BLOCK_BYTES` at most unless one alone is larger; None when nothing waits."""
        with self._lock:
            if not self._entries:
                return None
            if self.waiting_bytes > BLOCK_BYTES:
                taken = self._split_off()
                messages = sum(entry.messages for entry in taken)
                marker_bytes = sum(len(entry.lines) + ENTRY_BYTES for entry in taken if entry.in_reserve)
                message_bytes = sum(len(entry.lines) + ENTRY_BYTES for entry in taken if not entry.in_reserve)
                self.waiting_bytes -= sum(len(entry.lines) for entry in taken)
            else:  # the usual case, while the reactor thread may wait: no look at each entry
                taken, self._entries = self._entries, []
                messages = self.accepted - self._taken
                marker_bytes = self._marker_bytes_put - self._marker_bytes_taken
                message_bytes = self._message_bytes_put - self._message_bytes_taken
                self.waiting_bytes = 0
            self._taken += messages
            self._marker_bytes_taken += marker_bytes
            self._message_bytes_taken += message_bytes
        return Block([entry.lines for entry in taken], messages, taken[0].at, message_bytes, marker_bytes)

    def mark_written(self, block: Block) -> None:
        """The operating system has the block: its records no longer need room."""
        self.written += block.messages
        self._message_bytes_written += block.message_bytes
        self._marker_bytes_written += block.marker_bytes

    def _split_off(self) -> list[_Entry]:
        """The oldest entries that make a block."""
        size, count = 0, 0
        for entry in self._entries:
            size += len(entry.lines)
            if count and size > BLOCK_BYTES:
                break
            count += 1
        taken, self._entries = self._entries[:count], self._entries[count:]
        return taken


@dataclass(slots=True)
class _Span:
    """Equal things that happened between two times."""

    first_at: int
    last_at: int
    count: int = 0

    def add(self, first_at: int, last_at: int) -> None:
        self.count += 1
        self.first_at = min(self.first_at, first_at)
        self.last_at = last_at


@dataclass(slots=True)
class Drops:
    """What one connection lost."""

    span: _Span
    messages: int = 0
    markers: dict[str, _Span] = field(default_factory=dict)

    def facts(self) -> dict[str, object]:
        """For the marker."""
        facts: dict[str, object] = {
            "count": self.messages,
            "first_at": self.span.first_at,
            "last_at": self.span.last_at,
        }
        if self.markers:
            facts["markers"] = {
                kind: {"count": span.count, "first_at": span.first_at, "last_at": span.last_at}
                for kind, span in self.markers.items()
            }
        return facts


class DropCounter:
    """Counts dropped records: since the last markers, and since the start. Only the reactor thread uses it.

    What it remembers is bounded by the connections and the kinds of markers, not by the records.
    """

    def __init__(self) -> None:
        self.messages = 0
        """Messages ever dropped."""
        self.markers = 0
        """Markers ever dropped."""
        self.by_connection: dict[int, int] = {}
        """Messages ever dropped, per connection id."""
        self.unmarked: dict[int, Drops] = {}
        """What no `local_drop` marker counts yet, per connection id."""

    def add_messages(self, dropped: Sequence[RawMessage]) -> None:
        """Count messages that will not be written."""
        self.messages += len(dropped)
        for message in dropped:
            conn_id, at = message.conn_id, message.received_at
            self.by_connection[conn_id] = self.by_connection.get(conn_id, 0) + 1
            drops = self.unmarked.get(conn_id)
            if drops is None:
                drops = self.unmarked[conn_id] = Drops(_Span(at, at))
            drops.messages += 1
            drops.span.add(at, at)

    def add_marker(self, marker: Marker) -> None:
        """Count a marker that will not be written. What it is about may have begun before it (`since`)."""
        self.markers += 1
        at = marker.at
        since = marker.facts.get("since") or at
        first_at = min(since, at) if isinstance(since, int) else at
        drops = self.unmarked.setdefault(marker.conn_id, Drops(_Span(first_at, at)))
        drops.span.add(first_at, at)
        drops.markers.setdefault(marker.kind, _Span(first_at, at)).add(first_at, at)

    def markers_due(self, conn_id: int | None = None) -> list[Marker]:
        """A `local_drop` marker for each connection with unmarked drops, or for one. `forget` those that are put."""
        found = self.unmarked if conn_id is None else self.unmarked.keys() & {conn_id}
        return [
            Marker("local_drop", each, self.unmarked[each].span.last_at, self.unmarked[each].facts()) for each in found
        ]

    def forget(self, marker: Marker) -> None:
        """The marker is in the backlog: what it counts is no longer unmarked."""
        del self.unmarked[marker.conn_id]
