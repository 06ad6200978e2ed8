"""Looking over the shoulder of a gatherer: what its registry tells, which bugs it logs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogLevel
from zope.interface import implementer

from gatherer.core.messages import Change, MarketChange
from gatherer.interfaces import IMarketChangeListener
from gatherer.registry.registry import MarketRegistry


@implementer(IMarketChangeListener)
class Tap:
    """Between registry and manager: what was told has to be what the registry says is active."""

    def __init__(self, manager: Any, registry: Any) -> None:
        self._manager = IMarketChangeListener(manager)
        self._registry = registry
        self.told: set[str] = set()
        self.counts: Counter[Change] = Counter()
        self.changed: set[str] = set()
        """Tickers of all changes since somebody last emptied it."""
        self.faults: list[str] = []

    def markets_changed(self, changes: Sequence[MarketChange]) -> None:
        for change in changes:
            self.counts[change.change] += 1
            self.changed.add(change.ticker)
            if (change.change is Change.ADD) == (change.ticker in self.told):
                self.faults.append(f"{change} although told is {change.ticker in self.told}")
            (self.told.discard if change.change is Change.REMOVE else self.told.add)(change.ticker)
        active = self._registry.active()
        for ticker in {change.ticker for change in changes}:
            if (ticker in self.told) != (ticker in active):
                self.faults.append(f"{ticker} is told {ticker in self.told}, active {ticker in active}")
        self._manager.markets_changed(changes)

    def differences(self) -> Iterator[str]:
        """The same for all markets, not only those that just changed."""
        active = set(self._registry.active())
        if self.told != active:
            yield f"told and active differ by {self.told ^ active}"


class WatchedRegistry(MarketRegistry):
    """The real one, with a `Tap` on what it tells."""

    tap: Tap

    def start(self, listener: Any) -> Deferred[int]:
        self.tap = Tap(listener, self)
        return super().start(self.tap)


@implementer(ILogObserver)
class BugWatch:
    """Failures that were logged: each is a bug of ours."""

    def __init__(self) -> None:
        self.bugs: list[str] = []

    def __call__(self, event: dict[str, Any]) -> None:
        if event.get("log_level") is LogLevel.critical and "log_failure" in event:
            self.bugs.append(event["log_failure"].getTraceback())
