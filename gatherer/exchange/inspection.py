"""A close look at single markets of one session, for operators: when the next book comes, whether deltas do.

While nobody looks it costs the message path one test per read and one per snapshot.
"""

from typing import Any

import msgspec
from twisted.internet.interfaces import IReactorTime

from gatherer.core.messages import RawMessage
from gatherer.core.subscriptions.correlation import Waiters
from gatherer.core.wire.codec import Envelope, count_levels

MAX_WATCHED = 20
"""Markets of a session whose deltas are watched at a time; the one asked for longest ago makes room."""
_DELTA = b'"orderbook_delta"'


class _Watched:
    """What is known of one market's deltas."""

    __slots__ = ("count", "last_at", "needle", "since")

    def __init__(self, ticker: str, since: float) -> None:
        self.needle = msgspec.json.encode(ticker)
        self.since = since
        self.last_at: float | None = None
        self.count = 0


class MarketInspector:
    """Lives and dies with a session. Times are Unix seconds."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self.books: Waiters[str, dict[str, Any]] = Waiters()
        """Who waits for the next book of which market: `sid`, `seq`, `at`, numbers of levels `yes` and `no`."""
        self.deltas: dict[str, _Watched] = {}

    def snapshot(self, ticker: str, envelope: Envelope, data: bytes, at: float) -> None:
        """A snapshot came."""
        yes, no = count_levels(data)
        self.books.fire(ticker, {"sid": envelope.sid, "seq": envelope.seq, "at": at, "yes": yes, "no": no})

    def look(self, ticker: str) -> dict[str, Any]:
        """What was seen of a market's deltas; it is watched from the first question on."""
        watched = self.deltas.pop(ticker, None) or _Watched(ticker, self._clock.seconds())
        if len(self.deltas) >= MAX_WATCHED:
            del self.deltas[next(iter(self.deltas))]
        self.deltas[ticker] = watched
        return {"watched_since": watched.since, "delta_at": watched.last_at, "deltas": watched.count}

    def read(self, messages: list[RawMessage]) -> None:
        """One read's messages, while somebody watches."""
        for message in messages:
            if _DELTA in message.data:
                for watched in self.deltas.values():
                    if watched.needle in message.data:
                        watched.last_at, watched.count = message.received_at / 1e9, watched.count + 1
