"""Changes of markets, and the messages about them (protocol section 7). Pure.

The exchange sends no message when a market opens or closes at its time.
"""

import re
from random import Random

from gatherer.errors import GathererError
from gatherer.simulator.feed import wire
from gatherer.simulator.feed.publisher import Publisher
from gatherer.simulator.feed.wire import LIFECYCLE, MULTIVARIATE
from gatherer.simulator.markets.book import Book
from gatherer.simulator.markets.listing import DueMarkets, Listing, event_date
from gatherer.simulator.markets.market import OVER, SimulatedMarket, Status

SERIES = "KXSIM"
MULTIVARIATE_SERIES = "KXMVESIM"
_TICKER = re.compile(r"[A-Za-z0-9._-]{1,100}")


class LifecycleError(GathererError):
    """A script asked for a change that the market cannot make, or for an unknown market."""


def check_ticker(ticker: str) -> str:
    """Accept letters, digits, dots, dashes and underscores only: tickers go into JSON unescaped."""
    if not _TICKER.fullmatch(ticker):
        raise LifecycleError(f"not a ticker: {ticker!r}")
    return ticker


class MarketLifecycle:
    """One change a method. Unknown markets and impossible changes raise `LifecycleError`."""

    def __init__(self, listing: Listing, publisher: Publisher, random: Random) -> None:
        self._listing = listing
        self._publisher = publisher
        self._random = random
        self._due = DueMarkets()
        self._next_event = 0

    def list_initial(self, markets: int, unopened: int, multivariate: int) -> None:
        """List the first markets, ten for each event. No message is sent."""
        now = int(self._publisher.now)
        for first in range(0, markets, 10):
            close = now - now % 3600 + 86_400 + 3_600 * self._random.randrange(24 * 29)
            self._list_event(min(10, markets - first), now - 3_600, close, False)
        for first in range(0, unopened, 10):
            opens = now + 600 + 600 * self._random.randrange(36)
            self._list_event(min(10, unopened - first), opens, opens + 86_400, False)
        for first in range(0, multivariate, 10):
            self._list_event(min(10, multivariate - first), now - 3_600, now + 7 * 86_400, True)

    def _list_event(self, number: int, opens: int, closes: int, multivariate: bool) -> None:
        series = MULTIVARIATE_SERIES if multivariate else SERIES
        event = self._listing.event(self._event_name(closes, series), series, multivariate)
        now = int(self._publisher.now)
        for letter in "ABCDEFGHIJ"[:number]:
            status = Status.ACTIVE if opens <= now else Status.INITIALIZED
            market = self._listing.add(f"{event.ticker}-{letter}", event, status, min(now, opens), opens, closes)
            if status is Status.INITIALIZED:
                market.book = self._empty_book()
                self._due.add(opens, market)
            self._due.add(closes, market)

    def _event_name(self, closes: int, series: str) -> str:
        self._next_event += 1
        return f"{series}-{event_date(closes)}-{self._next_event:06d}"

    def _empty_book(self) -> Book:
        return Book(self._random.randrange(1_000, 9_100, 100))

    def find(self, ticker: str) -> SimulatedMarket:
        """The market with that ticker."""
        market = self._listing.get(ticker)
        if market is None:
            raise LifecycleError(f"no such market: {ticker}")
        return market

    def advance(self, now: float) -> None:
        """Open and close the markets that are due. No message is sent, but deltas empty the books of closed markets."""
        self._publisher.now = now
        for market in self._due.pop(now):
            if market.status is Status.INITIALIZED and market.open_ts <= now:
                self._listing.set_status(market, Status.ACTIVE)
            if market.status in (Status.ACTIVE, Status.INACTIVE) and market.close_ts <= now:
                self._close(market)

    def create(
        self, open_in: float, close_in: float, multivariate: bool, ticker: str | None, event_ticker: str | None
    ) -> SimulatedMarket:
        """List a new market, and its event if that is new, and announce both."""
        if close_in <= open_in:
            raise LifecycleError(f"a market must close after it opens: {open_in} s, {close_in} s")
        now = self._publisher.now
        opens, closes = int(now + open_in), int(now + close_in)
        series = MULTIVARIATE_SERIES if multivariate else SERIES
        if ticker is not None and self._listing.get(check_ticker(ticker)) is not None:
            raise LifecycleError(f"the market exists already: {ticker}")
        name = event_ticker or (ticker.rpartition("-")[0] if ticker else "") or self._event_name(closes, series)
        event = self._listing.event(check_ticker(name), name.partition("-")[0], multivariate)
        market = self._listing.add(
            ticker or self._free_ticker(name), event, Status.INITIALIZED, int(now), opens, closes
        )
        market.book = self._empty_book()
        self._announce_created(market, len(event.markets) == 1)
        self._due.add(opens, market)
        self._due.add(closes, market)
        self.advance(now)
        return market

    def _free_ticker(self, event: str) -> str:
        number = len(self._listing.events[event].markets)
        while self._listing.get(f"{event}-M{number}") is not None:
            number += 1
        return f"{event}-M{number}"

    def _announce_created(self, market: SimulatedMarket, with_event: bool) -> None:
        self._announce(market, "created", wire.created(market))
        if with_event:
            channel = MULTIVARIATE if market.event.multivariate else LIFECYCLE
            self._publisher.publish(channel, "event_lifecycle", wire.event_created(market.event))

    def open(self, ticker: str) -> None:
        """Open an unopened market now."""
        market = self._in(ticker, Status.INITIALIZED)
        market.open_ts = int(self._publisher.now)
        self._listing.set_status(market, Status.ACTIVE)

    def close(self, ticker: str) -> None:
        """Close a market now. The only messages are the deltas of the cancelled orders."""
        market = self._in(ticker, Status.ACTIVE, Status.INACTIVE)
        market.close_ts = int(self._publisher.now)
        self._close(market)

    def pause(self, ticker: str) -> None:
        """`deactivated`: no trading until `resume`, and the resting orders are cancelled."""
        market = self._in(ticker, Status.ACTIVE)
        self._listing.set_status(market, Status.INACTIVE)
        self._announce(market, "deactivated", {"is_deactivated": True})
        self._cancel_orders(market)

    def resume(self, ticker: str) -> None:
        """`activated`. The book is empty then."""
        market = self._in(ticker, Status.INACTIVE)
        self._listing.set_status(market, Status.ACTIVE)
        self._announce(market, "activated", {"is_deactivated": False})

    def move_close(self, ticker: str, ts: float) -> None:
        """`close_date_updated`. A closed market whose close moves into the future reopens, with `activated`."""
        market = self._in(ticker, Status.INITIALIZED, Status.ACTIVE, Status.INACTIVE, Status.CLOSED)
        market.close_ts = int(ts)
        self._announce(market, "close_date_updated", {"close_ts": market.close_ts})
        if market.status is Status.CLOSED and ts > self._publisher.now:
            self._listing.set_status(market, Status.ACTIVE)
            self._announce(market, "activated", {"is_deactivated": False})
        self._due.add(market.close_ts, market)
        self.advance(self._publisher.now)

    def determine(self, ticker: str, result: str | None = None) -> None:
        """`determined`. A market that still trades is closed first, with `close_date_updated`."""
        market = self._in(ticker, Status.ACTIVE, Status.INACTIVE, Status.CLOSED)
        if market.status is not Status.CLOSED:
            self.move_close(ticker, self._publisher.now)
        market.result = result or self._random.choice(("yes", "no"))
        self._listing.set_status(market, Status.DETERMINED)
        value = "1.0000" if market.result == "yes" else "0.0000"
        facts = {"determination_ts": int(self._publisher.now), "result": market.result, "settlement_value": value}
        self._announce(market, "determined", facts)

    def settle(self, ticker: str) -> None:
        """`settled`, the last change. It can come without `determined`, as on the exchange."""
        market = self._in(ticker, Status.ACTIVE, Status.INACTIVE, Status.CLOSED, Status.DETERMINED)
        if market.status in (Status.ACTIVE, Status.INACTIVE):
            market.close_ts = int(self._publisher.now)
            self._close(market)
        market.settled_ts = int(self._publisher.now)
        self._listing.set_status(market, Status.FINALIZED)
        self._announce(market, "settled", {"settled_ts": market.settled_ts})

    def announce_metadata(self, ticker: str) -> None:
        """`metadata_updated`, with the values that the market has."""
        self._announce(self.find(ticker), "metadata_updated", {"strike_type": "custom", "yes_sub_title": "Yes"})

    def announce_price_levels(self, ticker: str) -> None:
        """`price_level_structure_updated`, with the values that the market has."""
        self._announce(self.find(ticker), "price_level_structure_updated", wire.price_levels())

    def override_fee(self, event_ticker: str, multiplier: float | None) -> None:
        """`event_fee_update`: set the fee of an event, or clear it with None."""
        event = self._listing.events.get(event_ticker)
        if event is None:
            raise LifecycleError(f"no such event: {event_ticker}")
        self._publisher.publish(LIFECYCLE, "event_fee_update", wire.fee_update(event, multiplier))

    def _in(self, ticker: str, *statuses: Status) -> SimulatedMarket:
        market = self.find(ticker)
        if market.status not in statuses:
            raise LifecycleError(f"{ticker} is {market.status}, not {' or '.join(statuses)}")
        return market

    def _close(self, market: SimulatedMarket) -> None:
        self._listing.set_status(market, Status.CLOSED)
        self._cancel_orders(market)

    def _cancel_orders(self, market: SimulatedMarket) -> None:
        """Empty the book, with a burst of deltas to its holders (protocol section 7)."""
        assert market.status not in OVER
        book = self._publisher.own_book(market)
        for side in ("yes", "no"):
            for price, count in list(book.side(side).items()):
                self._publisher.change_level(market, side, price, -count)

    def _announce(self, market: SimulatedMarket, event_type: str, facts: wire.Json) -> None:
        market.updated_ts = int(self._publisher.now)
        channel = MULTIVARIATE if market.event.multivariate else LIFECYCLE
        if self._publisher.has_audience(channel):
            self._publisher.publish(channel, channel, wire.lifecycle(market.ticker, event_type, facts))

    def churn(self) -> None:
        """One random change of a random market."""
        kind = self._random.choices(("create", "pause", "resume", "move", "end"), (40, 15, 15, 10, 20))[0]
        if kind == "create":
            self.create(60.0 * self._random.random(), 120.0 + 3_600.0 * self._random.random(), False, None, None)
            return
        status = Status.INACTIVE if kind == "resume" else Status.ACTIVE
        indexes = self._listing.with_status(status)
        if not indexes:
            return
        ticker = self._listing.markets[indexes[int(self._random.random() * len(indexes))]].ticker
        if kind == "end":
            self.determine(ticker)
            self.settle(ticker)
        elif kind == "move":
            self.move_close(ticker, self._publisher.now + 60 + 3_600 * self._random.random())
        elif kind == "pause":
            self.pause(ticker)
        else:
            self.resume(ticker)
