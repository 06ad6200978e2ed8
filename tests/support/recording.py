"""Records of a running gatherer: the changes that its registry reports, and the bugs that it logs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogLevel
from zope.interface import implementer

from gatherer.interfaces import IMarketChangeListener
from gatherer.registry.registry import MarketRegistry
from gatherer.values import Change, MarketChange


class PlannedFailure(Exception):
    """The listener of the registry fails, because the test wants it."""


@implementer(IMarketChangeListener)
class ChangeRecorder:
    """Sits between registry and manager. The reported markets must be the registry's active markets."""

    def __init__(self, manager: Any, registry: Any) -> None:
        self._manager = IMarketChangeListener(manager)
        self._registry = registry
        self.reported: set[str] = set()
        self.counts: Counter[Change] = Counter()
        self.changed: set[str] = set()
        """Tickers of all changes since a test last cleared it."""
        self.faults: list[str] = []
        self.failing = 0
        """So many of the next calls fail when half of their changes are done."""

    def markets_changed(self, changes: Sequence[MarketChange]) -> None:
        if self.failing:
            self.failing -= 1
            self._note(changes[: len(changes) // 2])
            raise PlannedFailure
        self._note(changes)
        active = self._registry.active()
        for ticker in {change.ticker for change in changes}:
            if (ticker in self.reported) != (ticker in active):
                self.faults.append(f"{ticker} is reported {ticker in self.reported}, active {ticker in active}")

    def carries(self, ticker: str) -> bool:
        return self._manager.carries(ticker)

    def carried(self) -> Iterator[str]:
        return self._manager.carried()

    def _note(self, changes: Sequence[MarketChange]) -> None:
        for change in changes:
            self.counts[change.change] += 1
            self.changed.add(change.ticker)
            if (change.change is Change.ADD) == (change.ticker in self.reported):
                self.faults.append(f"{change} although reported is {change.ticker in self.reported}")
            (self.reported.discard if change.change is Change.REMOVE else self.reported.add)(change.ticker)
        self._manager.markets_changed(changes)

    def differences(self) -> Iterator[str]:
        """The same check for all markets."""
        active = set(self._registry.active())
        if self.reported != active:
            yield f"reported and active differ by {self.reported ^ active}"


class RecordedRegistry(MarketRegistry):
    """The real registry, with a `ChangeRecorder` for its changes."""

    recorder: ChangeRecorder

    def start(self, listener: Any) -> Deferred[int]:
        self.recorder = ChangeRecorder(listener, self)
        return super().start(self.recorder)


@implementer(ILogObserver)
class LoggedBugs:
    """Logged failures. Each is a bug of ours, except for planned ones."""

    def __init__(self) -> None:
        self.bugs: list[str] = []

    def __call__(self, event: dict[str, Any]) -> None:
        failure = event.get("log_failure") if event.get("log_level") is LogLevel.critical else None
        if failure is not None and failure.check(PlannedFailure) is None:
            self.bugs.append(failure.getTraceback())
