"""One day of the whole service, 150 connections, in virtual time: drawn from a seed, and checked every hour."""

import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from gatherer.core.backoff import Backoff
from gatherer.exchange.websocket.dialing import DialPacer
from gatherer.simulator.markets.market import Status
from gatherer.values import Change, Marker, RawMessage
from tests.simulation.fault_schedule import LIFECYCLE, Event, FaultSchedule, first_day, maintenance
from tests.simulation.maintenance import Maintenance
from tests.simulation.short_lived import ShortLivedMarkets
from tests.support.audit import Auditor
from tests.support.catalogue_rest import ListingRest
from tests.support.disk_router import DiskRouter
from tests.support.memory_client import Heart, Wire
from tests.support.memory_service import MemoryService, Size

HOUR = 3600.0
HEARTBEAT = 25.0
"""Seconds between the exchange's pings. The exchange uses 10. The watchdog's limit is 30, so it works the same with 25,
and 150 sockets still get half a million pings a day."""
QUIET = 2 * HOUR
"""At the end of the day, without faults and changes of markets."""
EVENTS_PER_HOUR = 6


class DigestingAuditor(Auditor):
    """Compares, and makes a digest of everything. Two runs of a seed give the same digest."""

    digest = 0

    def __init__(self, keep: DiskRouter, trace: Callable[[str], None]) -> None:
        super().__init__(keep)
        self._trace = trace

    def deliver(self, batch: list[RawMessage]) -> int:
        for record in batch:
            self.digest = zlib.crc32(record.data, self.digest)
        return super().deliver(batch)

    def mark(self, marker: Marker) -> int:
        text = f"conn {marker.conn_id}: {marker.kind} {marker.facts}"
        self.digest = zlib.crc32(text.encode(), self.digest)
        self._trace(text)
        return super().mark(marker)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a day. It passed if there are no faults."""

    seed: int
    faults: list[str]
    figures: dict[str, int]
    digest: int


class Day(MemoryService):
    """`run_all` runs the day. `hours` below 24 makes a quick test."""

    def __init__(self, seed: int, hours: float = 24.0, trace: Callable[[float, str], None] | None = None) -> None:
        self._random = Random(seed)
        self._hours = hours
        self._trace = trace
        start = first_day(self._random)
        self._maintenance = maintenance(start)
        self._short_lived = ShortLivedMarkets(self._random, self, start + 60.0, start + hours * HOUR - QUIET)
        self.commands: Counter[str] = Counter()
        balance_share = 0.05 if seed % 4 == 1 else 0.0  # its looks at all connections make a day five times as long
        size = Size(
            balance_share=balance_share,
            markets=2500, unopened=200, multivariate=20, churn=0.02, books=144, pairs=2, capacity=7500,
            batch_size=500, latency=0.03, rest_latency=0.4, page_size=1000, reconcile_interval=900.0, seed=seed,
            start=start,
        )  # fmt: skip
        super().__init__(size)

    # -- the parts -----------------------------------------------------------------------------

    def make_router(self) -> DigestingAuditor:
        self.capture = DiskRouter(self.clock, buffer_messages=600, buffer_bytes=200_000)
        return DigestingAuditor(self.capture, self.tell)

    def make_rest(self) -> ListingRest:
        return ListingRest(self.exchange, self.clock, self.size.rest_latency, self.size.page_size)

    def make_wire(self) -> Wire:
        wire = super().make_wire()
        wire.heart = Heart(self.clock, HEARTBEAT)
        wire.pacer = DialPacer(self.clock, 10.0)
        wire.on_command = self._asked
        return wire

    def make_backoff(self) -> Backoff:
        return Backoff(1.0, 300.0, 2.0, 0.2, self._random.random)

    def make_command_backoff(self) -> Backoff:
        return Backoff(1.0, 60.0, 2.0, 0.2, self._random.random)

    def tell(self, text: str) -> None:
        """Write a line to the trace."""
        if self._trace is not None:
            self._trace(self.clock.seconds() - self.size.start, text)

    # -- the day -------------------------------------------------------------------------------

    def run_all(self) -> Outcome:
        """From the first dial to the last timer."""
        faults: list[str] = []
        try:
            faults += self._whole_day()
            self.stop()
        except AssertionError as error:
            faults.append(f"{error}")
        digest = self.router.digest
        return Outcome(self.size.seed, faults, self._figures(), digest)

    def _whole_day(self) -> list[str]:
        self.start()
        end = self.size.start + self._hours * HOUR - QUIET
        events = deque(sorted([*self._events(end), *self._short_lived.events()], key=lambda event: event.at))
        while self.clock.seconds() < end:
            until = min(end, self.clock.seconds() + 60.0)
            while events and events[0].at <= until:
                event = events.popleft()
                self.run(max(0.0, event.at - self.clock.seconds()))
                self.tell(f"*** {event.text}")
                event.act()
            self.run(max(0.0, until - self.clock.seconds()))
            self.traffic(10)
            if until % HOUR < 60.0 and (faults := self.faults()):
                return faults
        return [*self._short_lived.faults, *self._quiet()]

    def _events(self, end: float) -> list[Event]:
        """All events, without other faults around the maintenance."""
        schedule = FaultSchedule(self._random, self)
        begin = self.size.start + 60.0
        if self._maintenance is None or self._maintenance[1] >= end:
            return schedule.events(begin, end, int(EVENTS_PER_HOUR * (end - begin) / HOUR))
        first, last = self._maintenance
        before = schedule.events(begin, first - 1800.0, int(EVENTS_PER_HOUR * (first - begin) / HOUR))
        after = schedule.events(last + 1800.0, end, int(EVENTS_PER_HOUR * (end - last) / HOUR))
        return [*before, *Maintenance(self._random, self, first, last).events(), *after]

    def _quiet(self) -> list[str]:
        self.tell("*** quiet")
        self.churn(0.0)
        self.rest.latency = self.size.rest_latency
        self.exchange.state.trading_active = self.exchange.state.exchange_active = True
        self.calm()
        self.run(QUIET / 2)
        return self.settle(QUIET / 2)

    def _figures(self) -> dict[str, int]:
        router, counts = self.router, self.registry.recorder.counts
        return {
            "messages": router.messages, "commands": self.commands.total(), "adds": counts[Change.ADD],
            "removes": counts[Change.REMOVE], "sockets lost": router.markers["session_down"],
            "gaps": router.markers["gap"], "ends": router.markers["terminal_error"],
            "REST requests": self.rest.requests, "records dropped": self.capture.losses,
            "short-lived markets in time": self._short_lived.carried, "unknown": self._short_lived.unknown,
        }  # fmt: skip

    def _asked(self, conn_id: int, payload: bytes) -> None:
        self.commands[payload.split(b'"cmd":"', 1)[1].split(b'"', 1)[0].decode()] += 1

    # -- what the schedule does ----------------------------------------------------------------

    def churn(self, per_second: float) -> None:
        """Set how many markets change by themselves."""
        self.exchange._churn = per_second

    def traffic(self, number: int) -> None:
        """Send market data."""
        self.exchange.emit(number)

    def list_markets(self, number: int) -> None:
        """Many new markets at once, open within a minute, for an hour or more."""
        for _ in range(number):
            self.exchange.create_market(self._random.choice((0, 0, 30)), self._random.choice((1800, 7200, 90_000)))

    def change_markets(self, number: int) -> None:
        """Markets change at random, all in this moment."""
        for _ in range(number):
            self.exchange.churn()

    def double_replies(self) -> None:
        """Each connection gets its next reply twice."""
        self.wire.duplicate[:] = list(self.clients)

    def drain(self, conn_id: int, seconds: float) -> None:
        """An operator drains a connection and gives it back later."""
        admin = self.manager.admin
        if conn_id not in admin.draining:
            admin.drain(conn_id, "the schedule")
            self.later(seconds, lambda: admin.undrain(conn_id, "the schedule"))

    def lose_events(self) -> None:
        """Cut the lifecycle connections, and change markets."""
        for client in self._legs():
            if client.session is not None and not client.session.is_closed:
                self.exchange.faults.cut(session=client.session.id)
        self.change_markets(20)

    def rest_down(self, seconds: float) -> None:
        """Every request fails for a while."""
        self.rest.down = 503
        self.later(seconds, lambda: setattr(self.rest, "down", None))

    def rest_odd(self, number: int, status: int, seconds: float) -> None:
        """REST cannot tell some markets for a while: lists lack them, and their own requests fail."""
        active = self.exchange.active_tickers()
        odd = dict.fromkeys((active[self._random.randrange(len(active))] for _ in range(number)), status)
        self.rest.odd.update(odd)
        self.later(seconds, lambda: [self.rest.odd.pop(ticker, None) for ticker in odd])

    def break_listener(self) -> None:
        """The pool fails in the middle of the next changes of markets."""
        self.registry.recorder.failing = 1
        self.list_markets(15)

    def rest_stale(self, seconds: float, times: int) -> None:
        """Later REST answers with the rows of now."""
        self.rest.remember()
        self.later(seconds, lambda: self.rest.answer_from_memory(times))

    def spoil_disk(self, how: str, seconds: float) -> None:
        """The capture cannot be written for a while."""
        self.capture.spoil(how)
        self.later(seconds, self.capture.heal)

    def pause_trading(self, seconds: float) -> None:
        """The whole exchange pauses."""
        self.exchange.state.trading_active = False
        self.later(seconds, lambda: setattr(self.exchange.state, "trading_active", True))

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Call later on the exchange's side. Its stop cancels the call."""
        self.exchange.later(seconds, act)

    def _legs(self) -> Iterator[Any]:
        for connection in self.manager.connections():
            if connection.role.channel == LIFECYCLE:
                yield self.clients[connection.conn_id]

    def status_of(self, ticker: str) -> Status:
        """The status of a market on the exchange."""
        return self.exchange.market(ticker).status
