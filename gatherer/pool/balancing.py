"""Keeps the order book connections equally busy: looks at their figures and moves a few markets at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import exp

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from gatherer.core.balance import Balancer, Budget, Load
from gatherer.core.market_rates import MarketRates
from gatherer.core.wire.codec import decode_ticker
from gatherer.errors import NoCapacity
from gatherer.interfaces import IConnection
from gatherer.pool.placement import MAX_DOWN_SHARE, Placement

SAMPLE_SECONDS = 0.5
"""Between two looks at the latest read of each connection."""
BALANCE_SECONDS = 5.0
"""Between two decisions. Rates need some seconds to follow what was moved."""
MEASURE_SECONDS = 20.0
"""Rates are measured for so long before the first decision."""
SMOOTHING_SECONDS = 10.0
"""Time after which 63 % of a change of a connection's rate are counted."""
MAX_SAMPLED = 64
"""Messages of a read that are looked at."""
_DELTA = b'"orderbook_delta"'
MAX_MOVING = 1_000
"""Markets on the move at a time: each is carried twice until its book is there."""


class PoolBalancer:
    """Decides nothing itself: `Balancer` does. Off while the pool has worse things to do."""

    _log = Logger()

    def __init__(
        self,
        connections: Mapping[int, IConnection],
        placement: Placement,
        clock: IReactorTime,
        paused: Callable[[], bool],
        batch: int,
        share: float,
    ) -> None:
        """`connections` are those for order books by id; `paused` says whether an operator holds back the commands;
        `batch` and `share` as in the settings, a share of 0 turns it off."""
        self._connections = connections
        self._placement = placement
        self._clock = clock
        self._paused = paused
        self._share = share
        self._balancer = Balancer(batch)
        self._began = clock.seconds()
        self._budget = Budget(share, self._began)
        self.rates = MarketRates(self._began)
        self._meters = {conn_id: _Meter() for conn_id in connections}
        self._next_decision = self._began + MEASURE_SECONDS
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to measure, and to move markets once that says something."""
        if self._share and len(self._connections) > 1 and self._call is None:
            self._next_decision = self._clock.seconds() + MEASURE_SECONDS
            self._call = self._clock.callLater(SAMPLE_SECONDS, self._look)

    def stop(self) -> None:
        """No timer is left."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    # -- looks ----------------------------------------------------------------------------------

    def _look(self) -> None:
        now = self._clock.seconds()
        self._call = self._clock.callLater(SAMPLE_SECONDS, self._look)
        for conn_id, connection in self._connections.items():
            read = self._meters[conn_id].look(connection, now)
            if read is not None:
                payloads, messages = read
                tickers = [ticker for data in payloads[:MAX_SAMPLED] if (ticker := _ticker_of(data))]
                self.rates.note(tickers, messages, now)
        if now >= self._next_decision:
            self._next_decision = now + BALANCE_SECONDS
            self._decide(now)

    def _decide(self, now: float) -> None:
        loads = list(self._loads())
        budget = self._budget.refill(sum(load.markets for load in loads), now)
        if self._is_off():
            return
        budget = min(budget, MAX_MOVING - self._placement.twice)
        moves = self._balancer.moves(loads, self._busiest, self._quietest, budget)
        made = 0
        for move in moves:
            source = self._connections[move.source]
            try:
                self._placement.move(move.ticker, source, move.target, move.reason)
            except NoCapacity:
                continue
            made += 1
        self._budget.spend(made)
        if made:
            self._log.info(
                "{count} markets move {reason}", count=made, reason=moves[0].reason.text(moves[0].source)
            )  # fmt: skip

    def _is_off(self) -> bool:
        """While connections are missing or markets have no place, moving others makes it worse."""
        placement = self._placement
        return placement.is_busy or self._paused() or placement.down_share() > MAX_DOWN_SHARE

    def _loads(self) -> Iterator[Load]:
        for conn_id, connection in self._connections.items():
            if connection.is_live and conn_id not in self._placement.draining:
                yield Load(
                    conn_id,
                    self._placement.load(conn_id),
                    self._meters[conn_id].rate,
                    self._placement.capacity(conn_id),
                )

    def _busiest(self, conn_id: int) -> Iterable[tuple[str, float]]:
        connection, now = self._connections[conn_id], self._clock.seconds()
        return [
            (ticker, rate)
            for ticker, rate in self.rates.ranked(connection.wanted, now)
            if self._placement.can_move(ticker, connection)
        ]

    def _quietest(self, conn_id: int) -> Iterator[str]:
        connection, now = self._connections[conn_id], self._clock.seconds()
        known = self.rates.ranked(connection.wanted, now)
        busy = {ticker for ticker, _ in known}
        for ticker in list(connection.wanted):
            if ticker not in busy and self._placement.can_move(ticker, connection):
                yield ticker
        for ticker, _ in reversed(known):
            if self._placement.can_move(ticker, connection):
                yield ticker


def _ticker_of(data: bytes) -> str:
    """The market whose book a message changes, "" for any other message."""
    return decode_ticker(data) if _DELTA in data[:64] else ""


class _Meter:
    """The rate of one connection, from its counters."""

    __slots__ = ("_at", "_messages", "_read_at", "rate")

    def __init__(self) -> None:
        self.rate = 0.0
        """Changes of books a second, smoothed."""
        self._at: float | None = None
        self._messages = 0
        self._read_at = 0

    def look(self, connection: IConnection, now: float) -> tuple[list[bytes], int] | None:
        """The latest read and how many messages it stands for, if there was one since the last look."""
        messages, then = connection.changes(), self._at
        new = max(0, messages - self._messages)
        self._at, self._messages = now, messages
        if then is None or now <= then:
            return None
        weight = 1.0 - exp(-(now - then) / SMOOTHING_SECONDS)
        self.rate += (new / (now - then) - self.rate) * weight
        read = connection.latest_read()
        if read is None or not new or read[1] == self._read_at:
            return None
        self._read_at = read[1]
        return read[0], new
