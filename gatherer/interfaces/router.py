"""Where messages go."""

from zope.interface import Interface


class IMessageRouter(Interface):
    """Where every message goes. Never blocks and never raises: what it cannot keep it counts and marks."""

    def deliver(batch):
        """Take over a `list[RawMessage]`, in order; the caller does not touch the list again. What does not fit into
        the buffer is dropped and counted per connection, and the next record that is written tells (a `local_drop`
        marker). Returns how many of the batch were lost."""

    def mark(marker):
        """Write a `Marker` into the capture, in order with the messages. Never dropped."""

    def start():
        """Be ready for messages. Raises `ConfigError` when the place they go to cannot be had. Called once."""

    def status():
        """A JSON-ready dict; at least `received`, `written`, `dropped`, `backlog`, all numbers of messages."""

    def backlog():
        """How many messages are taken over but not yet written, an int."""

    def close():
        """Write all that was taken over. Deferred: fires with None when it is on disk; never fails. Idempotent."""
