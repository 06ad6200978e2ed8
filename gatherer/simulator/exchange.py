"""The whole exchange in one object: no reactor, no sockets, no clock of its own. Pure.

Time is what `advance` is told, chance is the seed; so a test holds all of it in its hand,
and the same calls give the same bytes.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from gatherer.simulator.feed.commands import execute
from gatherer.simulator.feed.faults import Faults
from gatherer.simulator.feed.lifecycle import MarketLifecycle
from gatherer.simulator.feed.publisher import Limits, Publisher, Scheduler
from gatherer.simulator.feed.session import Send, Session
from gatherer.simulator.feed.traffic import Traffic
from gatherer.simulator.markets.listing import Listing
from gatherer.simulator.markets.market import Market, Status
from gatherer.simulator.markets.status import ExchangeState
from gatherer.simulator.rest.api import RestApi


class Exchange:
    """Markets, sessions, market data and faults.

    `markets` of the listed markets trade from the start; `unopened` ones open within hours;
    `multivariate` ones are combinations, on top of `markets`. `churn` is lifecycle changes a
    second. `clock` is needed for what takes time (late replies, big batches in chunks); without
    one everything is done at once.
    """

    def __init__(
        self,
        markets: int = 5000,
        seed: int = 1,
        now: float = 0.0,
        *,
        unopened: int = 0,
        multivariate: int = 10,
        churn: float = 0.0,
        clock: Scheduler | None = None,
        limits: Limits | None = None,
    ) -> None:
        random = Random(seed)
        self.listing = Listing()
        self.sessions: dict[int, Session] = {}
        """Open sessions by id. Ids count the client connections from 1."""
        self._last_session = 0
        self._floor = Publisher(self.listing, self.sessions, random, now, clock, limits or Limits())
        self._script = MarketLifecycle(self.listing, self._floor, random)
        self._traffic = Traffic(self._floor, random)
        self._script.list_initial(markets, unopened, multivariate)
        self._churn = churn
        self._churned = 0.0
        self.operation = ExchangeState()
        """Whether the exchange is open and trading, as a whole and per shard."""
        self.catalogue = RestApi(self.listing, self._floor, self.operation)

    @property
    def faults(self) -> Faults:
        """Where failures are scripted."""
        return self._floor.faults

    @property
    def now(self) -> float:
        """Unix time in seconds, as `advance` was last told."""
        return self._floor.now

    @property
    def on_sent(self) -> Callable[[int, bytes], None] | None:
        """Called with (session id, payload) for every message written to a socket that is still open."""
        return self._floor.on_sent

    @on_sent.setter
    def on_sent(self, observer: Callable[[int, bytes], None] | None) -> None:
        self._floor.on_sent = observer

    def open_session(self, send: Send, **sockets: Any) -> Session:
        """A client has connected; what it is sent goes to `send`, one text message a call.

        Keyword arguments, all optional: `send_binary` (for garbage), `cut` (drop the socket),
        `crowded` (whether the socket is too full for more snapshots), `authenticated`.
        """
        self._last_session += 1
        session = Session(self._floor, self._last_session, self._execute, self._forget, send, **sockets)
        self.sessions[session.id] = session
        return session

    def _execute(self, session: Session, frame: bytes) -> None:
        execute(session, self._floor, frame)

    def _forget(self, session: Session) -> None:
        del self.sessions[session.id]

    def advance(self, now: float) -> None:
        """Let time pass: markets open and close, and churn happens."""
        elapsed = max(0.0, now - self._floor.now)
        self._script.advance(now)
        self._churned += elapsed * self._churn
        while self._churned >= 1.0:
            self._churned -= 1.0
            self._script.churn()

    def emit(self, count: int) -> int:
        """Let `count` random things happen on random active markets. Returns how many messages went to sockets.

        Nothing happens while trading is paused.
        """
        return self._traffic.emit(count) if self.operation.trades else 0

    def active_tickers(self) -> list[str]:
        """Every market that trades now, combinations included."""
        return self.listing.tickers(self.listing.with_status(Status.ACTIVE))

    def subscribed(self) -> dict[str, list[int]]:
        """Ticker to the ids of the sessions whose order book subscription names it, known to exist or not."""
        found: dict[str, list[int]] = {}
        for session in self.sessions.values():
            sub = session.on_channel("orderbook_delta")
            for ticker in () if sub is None else sub.markets:
                found.setdefault(ticker, []).append(session.id)
        return found

    def market(self, ticker: str) -> Market:
        """One market, to look at. Raises `ScriptError` when there is none."""
        return self._script.find(ticker)

    def book(self, ticker: str) -> tuple[dict[int, int], dict[int, int]]:
        """The exchange's own book: (yes, no), prices in 1/10000 dollar to counts in 1/100 contract."""
        book = self._floor.book(self._script.find(ticker))
        return dict(book.yes), dict(book.no)

    def create_market(
        self,
        open_in: float = 0.0,
        close_in: float = 3_600.0,
        *,
        multivariate: bool = False,
        ticker: str | None = None,
        event_ticker: str | None = None,
    ) -> str:
        """List a market that opens and closes in so many seconds, and say so (`created`). Returns its ticker."""
        return self._script.create(open_in, close_in, multivariate, ticker, event_ticker).ticker

    def open_market(self, ticker: str) -> None:
        """Open an unopened market now: no message."""
        self._script.open(ticker)

    def close_market(self, ticker: str) -> None:
        """Close a market now: no message but the deltas of the cancelled orders."""
        self._script.close(ticker)

    def pause_market(self, ticker: str) -> None:
        """`deactivated`."""
        self._script.pause(ticker)

    def resume_market(self, ticker: str) -> None:
        """`activated`, with an empty book."""
        self._script.resume(ticker)

    def move_close(self, ticker: str, ts: float) -> None:
        """`close_date_updated` to Unix time `ts`; reopens a closed market when that is in the future."""
        self._script.move_close(ticker, ts)

    def determine_market(self, ticker: str, result: str | None = None) -> None:
        """`determined`, `result` "yes" or "no" (random without one); closes the market first if it trades."""
        self._script.determine(ticker, result)

    def settle_market(self, ticker: str) -> None:
        """`settled`, with or without `determine_market` before."""
        self._script.settle(ticker)

    def cancel_delayed(self) -> None:
        """The exchange closes down: nothing is left to happen later."""
        self._floor.cancel_delayed()
