"""The counters of one connection since the start, over all its sockets."""

from collections import Counter
from dataclasses import dataclass, field

from gatherer.core.subscriptions.sequence import GapLog

MAX_UNKNOWN_TYPES = 50
"""Names of unknown message types that are counted. A flood of invented names must not fill the memory."""


@dataclass(slots=True)
class Counters:
    """Plain sums. The metrics read them on request."""

    received: int = 0
    """Messages, replies included."""
    forwarded: int = 0
    """Messages handed to the router."""
    snapshots: int = 0
    """Order books among them. We asked for those, so they do not show that the feed is alive."""
    bytes_received: int = 0
    """Payload bytes of all messages."""
    gaps: int = 0
    gap_log: GapLog = field(default_factory=GapLog)
    """The latest gaps."""
    skipped: int = 0
    """Sequence numbers missing in all gaps together."""
    repeats: int = 0
    strays: int = 0
    """Replies without a waiting command."""
    reconnects: int = 0
    recoveries: int = 0
    """Gaps after which every market of the sid had a fresh snapshot again."""
    last_recovery: float = 0.0
    """Seconds the latest recovery took."""
    replies: int = 0
    """Commands that the exchange answered, by an acknowledgement or a rejection."""
    reply_seconds: float = 0.0
    """Seconds until those answers, added up."""
    errors: Counter[int] = field(default_factory=Counter)
    """Errors of the exchange, by code."""
    ws_errors: Counter[str] = field(default_factory=Counter)
    """Lost sockets and wrong messages, by kind."""
    unknown_types: Counter[str] = field(default_factory=Counter)
    last_message: int | None = None
    """Unix time in ns of the latest read with a message."""
    latest_read: list[bytes] = field(default_factory=list)
    """The messages of that read. Metrics and balancer look at it now and then."""
    last_ping: float | None = None
    """Unix time in seconds."""
    read_before_ping: int | None = None
    """`last_message` when the latest ping came. While both are equal, the ping is the latest sign of life."""

    def pinged(self, at: int) -> None:
        """A ping came at Unix time `at`, ns."""
        self.last_ping = at / 1e9
        self.read_before_ping = self.last_message

    def signs_of_life(self) -> tuple[float | None, int | None]:
        """Changes whenever a message or a ping comes."""
        return self.last_ping, self.last_message

    def last_sign_of_life(self) -> int:
        """When the latest message or ping came, Unix ns, 0 before any came. The order of arrival decides, not the
        larger time: a clock that stepped back makes later times smaller."""
        if self.last_ping is not None and self.read_before_ping == self.last_message:
            return int(self.last_ping * 1e9)
        return self.last_message or 0

    def unknown(self, kind: str) -> None:
        """Count a message of an unknown type."""
        types = self.unknown_types
        types[kind if kind in types or len(types) < MAX_UNKNOWN_TYPES else "others"] += 1
