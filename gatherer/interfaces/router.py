"""Where messages go."""

from twisted.internet.defer import Deferred
from zope.interface import Interface

from gatherer.interfaces.status import RouterStatus
from gatherer.values import Marker, RawMessage


class IMessageRouter(Interface):
    """Where every message goes. Never blocks and never raises: what it cannot keep it counts and marks."""

    def deliver(batch: list[RawMessage]) -> int:
        """Take over a `list[RawMessage]`, in order; the caller does not touch the list again. What does not fit into
        the buffer is dropped and counted. A `local_drop` marker says so before the next record of the connection.
        Returns how many of the batch were dropped."""

    def mark(marker: Marker) -> int:
        """Write a `Marker` into the capture, in order with the messages. Markers have room of their own; one that does
        not fit even there is counted by its kind in the next `local_drop`. Returns 1 if it was dropped, else 0."""

    def start() -> None:
        """Be ready for messages. Raises `ConfigError` when the place they go to cannot be had. Called once."""

    def status() -> RouterStatus:
        """The counts; at least `received`, `written`, `dropped` and `backlog`, all numbers of messages."""

    def backlog() -> int:
        """How many messages are taken over but not yet written."""

    def close() -> Deferred[None]:
        """Write all that was taken over. Deferred: fires with None when it is on disk, or fails with
        `CaptureIncomplete`; either within a few seconds, even if the disk does not answer. Idempotent."""
