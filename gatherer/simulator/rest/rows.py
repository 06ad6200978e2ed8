"""Markets and books in the form of REST (protocol section 6). Pure."""

from datetime import UTC, datetime

from gatherer.simulator.feed.wire import BOOK_SIDES, Json, quote
from gatherer.simulator.markets.book import DOLLAR, Book, dollars, fixed, levels
from gatherer.simulator.markets.market import OVER, PRICE_LEVEL_STRUCTURE, PRICE_RANGES, SimulatedMarket
from gatherer.simulator.markets.trades import SimulatedTrade


def when(ts: float) -> str:
    """Unix seconds as RFC 3339 text."""
    return datetime.fromtimestamp(int(ts), UTC).isoformat()[:-6] + "Z"


def market_row(market: SimulatedMarket, book: Book) -> Json:
    """One market object."""
    row = _names(market) | _times(market) | _figures(book) | _rules(market)
    if market.event.multivariate:
        row |= {"mve_collection_ticker": market.event.series, "mve_selected_legs": []}
    if market.status in OVER:
        row["settlement_value_dollars"] = "1.0000" if market.result == "yes" else "0.0000"
    if market.settled_ts:
        row["settlement_ts"] = when(market.settled_ts)
    return row


def _names(market: SimulatedMarket) -> Json:
    return {
        "ticker": market.ticker,
        "event_ticker": market.event.ticker,
        "market_type": "binary",
        "title": market.title,
        "subtitle": "",
        "yes_sub_title": "Yes",
        "no_sub_title": "No",
        "status": market.status.value,
        "result": market.result,
        "exchange_index": 0,
    }


def _times(market: SimulatedMarket) -> Json:
    last = when(market.close_ts + 7 * 86_400)
    return {
        "created_time": when(market.created_ts),
        "updated_time": when(market.updated_ts),
        "open_time": when(market.open_ts),
        "close_time": when(market.close_ts),
        "expected_expiration_time": when(market.expected_expiration_ts),
        "expiration_time": last,
        "latest_expiration_time": last,
        "settlement_timer_seconds": 60,
    }


def _figures(book: Book) -> Json:
    bid, bid_count, ask, ask_count = quote(book)
    last, volume = dollars(book.last), fixed(book.volume)
    return {
        "yes_bid_dollars": dollars(bid),
        "yes_ask_dollars": dollars(ask),
        "no_bid_dollars": dollars(DOLLAR - ask),
        "no_ask_dollars": dollars(DOLLAR - bid),
        "yes_bid_size_fp": fixed(bid_count),
        "yes_ask_size_fp": fixed(ask_count),
        "last_price_dollars": last,
        "previous_yes_bid_dollars": dollars(book.middle - 100),
        "previous_yes_ask_dollars": dollars(book.middle + 100),
        "previous_price_dollars": last,
        "notional_value_dollars": "1.0000",
        "volume_fp": volume,
        "volume_24h_fp": volume,
        "open_interest_fp": fixed(book.volume // 2),
        "liquidity_dollars": "0.0000",  # no longer specified, but kalshi-sdk 22.4 refuses a page without it
    }


def _rules(market: SimulatedMarket) -> Json:
    return {
        "can_close_early": True,
        "is_provisional": False,
        "settlement_bounds_type": "default",
        "price_level_structure": PRICE_LEVEL_STRUCTURE,
        "price_ranges": PRICE_RANGES,
        "strike_type": "custom",
        "rules_primary": market.rules,
        "rules_secondary": "",
        "expiration_value": "",
    }


def trade_row(trade: SimulatedTrade) -> Json:
    """One trade. `taker_side` is deprecated."""
    created = datetime.fromtimestamp(trade.ms / 1000, UTC).isoformat(timespec="microseconds")[:-6]
    return {
        "trade_id": trade.trade_id,
        "ticker": trade.market.ticker,
        "count_fp": fixed(trade.quantity),
        "yes_price_dollars": dollars(trade.price),
        "no_price_dollars": dollars(DOLLAR - trade.price),
        "taker_side": trade.taker,
        "taker_outcome_side": trade.taker,
        "taker_book_side": BOOK_SIDES[trade.taker],
        "created_time": created + "Z",
        "is_block_trade": False,
    }


def orderbook(book: Book, depth: int) -> Json:
    """Bids of both sides, ascending; depth 0 means all."""
    return {"yes_dollars": levels(book.yes, depth=depth), "no_dollars": levels(book.no, depth=depth)}
