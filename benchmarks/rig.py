"""The real registry, manager, connections and sessions between stand-ins of the exchange, on a `TurnReactor`."""

import random
from collections.abc import Callable, Iterator
from time import time_ns
from typing import Any

from benchmarks.remote import RemoteExchange
from benchmarks.standins import BenchClient, BenchRest, LeanSession, NullRouter
from benchmarks.turns import TurnReactor
from gatherer.core.allocation import LeastLoaded
from gatherer.core.backoff import Backoff
from gatherer.core.layout import Slot, make_plan
from gatherer.exchange.connection import Connection
from gatherer.exchange.context import CommandSettings, ConnectionSettings, SessionContext
from gatherer.exchange.error_log import ErrorLog
from gatherer.pool.manager import ConnectionManager
from gatherer.registry.registry import MarketRegistry
from gatherer.values import Role

START = 1_801_000_000.0
"""Late January 2027: after the open times and before the close times of `BenchRest`."""
BOOKS, CAPACITY, BATCH = 144, 7_500, 500
OPEN_SECONDS = 60.0


class Rig:
    """A gatherer in memory. `exchange` is the simulator's core, or None for the lean stand-in."""

    def __init__(
        self, tickers: Callable[[], Iterator[str]], exchange: RemoteExchange | None, books: int = BOOKS
    ) -> None:
        self.reactor = TurnReactor(START)
        self.router = NullRouter()
        self.clients: dict[int, BenchClient] = {}
        self._exchange = exchange
        clock: Any = self.reactor
        self.registry = MarketRegistry(BenchRest(tickers, self.reactor), clock, time_ns)
        tools = SessionContext(
            self.router, ErrorLog(clock), clock, lambda: int(clock.seconds() * 1e9), CommandSettings(5.0), True
        )
        settings = ConnectionSettings(30.0, 10.0, BATCH, 30.0)
        plan = make_plan(2, 2, 2, books)
        books_ids = [slot.conn_id for slot in plan if slot.role is Role.ORDERBOOK]

        def make_connection(slot: Slot, owner: Any) -> Connection:
            def make_client(listener: Any) -> BenchClient:
                self.clients[slot.conn_id] = BenchClient(listener, self._open_session, clock)
                return self.clients[slot.conn_id]

            return Connection(slot, owner, make_client, make_command_backoff, tools, settings)

        def make_command_backoff() -> Backoff:
            return Backoff(1.0, 60.0, 2.0, 0.2, random.Random(1).random)

        self.manager = ConnectionManager(
            plan, make_connection, LeastLoaded(books_ids, CAPACITY), self.registry, clock, time_ns,
            capacity=CAPACITY, min_healthy=len(plan), start_timeout=OPEN_SECONDS,
        )  # fmt: skip
        self.books: list[Any] = [c for c in self.manager.connections() if c.role is Role.ORDERBOOK]

    def open(self) -> None:
        """Dial everything."""
        self.manager.startService()
        self.reactor.run_until(lambda: all(c.is_live for c in self.manager.connections()))

    def walk(self) -> None:
        """The registry reads the whole list and passes it to the manager."""
        walked = self.registry.start(self.manager)
        self.reactor.run_until(lambda: walked.called)

    def quiet(self) -> None:
        """Run turns until all wanted markets are held and have their books."""
        self.reactor.run_until(self._is_quiet)

    def close(self) -> None:
        """Stop. No timer may be left."""
        self.registry.stop()
        self.manager.stopService()
        assert not (left := len(self.reactor.getDelayedCalls())), f"{left} timers left"

    def _is_quiet(self) -> bool:
        with self.reactor.outside():
            return all(self.is_covered(book) for book in self.books)

    @staticmethod
    def is_covered(book: Any) -> bool:
        """Whether a connection holds what it should, with every book here."""
        figures = book.status()
        return figures.held == figures.wanted and not (figures.owed or figures.divergence)

    def _open_session(self, send: Callable[[bytes], None]) -> Any:
        with self.reactor.outside():
            return LeanSession(send) if self._exchange is None else self._exchange.open_session(send)
