"""A router that keeps everything in memory, for tests and for looking at a short run."""

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from gatherer.interfaces import IMessageRouter, RouterStatus
from gatherer.values import Marker, RawMessage


@implementer(IMessageRouter)
class MemoryRouter:
    """Keep all records in the order they came; grows without bound."""

    def __init__(self) -> None:
        self.records: list[RawMessage | Marker] = []
        self.batches = 0
        """How often `deliver` was called: hot paths hand over batches, not single messages."""
        self.closed = False

    def start(self) -> None:
        """Do nothing."""

    def deliver(self, batch: list[RawMessage]) -> int:
        """Append the batch; nothing is ever dropped."""
        self.batches += 1
        self.records.extend(batch)
        return 0

    def mark(self, marker: Marker) -> int:
        """Append the marker; nothing is ever dropped."""
        self.records.append(marker)
        return 0

    def backlog(self) -> int:
        """Always 0: a record stays where `deliver` puts it."""
        return 0

    def close(self) -> Deferred[None]:
        """Fires at once with None."""
        self.closed = True
        return succeed(None)

    def messages(self) -> list[RawMessage]:
        """The exchange's messages, without our markers."""
        return [record for record in self.records if isinstance(record, RawMessage)]

    def markers(self, kind: str | None = None) -> list[Marker]:
        """The markers, all or of one kind."""
        return [record for record in self.records if isinstance(record, Marker) and kind in (None, record.kind)]

    def status(self) -> RouterStatus:
        """What every router counts."""
        received = len(self.messages())
        return RouterStatus(kind="memory", received=received, written=received, dropped=0, backlog=0)
