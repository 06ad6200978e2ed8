"""What is taken over and not yet written: the one object the reactor thread and the writer thread share."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from gatherer.core.messages import Marker, RawMessage


@dataclass(slots=True)
class _Loss:
    count: int
    first_at: int
    last_at: int


class DropCounter:
    """Losses since the last markers, and totals since the start."""

    def __init__(self) -> None:
        self.total = 0
        """Messages ever dropped."""
        self.by_connection: dict[int, int] = {}
        """The same, per connection id."""
        self._untold: dict[int, _Loss] = {}

    def __bool__(self) -> bool:
        """Whether there is a loss that no marker tells yet."""
        return bool(self._untold)

    def add(self, lost: Sequence[RawMessage]) -> None:
        """Count messages that are not going to be written."""
        self.total += len(lost)
        for message in lost:
            conn_id = message.conn_id
            self.by_connection[conn_id] = self.by_connection.get(conn_id, 0) + 1
            loss = self._untold.get(conn_id)
            if loss is None:
                self._untold[conn_id] = _Loss(1, message.received_at, message.received_at)
            else:
                loss.count += 1
                loss.last_at = message.received_at

    def tell(self) -> list[Marker]:
        """A `local_drop` marker per connection for what is untold; `first_at` and `last_at` are Unix ns."""
        untold, self._untold = self._untold, {}
        return [
            Marker(
                "local_drop",
                conn_id,
                loss.last_at,
                {"count": loss.count, "first_at": loss.first_at, "last_at": loss.last_at},
            )
            for conn_id, loss in untold.items()
        ]


@dataclass(frozen=True, slots=True)
class Block:
    """Encoded lines that become one zstd frame."""

    lines: list[bytes]
    messages: int
    """Messages among the lines; markers are not counted."""
    first_at: int
    """Unix time in ns of the first record."""


class Backlog:
    """Lines in order. The reactor thread puts, the writer thread takes and settles; `messages` may be read by both.

    Each counter has one writing thread; the lock is for the list that both change.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._lines: list[bytes] = []
        self._first_at = 0
        self._taken = 0
        self.accepted = 0
        """Messages ever put."""
        self.settled = 0
        """Messages ever handed to the operating system."""
        self.waiting_bytes = 0
        """Encoded bytes not yet taken by the writer thread."""

    @property
    def messages(self) -> int:
        """Messages put and not yet handed to the operating system, those in the writer's hands included."""
        return self.accepted - self.settled

    @property
    def waiting(self) -> int:
        """Messages not yet taken by the writer thread."""
        return self.accepted - self._taken

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

    def settle(self, block: Block) -> None:
        """The block is written."""
        self.settled += block.messages
