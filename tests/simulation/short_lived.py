"""The 15-minute markets of a day: each must be carried from its first second, unless nobody could know of it."""

from random import Random
from typing import Any

from gatherer.simulator.markets.market import Status
from tests.simulation.fault_schedule import LIFECYCLE, Event

QUARTER = 900.0
MAX_LATE = 1.0
"""Seconds after its opening in which a market must be carried."""
OLDEST_ROWS = 505.0
"""The oldest rows with which REST answers, with the exchange's own delay."""


class ShortLivedMarkets:
    """Two open at every quarter of an hour. One is announced by an event minutes before. The other is created in
    silence an hour or more before, and only REST lists it."""

    def __init__(self, random: Random, day: Any, begin: float, end: float) -> None:
        self._random = random
        self._day = day
        self._begin = begin
        self._end = end
        self._sessions: dict[str, list[Any]] = {}
        self.carried = 0
        """Markets that were carried within `MAX_LATE` of their opening."""
        self.unknown = 0
        """Markets that were unknown for a good reason when they opened."""
        self.faults: list[str] = []

    def events(self) -> list[Event]:
        """In order: markets are created, open, and are checked."""
        found: list[Event] = []
        opens = self._begin - self._begin % QUARTER + 2 * QUARTER
        while opens + MAX_LATE < self._end:
            for is_silent, ahead in (
                (False, self._random.uniform(5.0, 840.0)),
                (True, self._random.uniform(3600, 7200)),
            ):
                kind = "silent" if is_silent else "announced"
                ticker = f"KXSIM15M-{int(opens)}-{kind}"
                created = max(self._begin, opens - ahead)
                found.append(Event(created, f"{kind} {ticker}", self._creating(ticker, opens, is_silent)))
                found.append(Event(opens + MAX_LATE, f"{ticker} is open", self._checking(ticker, created)))
            opens += QUARTER
        return sorted(found, key=lambda event: event.at)

    def _creating(self, ticker: str, opens: float, is_silent: bool) -> Any:
        def create() -> None:
            exchange = self._day.exchange
            if is_silent:
                self._create_silently(ticker, int(opens))
                return
            listening = [client.session for client in self._day._legs() if client.session is not None]
            self._sessions[ticker] = [
                session for session in listening if not session.is_half_open and session.on_channel(LIFECYCLE)
            ]
            opens_in = int(opens) - exchange.now
            exchange.create_market(opens_in, opens_in + QUARTER, ticker=ticker)

        return create

    def _create_silently(self, ticker: str, opens: int) -> None:
        exchange = self._day.exchange
        listing, lifecycle, now = exchange.listing, exchange._lifecycle, int(exchange.now)
        event = listing.event(ticker.rpartition("-")[0] + "-S", "KXSIM15M")
        market = listing.add(ticker, event, Status.INITIALIZED, now, opens, opens + int(QUARTER))
        market.book = lifecycle._empty_book()
        for moment in (market.open_ts, market.close_ts):
            lifecycle._due.add(moment, market)

    def _checking(self, ticker: str, created: float) -> Any:
        def check() -> None:
            day = self._day
            if day.status_of(ticker) is not Status.ACTIVE:
                return
            if ticker in day.registry.active() and day.manager.carries(ticker):
                self.carried += 1
            elif reason := self._must_be_known(ticker, created):
                self.faults.append(f"{ticker} opened and is not carried: {reason}")
            else:
                self.unknown += 1
                day.tell(f"{ticker} opened and is unknown: created {day.clock.seconds() - created:.0f} s ago")

        return check

    def _must_be_known(self, ticker: str, created: float) -> str:
        """Why the registry must know a market; empty text if it need not."""
        day = self._day
        if (facts := day.registry.describe(ticker)) is not None:
            return f"it is {facts}"
        if any(client.session in self._sessions.get(ticker, ()) for client in day._legs()):
            return "a lifecycle connection had its event"
        status = day.registry.status()
        if status.last_sync is not None and status.last_sync - status.reconcile_duration > created + OLDEST_ROWS:
            return "a walk must have listed it"
        return ""
