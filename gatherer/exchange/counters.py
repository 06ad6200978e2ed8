"""What one connection has seen since the start, over all its sockets."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gatherer.core.subscriptions.sequence import GapLog

MAX_UNKNOWN_TYPES = 50
"""Names of message types we count; a flood of invented ones must not fill the memory."""


@dataclass(slots=True)
class Counters:
    """Plain sums; the metrics read them when they are asked."""

    received: int = 0
    """Messages, replies included."""
    forwarded: int = 0
    """Messages handed to the router."""
    snapshots: int = 0
    """Order books among them: we asked for those, so they do not show that the feed flows."""
    bytes_received: int = 0
    """Payload bytes of all messages."""
    gaps: int = 0
    gap_log: GapLog = field(default_factory=GapLog)
    """The latest of the gaps."""
    skipped: int = 0
    """Sequence numbers missing in all gaps together."""
    repeats: int = 0
    strays: int = 0
    """Replies nobody waited for."""
    reconnects: int = 0
    recoveries: int = 0
    """Gaps after which every market of the sid had a fresh snapshot again."""
    last_recovery: float = 0.0
    """Seconds the latest recovery took."""
    replies: int = 0
    """Commands the exchange answered, acknowledgements and rejections."""
    reply_seconds: float = 0.0
    """Time those answers took, added up."""
    errors: Counter[int] = field(default_factory=Counter)
    """Errors the exchange sent, by code."""
    ws_errors: Counter[str] = field(default_factory=Counter)
    """Sockets lost and messages that made no sense, by kind."""
    unknown_types: Counter[str] = field(default_factory=Counter)
    last_message: int | None = None
    """Unix time in ns of the latest read that brought a message."""
    sample: bytes = b""
    """The first message of that read: who wants to know its age looks at it now and then."""
    last_ping: float | None = None
    """Unix time in seconds."""

    def report(self) -> dict[str, Any]:
        """JSON-ready, the time of the last message in seconds; `repeats` lacks those of the socket that is open."""
        names = (
            "received", "forwarded", "snapshots", "bytes_received", "gaps", "skipped", "repeats", "strays",
            "reconnects", "recoveries", "last_recovery", "replies", "reply_seconds", "last_ping",
        )  # fmt: skip
        return {
            **{name: getattr(self, name) for name in names},
            "errors": dict(self.errors), "ws_errors": dict(self.ws_errors), "unknown_types": dict(self.unknown_types),
            "last_message": self.last_message / 1e9 if self.last_message else None,
        }  # fmt: skip

    def unknown(self, kind: str) -> None:
        """A message of a type we do not know."""
        types = self.unknown_types
        types[kind if kind in types or len(types) < MAX_UNKNOWN_TYPES else "others"] += 1
