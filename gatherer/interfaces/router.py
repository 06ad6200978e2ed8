"""Where messages go."""

from twisted.internet.defer import Deferred
from zope.interface import Interface

from gatherer.interfaces.status import RouterStatus
from gatherer.values import Marker, RawMessage


class IMessageRouter(Interface):
    """Where every message goes. Never blocks and never raises: what it cannot keep it counts and marks."""

    def deliver(batch: list[RawMessage]) -> int:
        """Take over a `list[RawMessage]`, in order; the caller does not touch the list again. What does not fit into
        the buffer is dropped and counted per connection, and the next record that is written says so (a `local_drop`
        marker). Returns how many of the batch were lost."""

    def mark(marker: Marker) -> None:
        """Write a `Marker` into the capture, in order with the messages. Never dropped."""

    def start() -> None:
        """Be ready for messages. Raises `ConfigError` when the place they go to cannot be had. Called once."""

    def status() -> RouterStatus:
        """The counts; at least `received`, `written`, `dropped` and `backlog`, all numbers of messages."""

    def backlog() -> int:
        """How many messages are taken over but not yet written."""

    def close() -> Deferred[None]:
        """Write all that was taken over. Deferred: fires with None when it is on disk; never fails. Idempotent."""
