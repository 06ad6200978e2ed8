"""A close look at single markets of one session, for operators: when the next book comes, and whether deltas come.

Without an operator it costs the message path one test for each read and one for each snapshot.
"""

from collections.abc import Callable

import msgspec
from twisted.internet.interfaces import IReactorTime

from gatherer.core.subscriptions.correlation import Waiters
from gatherer.core.wire.codec import Envelope, count_levels
from gatherer.values import Facts, RawMessage

MAX_WATCHED = 20
"""Markets of a session that are watched at a time. A new one replaces the one that was asked for longest ago."""
WATCH_SECONDS = 60.0
"""Seconds after the last question for which the deltas of a market are watched: watching slows the session down."""
_DELTA = b'"orderbook_delta"'


class _Watched:
    """The deltas of one market since the first question about it."""

    __slots__ = ("count", "last_at", "needle", "since", "until")

    def __init__(self, ticker: str, since: float) -> None:
        self.until = 0.0
        self.needle = msgspec.json.encode(ticker)
        self.since = since
        self.last_at: float | None = None
        self.count = 0


class MarketInspector:
    """Each session has its own. Times are Unix seconds."""

    def __init__(self, clock: IReactorTime, wall: Callable[[], int]) -> None:
        """`wall` gives Unix time in nanoseconds."""
        self._clock = clock
        self._wall = wall
        self.books: Waiters[str, Facts] = Waiters()
        """By market, the callers that wait for its next book: `sid`, `seq`, `at`, numbers of levels `yes` and `no`."""
        self.deltas: dict[str, _Watched] = {}

    def snapshot(self, ticker: str, envelope: Envelope, data: bytes, at: float) -> None:
        """A snapshot of a market came that a caller waits for."""
        yes, no = count_levels(data)
        self.books.fire(ticker, {"sid": envelope.sid, "seq": envelope.seq, "at": at, "yes": yes, "no": no})

    def look(self, ticker: str) -> Facts:
        """The deltas of a market so far. It is watched from the first question on, until a minute after the last."""
        watched = self.deltas.pop(ticker, None) or _Watched(ticker, self._wall() / 1e9)
        if len(self.deltas) >= MAX_WATCHED:
            del self.deltas[next(iter(self.deltas))]
        watched.until = self._clock.seconds() + WATCH_SECONDS
        self.deltas[ticker] = watched
        return {"watched_since": watched.since, "delta_at": watched.last_at, "deltas": watched.count}

    def read(self, messages: list[RawMessage]) -> None:
        """Count the deltas of watched markets in the messages of one read."""
        now = self._clock.seconds()
        for ticker in [ticker for ticker, watched in self.deltas.items() if watched.until <= now]:
            del self.deltas[ticker]
        for message in messages:
            if _DELTA in message.data:
                for watched in self.deltas.values():
                    if watched.needle in message.data:
                        watched.last_at, watched.count = message.received_at / 1e9, watched.count + 1
