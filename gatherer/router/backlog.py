"""What the router has taken over and not written yet, and what found no room there.

The reactor thread and the writer thread share the `Backlog` and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from gatherer.values import Marker, RawMessage


@dataclass(frozen=True, slots=True)
class Block:
    """Encoded lines that become one zstd frame."""

    lines: list[bytes]
    messages: int
    """Messages among the lines; markers are not counted."""
    first_at: int
    """Unix time in ns of the first record."""


class Backlog:
    """Lines in order. The reactor thread puts and drops, the writer thread takes; both may read `messages`.

    Each counter has one writing thread; the lock is for the list that both change.
    """

    def __init__(self, max_messages: int) -> None:
        self.drops = DropCounter()
        """Messages that found no room."""
        self.accepted = 0
        """Messages ever put."""
        self.written = 0
        """Messages ever handed to the operating system."""
        self.waiting_bytes = 0
        """Encoded bytes not yet taken by the writer thread."""
        self._max_messages = max_messages
        self._lock = Lock()
        self._lines: list[bytes] = []
        self._first_at = 0
        self._taken = 0

    @property
    def messages(self) -> int:
        """Messages put and not yet handed to the operating system, those in the writer's hands included."""
        return self.accepted - self.written

    @property
    def waiting(self) -> int:
        """Messages not yet taken by the writer thread."""
        return self.accepted - self._taken

    @property
    def room(self) -> int:
        """How many more messages fit."""
        return self._max_messages - self.messages

    def put(self, lines: bytes, messages: int, at: int) -> None:
        """Append encoded lines; `at` is the Unix time in ns of the first of them."""
        with self._lock:
            if not self._lines:
                self._first_at = at
            self._lines.append(lines)
            self.accepted += messages
            self.waiting_bytes += len(lines)

    def take(self) -> Block | None:
        """All that waits, or None when nothing does."""
        with self._lock:
            if not self._lines:
                return None
            block = Block(self._lines, self.accepted - self._taken, self._first_at)
            self._lines = []
            self._taken = self.accepted
            self.waiting_bytes = 0
        return block

    def mark_written(self, block: Block) -> None:
        """The operating system has the block: its messages no longer need room."""
        self.written += block.messages


class DropCounter:
    """Counts dropped messages: since the last markers, and since the start. Only the reactor thread uses it."""

    def __init__(self) -> None:
        self.total = 0
        """Messages ever dropped."""
        self.by_connection: dict[int, int] = {}
        """The same, per connection id."""
        self._unmarked: dict[int, _DropSpan] = {}

    @property
    def has_unmarked(self) -> bool:
        """Whether messages were dropped that no marker counts yet."""
        return bool(self._unmarked)

    def add(self, dropped: Sequence[RawMessage]) -> None:
        """Count messages that will not be written."""
        self.total += len(dropped)
        for message in dropped:
            conn_id = message.conn_id
            self.by_connection[conn_id] = self.by_connection.get(conn_id, 0) + 1
            span = self._unmarked.get(conn_id)
            if span is None:
                self._unmarked[conn_id] = _DropSpan(1, message.received_at, message.received_at)
            else:
                span.count += 1
                span.last_at = message.received_at

    def take_markers(self) -> list[Marker]:
        """A `local_drop` marker for each connection with unmarked drops; `first_at` and `last_at` are Unix ns."""
        unmarked, self._unmarked = self._unmarked, {}
        return [
            Marker(
                "local_drop",
                conn_id,
                span.last_at,
                {"count": span.count, "first_at": span.first_at, "last_at": span.last_at},
            )
            for conn_id, span in unmarked.items()
        ]


@dataclass(slots=True)
class _DropSpan:
    count: int
    first_at: int
    last_at: int
