"""Thursday, 03:00 to 05:00 in New York: nothing trades, REST is down, sockets may be lost, subscriptions must stay."""

from collections import defaultdict
from random import Random
from typing import Any

import msgspec

from gatherer.simulator.markets.market import Status
from tests.simulation.fault_schedule import Event

SETTLED_AFTER = 300.0
"""Seconds after the begin in which earlier events may still have effects."""
CHANGING = ("add_markets", "delete_markets")


class Maintenance:
    """The events of the maintenance, and the commands of each session during it.

    A session that survives may change only the markets that the registry changed, and the markets of lost
    connections. A new session may ask once for the markets that its connection wants.
    """

    def __init__(self, random: Random, day: Any, begin: float, end: float) -> None:
        self._day = day
        self._begin = begin
        self._end = end
        self._cuts = random.choice((0, 0, 5, 60, 150))
        self._refused = random.choice((0, 40, 400)) if self._cuts else 0
        self._exchange_down = random.random() < 0.5
        self._rest_down = random.random() < 0.7
        self._cut_at = begin + 400.0 + random.random() * 5000.0
        self._sessions: dict[int, Any] = {}
        self._carried: dict[int, set[str]] = {}
        self._asked: dict[tuple[int, int], list[str]] = defaultdict(list)
        self._down: set[int] = set()
        """Connections that were down at the begin. Their markets may move at any time."""
        self._watching = False

    def events(self) -> list[Event]:
        """In order."""
        return [
            Event(self._begin, "maintenance begins", self._start),
            Event(self._begin + SETTLED_AFTER, "maintenance is watched", self._watch),
            Event(self._cut_at, f"maintenance cuts {self._cuts}, refuses {self._refused}", self._cut),
            Event(self._end, "maintenance ends", self._finish),
        ]

    def _start(self) -> None:
        day, state = self._day, self._day.exchange.state
        day.calm()
        day.churn(0.0)
        state.trading_active = False
        state.exchange_active = not self._exchange_down
        day.rest.down = 503 if self._rest_down else None

    def _watch(self) -> None:
        day = self._day
        day.registry.recorder.changed.clear()
        for connection in day.manager.connections():
            conn_id = connection.conn_id
            self._sessions[conn_id] = day.clients[conn_id].session
            self._carried[conn_id] = set(connection.wanted)
            if not connection.is_live:
                self._down.add(conn_id)
        self._watching = True
        inner = day.wire.on_command

        def note(conn_id: int, payload: bytes) -> None:
            inner(conn_id, payload)
            if self._watching:
                self._note(conn_id, payload)

        day.wire.on_command = note

    def _cut(self) -> None:
        self._day.exchange.faults.refuse_upgrade(503, self._refused)
        self._day.exchange.faults.cut(self._cuts)

    def _note(self, conn_id: int, payload: bytes) -> None:
        command = msgspec.json.decode(payload)
        params = command["params"]
        if command["cmd"] == "subscribe" or params.get("action") in CHANGING:
            self._asked[conn_id, self._day.clients[conn_id].session.id] += params.get("market_tickers", [])

    def _finish(self) -> None:
        self._watching = False
        day, state = self._day, self._day.exchange.state
        faults = self._faults()
        day.calm()
        state.trading_active = state.exchange_active = True
        day.churn(day.size.churn)
        assert not faults, faults

    def _was_balanced(self, ticker: str, lost: set[int]) -> bool:
        """Whether a market moved to a connection that had come back empty."""
        moves = self._day.manager.explain(ticker)["moves"]
        return any(move["to"] in lost | self._down and "even out" in move["why"] for move in moves)

    def _faults(self) -> list[str]:
        day, found = self._day, []
        changed = set(day.registry.recorder.changed)
        lost = {conn_id for conn_id, session in self._sessions.items() if day.clients[conn_id].session is not session}
        moved = set[str]().union(*(self._carried[conn_id] for conn_id in lost | self._down))
        for (conn_id, session), tickers in self._asked.items():
            survivor = self._sessions[conn_id] is not None and self._sessions[conn_id].id == session
            strange = {ticker for ticker in set(tickers) - changed - moved if not self._was_balanced(ticker, lost)}
            if survivor and strange:
                found.append(f"maintenance: {conn_id} lost nothing and asked for {strange}")
            if len(tickers) != len(set(tickers)) and not set(tickers) & (changed | moved):
                found.append(f"maintenance: {conn_id} asked twice for the same")
        for ticker in changed:
            carried, trades = ticker in day.registry.recorder.reported, day.status_of(ticker) is Status.ACTIVE
            if carried != trades and day.status_of(ticker) is not Status.INACTIVE and not carried:
                found.append(f"maintenance: {ticker} trades and was dropped")
        return found
