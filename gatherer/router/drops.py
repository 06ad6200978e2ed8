"""What did not fit into the buffer: counted per connection, and told in the capture as soon as there is room."""

from collections.abc import Sequence
from dataclasses import dataclass

from gatherer.core.messages import Marker, RawMessage


@dataclass(slots=True)
class _Loss:
    count: int
    first_at: int
    last_at: int


class Drops:
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
