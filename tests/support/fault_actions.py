"""The actions behind the rules of `tests.support.fault_machine`."""

from collections import Counter
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from gatherer.simulator.markets.market import Status

LIFECYCLE = "market_lifecycle_v2"
VERBS = {
    "open": ("open_market", (Status.INITIALIZED,)),
    "close": ("close_market", (Status.ACTIVE, Status.INACTIVE)),
    "pause": ("pause_market", (Status.ACTIVE,)),
    "resume": ("resume_market", (Status.INACTIVE,)),
    "determine": ("determine_market", (Status.ACTIVE, Status.INACTIVE, Status.CLOSED)),
    "settle": ("settle_market", (Status.ACTIVE, Status.CLOSED, Status.DETERMINED)),
}
"""Our word to the exchange's method, and the markets that it applies to."""


class FaultActions(RuleBasedStateMachine):
    """`hits` counts the faults that had an effect, over all examples."""

    def __init__(self, hits: Counter[str]) -> None:
        super().__init__()
        self.hits = hits
        self.service: Any = None
        self.last_disk = ""

    def _stop(self) -> None:
        """Stop. Some runs have messages on their way to a bad disk then."""
        if self.last_disk:
            self._exchange.emit(30)
            self.service.run(0.05)
        self.service.stop(self.last_disk)
        self.hits[f"stop with the disk {self.last_disk}"] += bool(self.last_disk)

    @property
    def _disk(self) -> Any:
        return self.service.capture

    def _rest(self) -> None:
        """End all faults. Soon everything must be right."""
        self._exchange.state.trading_active = True
        self.service.rest.latency = self.service.size.rest_latency
        admin = self.service.manager.admin
        for conn_id in admin.draining:
            admin.undrain(conn_id, "a test")
        left = self.service.settle()
        assert not left, left
        self.hits["settled"] += 1

    @property
    def _exchange(self) -> Any:
        return self.service.exchange

    def _with(self, *statuses: Status) -> list[str]:
        listing = self._exchange.listing
        tickers: list[str] = listing.tickers(listing.with_status(*statuses))
        return tickers

    def _begin_walk(self) -> None:
        """Wait until a walk runs: 30 s at most, the least time between two walks."""
        registry = self.service.registry
        registry.lifecycle_missed()
        for _ in range(200):
            if registry._walks.busy:
                break
            self.service.run(0.25)

    def _befall(self, verb: str, place: int) -> None:
        method, statuses = VERBS[verb]
        tickers = self._with(*statuses)
        if tickers:
            getattr(self._exchange, method)(tickers[place % len(tickers)])
            self.hits[verb] += 1

    def _provoke(self, adds: bool) -> None:
        """Make the service send commands within the next milliseconds."""
        if adds:
            for _ in range(3):
                self._exchange.create_market(0, 5000)
            return
        for ticker in self._with(Status.ACTIVE)[:4]:
            self._exchange.settle_market(ticker)

    def _meet(self, name: str, queue: str, adds: bool) -> None:
        """Send commands into the prepared fault."""
        before = len(getattr(self._exchange.faults, queue))
        self._provoke(adds)
        self.service.run(0.1)
        self.hits[name] += before - len(getattr(self._exchange.faults, queue))

    def _disturb(self, name: str, queue: str, traffic: int) -> None:
        before = len(getattr(self._exchange.faults, queue))
        self._exchange.emit(traffic)
        self.service.run(0.05)
        self.hits[name] += before - len(getattr(self._exchange.faults, queue))

    def _break(self, fault: str, conn_id: int, when: str) -> None:
        session, faults = self.service.session_of(conn_id), self._exchange.faults
        channel = self.service.channel_of(conn_id)
        name, _, code = fault.partition(" ")
        if session is None or session.is_closed:
            return
        if name in ("cut", "half_open"):
            getattr(faults, name)(session=session.id)
        elif session.on_channel(channel) is None:
            return
        elif name == "unsubscribed":
            faults.unsubscribed(session=session.id, channel=channel)
        else:
            faults.terminate(int(code), session=session.id, channel=channel)
        self.hits[fault + when] += 1
