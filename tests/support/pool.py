"""The whole pool in memory: real manager, connections and sessions, against the simulated exchange, on a clock."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from msgspec.structs import asdict
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from gatherer.core.allocation import LeastLoaded
from gatherer.core.backoff import Backoff
from gatherer.core.histograms import Measurements
from gatherer.core.layout import Slot, make_plan
from gatherer.exchange.connection import Connection
from gatherer.exchange.context import CommandSettings, ConnectionSettings, SessionContext
from gatherer.exchange.error_log import ErrorLog
from gatherer.interfaces import IMarketRegistry, RegistryStatus
from gatherer.pool.manager import ConnectionManager
from gatherer.router.memory import MemoryRouter
from gatherer.simulator.exchange import Exchange
from gatherer.values import Change, Marker, MarketChange, RawMessage, Role
from tests.support.memory_client import Heart, MemoryClient, Wire

START = 1_800_000_000.0
HEARTBEAT = 10.0


@implementer(IMarketRegistry)
class FakeRegistry:
    """Remembers the calls."""

    def __init__(self) -> None:
        self.lifecycle: list[bytes] = []
        self.missed = 0
        self.silent: list[str] = []

    def start(self, listener: Any) -> Deferred[int]:
        return succeed(0)

    def stop(self) -> Deferred[None]:
        return succeed(None)

    def lifecycle_messages(self, batch: list[bytes]) -> None:
        self.lifecycle += batch

    def lifecycle_missed(self) -> None:
        self.missed += 1

    def clock_stepped(self) -> None:
        pass

    def market_missed(self, ticker: str) -> None:
        self.silent.append(ticker)

    def active(self) -> frozenset[str]:
        return frozenset()

    def describe(self, ticker: str) -> dict[str, Any]:
        return {"ticker": ticker, "status": "active"}

    def status(self) -> RegistryStatus:
        return RegistryStatus(
            markets_total=0, active_markets=0, lifecycle_events={}, unknown_statuses={}, reconcile_duration=None,
            reconcile_interval=300.0, rest_errors={}, last_sync=None, exchange_active=None, trading_active=None,
            shards=[],
        )  # fmt: skip


class Pool:
    """One exchange, one manager, one clock. `step` lets a moment pass, `settle` waits until it is quiet."""

    def __init__(
        self, books: int = 3, markets: int = 30, capacity: int = 7500, batch_size: int = 500, on_gap: str = "snapshot",
        pairs: int = 1, min_healthy: int = 1, owed_deadline: float = 30.0, rehome_after: float = 0.0,
        balance_share: float = 0.0,
    ) -> None:  # fmt: skip
        self.clock = self.make_clock()
        self.clock_error = 0.0
        """Seconds by which our wall clock is ahead of the truth."""
        self.exchange = self.make_exchange(markets)
        self.router = self.make_router()
        self.registry = self.make_registry()
        self.wire = self.make_wire()
        self.clients: dict[int, MemoryClient] = {}
        self.meters = Measurements()
        self._tools = SessionContext(
            self.router, ErrorLog(self.clock), self.clock, self.wall,
            CommandSettings(5.0), on_gap == "snapshot", measurements=self.meters,
        )  # fmt: skip
        self._settings = ConnectionSettings(30.0, 10.0, batch_size, owed_deadline)
        plan = make_plan(pairs, pairs, pairs, books)
        ids = [slot.conn_id for slot in plan if slot.role is Role.ORDERBOOK]
        self.allocator = LeastLoaded(ids, capacity)
        self.manager = ConnectionManager(
            plan, self._make_connection, self.allocator, self.registry, self.clock, self.wall,
            capacity=capacity, min_healthy=min_healthy, start_timeout=60.0, rehome_after=rehome_after,
            balance_share=balance_share,
        )  # fmt: skip

    def wall(self) -> int:
        """Unix time in ns, as our own wall clock has it."""
        return int((self.clock.seconds() + self.clock_error) * 1e9)

    # -- the parts, to be overridden -----------------------------------------------------------

    def make_clock(self) -> Any:
        """Virtual time."""
        clock = Clock()
        clock.advance(START)
        return clock

    def make_exchange(self, markets: int) -> Exchange:
        """The other side."""
        return Exchange(markets, seed=7, now=START, multivariate=0, clock=self.clock)

    def make_router(self) -> Any:
        """The router of the records."""
        return MemoryRouter()

    def make_registry(self) -> Any:
        """The registry of the markets to carry."""
        return FakeRegistry()

    def make_wire(self) -> Wire:
        """The network between both sides."""
        return Wire(self.clock, self.exchange, Heart(self.clock, HEARTBEAT))

    def make_command_backoff(self) -> Backoff:
        """Waits after a command that failed."""
        return Backoff(1.0, 60.0, 2.0, 0.0, lambda: 0.5)

    def make_backoff(self) -> Backoff:
        """Waits before a redial."""
        return Backoff(1.0, 300.0, 2.0, 0.0, lambda: 0.5)

    def _make_connection(self, slot: Slot, owner: Any) -> Connection:
        def make_client(listener: Any) -> MemoryClient:
            self.clients[slot.conn_id] = MemoryClient(slot.conn_id, listener, self.wire, self.make_backoff())
            return self.clients[slot.conn_id]

        return Connection(slot, owner, make_client, self.make_command_backoff, self._tools, self._settings)

    # -- time --------------------------------------------------------------------------------

    def step(self, seconds: float = 0.0) -> None:
        """Run everything that is due now, then everything within `seconds`."""
        end = self.clock.seconds() + seconds
        for _ in range(100_000):
            calls = [call.getTime() for call in self.clock.getDelayedCalls()]
            due = min(calls, default=end + 1)
            if due > end:
                break
            self.clock.advance(max(0.0, due - self.clock.seconds()))
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def start(self) -> "Pool":
        """Dial everything."""
        self.manager.startService()
        self.step()
        return self

    def stop(self) -> None:
        """Stop. No call may be left on the clock."""
        self.manager.stopService()
        self.exchange.cancel_delayed()
        self.step()
        left = self.clock.getDelayedCalls()
        assert left == [], left

    # -- what can be done ----------------------------------------------------------------------

    def add(self, tickers: Iterable[str]) -> None:
        """The registry adds these markets."""
        self.manager.markets_changed([MarketChange(ticker, Change.ADD) for ticker in tickers])

    def remove(self, tickers: Iterable[str]) -> None:
        """The registry removes these markets."""
        self.manager.markets_changed([MarketChange(ticker, Change.REMOVE) for ticker in tickers])

    def refresh(self, tickers: Iterable[str]) -> None:
        """The registry asks for fresh books of these markets."""
        self.manager.markets_changed([MarketChange(ticker, Change.REFRESH) for ticker in tickers])

    @property
    def tickers(self) -> list[str]:
        """The exchange's active markets."""
        return self.exchange.active_tickers()

    # -- what can be seen ----------------------------------------------------------------------

    def session_of(self, conn_id: int) -> Any:
        """The simulator's end of a connection."""
        return self.clients[conn_id].session

    def subscribed(self) -> dict[str, int]:
        """The exchange's subscriptions: ticker to the number of sessions that carry it."""
        return {ticker: len(sessions) for ticker, sessions in self.exchange.subscribed().items()}

    def markers(self, kind: str) -> list[Marker]:
        """Markers of a kind, in order."""
        return [r for r in self.router.records if isinstance(r, Marker) and r.kind == kind]

    def messages(self) -> list[RawMessage]:
        """Everything forwarded."""
        return self.router.messages()

    def gaps(self) -> list[int]:
        """Sizes of the gaps in the messages."""
        return [message.gap_size for message in self.messages() if message.seq_gap]

    def sums(self) -> Counter[str]:
        """The counters of all connections, added up."""
        total: Counter[str] = Counter()
        for status in self.manager.status().connections:
            total.update({key: value for key, value in asdict(status).items() if isinstance(value, int)})
        return total
