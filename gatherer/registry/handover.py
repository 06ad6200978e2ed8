"""The registry's changes on their way to the listener, and the repair of what the listener lost."""

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from itertools import chain

from twisted.logger import Logger

from gatherer.interfaces import IMarketChangeListener
from gatherer.values import Change, MarketChange

COMPARED = 2000
"""Markets compared in one reactor turn: some milliseconds."""

NAMED = 5
"""Tickers that a log line names as examples."""


class Handover:
    """Passes changes to the listener. The listener must carry the active markets, whatever it raises."""

    _log = Logger()

    def __init__(self, active: Set[str]) -> None:
        self._active = active
        self._listener: IMarketChangeListener | None = None
        self.repaired = 0
        """Markets that the listener had lost, or had kept, and that were passed on once more."""

    def begin(self, listener: IMarketChangeListener) -> None:
        """From now on it gets the changes, and first all that is active already."""
        self._listener = IMarketChangeListener(listener)
        self.pass_on([MarketChange(ticker, Change.ADD) for ticker in self._active])

    def end(self) -> None:
        """The listener gets nothing any more."""
        self._listener = None

    def pass_on(self, changes: Sequence[MarketChange]) -> None:
        """Pass changes on. If the listener fails, find out which of them it lost, and pass those on one by one."""
        if not changes or self._listener is None:
            return
        try:
            self._listener.markets_changed(changes)
        except Exception:  # a broken listener must not end the walk that feeds it
            self._log.failure("the listener failed on {count} market changes", count=len(changes))
            self._pass_on_again(self._listener, changes)

    def compare(self) -> Iterator[None]:
        """Compare all markets with the listener's, and repair. Yields after each `COMPARED` markets."""
        if (listener := self._listener) is None:
            return
        repaired: dict[str, Change] = {}
        lost = ((ticker, not listener.carries(ticker)) for ticker in self._active)
        kept = ((ticker, ticker not in self._active) for ticker in listener.carried())
        for done, (ticker, differs) in enumerate(chain(lost, kept), 1):
            difference = self._difference(listener, ticker) if differs and ticker not in repaired else None
            if difference is not None:
                repaired[ticker] = difference
                self._repair(listener, MarketChange(ticker, difference))
            if done % COMPARED == 0:
                yield
        if repaired:
            counts = Counter(repaired.values())
            self._log.error(
                "registry and connections differed: {added} markets were not carried, {removed} were carried and are "
                "over; among them {tickers}",
                added=counts[Change.ADD],
                removed=counts[Change.REMOVE],
                tickers=", ".join(list(repaired)[:NAMED]),
            )

    def _pass_on_again(self, listener: IMarketChangeListener, changes: Sequence[MarketChange]) -> None:
        refreshed = {change.ticker for change in changes if change.change is Change.REFRESH}
        lost = 0
        for ticker in dict.fromkeys(change.ticker for change in changes):
            difference = self._difference(listener, ticker)
            if difference is None and ticker in refreshed and ticker in self._active:
                difference = Change.REFRESH  # a second one costs one more book
            if difference is not None:
                lost += not self._repair(listener, MarketChange(ticker, difference))
        if lost:
            self._log.error("{lost} of these changes fail again: the next walk repeats them", lost=lost)

    def _difference(self, listener: IMarketChangeListener, ticker: str) -> Change | None:
        """The change that the listener lacks."""
        is_active = ticker in self._active
        if is_active == listener.carries(ticker):
            return None
        return Change.ADD if is_active else Change.REMOVE

    def _repair(self, listener: IMarketChangeListener, change: MarketChange) -> bool:
        """Pass one change on; whether the listener took it. A failure must not keep the others from being repaired."""
        try:
            listener.markets_changed([change])
        except Exception as error:
            self._log.debug("{change} failed again: {error!r}", change=change, error=error)
            return False
        self.repaired += change.change is not Change.REFRESH
        return True
