"""What is taken over and not yet written: the one object the reactor thread and the writer thread share."""

from dataclasses import dataclass
from threading import Lock


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
