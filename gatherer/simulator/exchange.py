"""The whole exchange in one object: no reactor, no sockets, no clock of its own. Pure.

`advance` sets the time and the seed decides everything random, so the same calls give the same bytes.
"""

from collections.abc import Callable
from random import Random

from gatherer.simulator.feed.commands import execute
from gatherer.simulator.feed.faults import Faults
from gatherer.simulator.feed.lifecycle import MarketLifecycle
from gatherer.simulator.feed.publisher import Limits, Publisher, Scheduler
from gatherer.simulator.feed.session import ClientSession, Send
from gatherer.simulator.feed.traffic import Traffic
from gatherer.simulator.markets.listing import Listing
from gatherer.simulator.markets.market import SimulatedMarket, Status
from gatherer.simulator.markets.status import ExchangeState
from gatherer.simulator.rest.api import RestApi


class Exchange:
    """Markets, sessions, market data and faults.

    `markets` are active from the start; `unopened` ones open within hours; `multivariate` ones are combinations, on top
    of `markets`. `churn` is lifecycle changes a second. `clock` is needed for late replies and big batches in parts;
    without a clock everything happens at once.
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
        self.sessions: dict[int, ClientSession] = {}
        """Open sessions by id. Ids count the client connections from 1."""
        self._last_session = 0
        self._publisher = Publisher(self.listing, self.sessions, random, now, clock, limits or Limits())
        self._lifecycle = MarketLifecycle(self.listing, self._publisher, random)
        self._traffic = Traffic(self._publisher, random)
        self._lifecycle.list_initial(markets, unopened, multivariate)
        self._churn = churn
        self._churn_due = 0.0
        self.state = ExchangeState()
        """Whether the exchange is open and trading, as a whole and for each shard."""
        self.rest = RestApi(self.listing, self._publisher, self.state)

    @property
    def faults(self) -> Faults:
        """Scripts failures."""
        return self._publisher.faults

    @property
    def now(self) -> float:
        """Unix time in seconds, as set by `advance`."""
        return self._publisher.now

    @property
    def on_sent(self) -> Callable[[int, bytes], None] | None:
        """Called with (session id, payload) for each message written to an open socket."""
        return self._publisher.on_sent

    @on_sent.setter
    def on_sent(self, observer: Callable[[int, bytes], None] | None) -> None:
        self._publisher.on_sent = observer

    def open_session(
        self,
        send: Send,
        send_binary: Send | None = None,
        cut: Callable[[], None] | None = None,
        crowded: Callable[[], bool] | None = None,
        authenticated: bool = True,
    ) -> ClientSession:
        """A client has connected. `send` gets its messages, one a call; for the rest see `ClientSession`."""
        self._last_session += 1
        session = ClientSession(
            self._publisher,
            self._last_session,
            self._execute,
            self._forget,
            send,
            send_binary,
            cut,
            crowded,
            authenticated,
        )
        self.sessions[session.id] = session
        return session

    def _execute(self, session: ClientSession, frame: bytes) -> None:
        execute(session, self._publisher, frame)

    def _forget(self, session: ClientSession) -> None:
        del self.sessions[session.id]

    def advance(self, now: float) -> None:
        """Move the time on: markets open and close, and random lifecycle changes happen."""
        elapsed = max(0.0, now - self._publisher.now)
        self._lifecycle.advance(now)
        self._churn_due += elapsed * self._churn
        while self._churn_due >= 1.0:
            self._churn_due -= 1.0
            self.churn()

    def churn(self) -> None:
        """Make one random lifecycle change of a random market."""
        self._lifecycle.churn()

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something after some seconds, or at once if there is no clock. `cancel_delayed` cancels it."""
        self._publisher.later(seconds, action)

    def emit(self, count: int) -> int:
        """Make `count` random events on active markets. Returns the number of messages sent.

        Nothing happens while trading is paused.
        """
        return self._traffic.emit(count) if self.state.trades else 0

    def change_book(self, ticker: str) -> int:
        """Make one random change of a market's book. Returns the number of messages sent."""
        return self._traffic.change(self._lifecycle.find(ticker))

    def active_tickers(self) -> list[str]:
        """The tickers of all active markets, combinations included."""
        return self.listing.tickers(self.listing.with_status(Status.ACTIVE))

    def subscribed(self) -> dict[str, list[int]]:
        """Ticker to the ids of the sessions whose order book subscription names it, unknown tickers included."""
        found: dict[str, list[int]] = {}
        for session in self.sessions.values():
            sub = session.on_channel("orderbook_delta")
            for ticker in () if sub is None else sub.markets:
                found.setdefault(ticker, []).append(session.id)
        return found

    def market(self, ticker: str) -> SimulatedMarket:
        """One market, to look at. Raises `LifecycleError` for an unknown ticker."""
        return self._lifecycle.find(ticker)

    def book(self, ticker: str) -> tuple[dict[int, int], dict[int, int]]:
        """The exchange's own book: (yes, no), prices in 1/10000 dollar to counts in 1/100 contract."""
        book = self._publisher.book(self._lifecycle.find(ticker))
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
        """List a market that opens and closes in so many seconds, and announce it (`created`). Returns its ticker."""
        return self._lifecycle.create(open_in, close_in, multivariate, ticker, event_ticker).ticker

    def open_market(self, ticker: str) -> None:
        """Open an unopened market now. No message is sent."""
        self._lifecycle.open(ticker)

    def close_market(self, ticker: str) -> None:
        """Close a market now. The only messages are the deltas of the cancelled orders."""
        self._lifecycle.close(ticker)

    def pause_market(self, ticker: str) -> None:
        """`deactivated`."""
        self._lifecycle.pause(ticker)

    def resume_market(self, ticker: str) -> None:
        """`activated`, with an empty book."""
        self._lifecycle.resume(ticker)

    def move_close(self, ticker: str, ts: float) -> None:
        """`close_date_updated` to Unix time `ts`. A closed market reopens if that is in the future."""
        self._lifecycle.move_close(ticker, ts)

    def determine_market(self, ticker: str, result: str | None = None) -> None:
        """`determined`, with `result` "yes" or "no", random by default. Closes the market first if it trades."""
        self._lifecycle.determine(ticker, result)

    def settle_market(self, ticker: str) -> None:
        """`settled`, with or without `determine_market` before."""
        self._lifecycle.settle(ticker)

    def announce_metadata(self, ticker: str) -> None:
        """`metadata_updated`. Nothing changes."""
        self._lifecycle.announce_metadata(ticker)

    def announce_price_levels(self, ticker: str) -> None:
        """`price_level_structure_updated`. Nothing changes."""
        self._lifecycle.announce_price_levels(ticker)

    def override_fee(self, event_ticker: str, multiplier: float | None) -> None:
        """`event_fee_update`: set the fee of an event, or clear it with None."""
        self._lifecycle.override_fee(event_ticker, multiplier)

    def cancel_delayed(self) -> None:
        """The exchange closes down: cancel everything that is due later."""
        self._publisher.cancel_delayed()
