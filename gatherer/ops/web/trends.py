"""The last ten minutes, as a ring of samples. Pure: the time comes with the figures."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import exp

from gatherer.interfaces import ConnectionStatus, PoolStatus, RouterStatus

SMOOTHING = 4.0
"""Seconds until two thirds of a change show: slow enough to read, fast enough to follow a burst."""


class Rates:
    """Fed with the connections' statuses every second or two; the time comes with them."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._received: dict[int, int] = {}
        self._rates: dict[int, float] = {}

    def note(self, now: float, connections: Iterable[ConnectionStatus]) -> None:
        """`now` in seconds. A clock that stands still or steps back changes no rate."""
        then, self._at = self._at, now
        elapsed = 0.0 if then is None else now - then
        share = 1.0 - exp(-elapsed / SMOOTHING) if elapsed > 0 else 0.0
        for each in connections:
            conn_id, received = each.conn_id, each.received
            if share:
                rate = max(0, received - self._received.get(conn_id, received)) / elapsed
                last = self._rates.get(conn_id)
                self._rates[conn_id] = rate if last is None else last + (rate - last) * share
            self._received[conn_id] = received

    def of(self, conn_id: int) -> float:
        """Messages a second, 0.0 before there is anything to compare."""
        return self._rates.get(conn_id, 0.0)


INTERVAL = 2.0
"""Seconds between two samples."""
MIN_SECONDS = 0.01
"""Seconds over which a rate means something; over next to nothing it would be infinite."""
MAX_SAMPLES = 300
COLUMNS = ("at", "messages", "megabytes", "gaps", "reconnects", "backlog", "missing", "dropped")
"""Of a sample: Unix time; messages and MB a second; gaps and lost sockets since the sample before; messages that wait
for the disk; markets wanted that have no book; messages dropped since the sample before."""

Row = tuple[float, float, float, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Totals:
    """What is sampled: the first five only rise."""

    messages: int
    volume: int
    gaps: int
    reconnects: int
    dropped: int
    backlog: int
    missing: int


def totals(pool: PoolStatus, router: RouterStatus) -> Totals:
    """The figures of one moment."""
    messages = volume = gaps = reconnects = 0
    for each in pool.connections:
        messages += each.received
        volume += each.bytes_received
        gaps += each.gaps
        reconnects += each.reconnects
    missing = max(0, pool.markets - pool.books)
    return Totals(messages, volume, gaps, reconnects, router.dropped, router.backlog, missing)


class History:
    """At most ten minutes, however long it runs."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=MAX_SAMPLES)
        self._last: tuple[float, Totals] | None = None

    def note(self, now: float, figures: Totals) -> None:
        """A sample. The first one, and one after the clock stepped back, is only what the next is compared with;
        one too close to the last is left to the next."""
        last = self._last
        if last is not None and 0.0 <= now - last[0] < MIN_SECONDS:
            return
        self._last = (now, figures)
        if last is None or now < last[0]:
            return
        before, seconds = last[1], now - last[0]
        self._rows.append((
            round(now, 1),
            round(max(0, figures.messages - before.messages) / seconds, 1),
            round(max(0, figures.volume - before.volume) / seconds / 1e6, 4),
            max(0, figures.gaps - before.gaps), max(0, figures.reconnects - before.reconnects),
            figures.backlog, figures.missing, max(0, figures.dropped - before.dropped),
        ))  # fmt: skip

    def rows(self) -> list[Row]:
        """Oldest first, each as `COLUMNS` says."""
        return list(self._rows)

    def latest(self) -> Row | None:
        """The newest sample."""
        return self._rows[-1] if self._rows else None
