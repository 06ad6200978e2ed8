"""A close look at single markets of one session, for operators: when the next book comes, whether deltas do.

While nobody looks it costs the message path one test per read and one per snapshot.
"""

from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from gatherer.core.codec import Envelope, count_levels
from gatherer.core.messages import RawMessage

MOST_WATCHED = 20
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


class Watching:
    """Lives and dies with a session. Times are Unix seconds."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self.books: dict[str, list[Deferred[dict[str, Any]]]] = {}
        """Who waits for the next book of which market."""
        self.deltas: dict[str, _Watched] = {}

    def next_book(self, ticker: str) -> Deferred[dict[str, Any]]:
        """Fires with `sid`, `seq`, `at` and the numbers of levels `yes` and `no` of the market's next snapshot."""
        waiting = self.books.setdefault(ticker, [])
        book: Deferred[dict[str, Any]] = Deferred(lambda _: self._forget(ticker, book))
        waiting.append(book)
        return book

    def snapshot(self, ticker: str, envelope: Envelope, data: bytes, at: float) -> None:
        """A snapshot came."""
        yes, no = count_levels(data)
        for book in self.books.pop(ticker, []):
            book.callback({"sid": envelope.sid, "seq": envelope.seq, "at": at, "yes": yes, "no": no})

    def look(self, ticker: str) -> dict[str, Any]:
        """What was seen of a market's deltas; it is watched from the first question on."""
        watched = self.deltas.pop(ticker, None) or _Watched(ticker, self._clock.seconds())
        if len(self.deltas) >= MOST_WATCHED:
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

    def close(self, error: Exception) -> None:
        """The session is over."""
        books, self.books = self.books, {}
        for waiting in books.values():
            for book in waiting:
                book.errback(Failure(error))

    def _forget(self, ticker: str, book: Deferred[dict[str, Any]]) -> None:
        waiting = self.books.get(ticker, [])
        if book in waiting:
            waiting.remove(book)
        if not waiting:
            self.books.pop(ticker, None)
