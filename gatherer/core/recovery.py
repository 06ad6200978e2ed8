"""From a gap to the moment every book of its sid is trustworthy again."""

from collections.abc import Iterable


class Recoveries:
    """Per sid, the markets whose fresh snapshot is awaited. A gap does not say which market lost data,
    so every book on the sid is suspect (protocol section 4)."""

    def __init__(self) -> None:
        self._waiting: dict[int, set[str]] = {}
        self._since: dict[int, float] = {}
        self._done: list[int] = []

    def begin(self, sid: int, tickers: Iterable[str], now: float) -> None:
        """A gap on the sid; one that follows before the end starts the waiting anew."""
        waiting = set(tickers)
        if waiting:
            self._waiting[sid] = waiting
            self._since.setdefault(sid, now)

    def waits(self, sid: int) -> bool:
        """Whether a fresh book of the sid is awaited."""
        return sid in self._waiting

    def settle(self, ticker: str) -> None:
        """The market's snapshot came, or it is of no interest any more."""
        for sid, waiting in list(self._waiting.items()):
            waiting.discard(ticker)
            if not waiting:
                del self._waiting[sid]
                self._done.append(sid)

    def forget(self, sid: int) -> None:
        """The subscription is over."""
        self._waiting.pop(sid, None)
        self._since.pop(sid, None)

    def take_done(self, now: float) -> list[tuple[int, float]]:
        """(sid, seconds it took) of what was completed since the last call."""
        done, self._done = self._done, []
        return [(sid, now - self._since.pop(sid)) for sid in done if sid in self._since and sid not in self._waiting]
