"""The names of the channels, and the bytes of every message (protocol sections 3 and 5). Pure.

Frequent messages are put together as text, for speed; rare ones go through an encoder. Tickers are plain ASCII without
quotes (`lifecycle.check_ticker`), so they need no escaping.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from gatherer.simulator.markets.book import DOLLAR, Book, dollars, fixed
from gatherer.simulator.markets.market import PRICE_LEVEL_STRUCTURE, PRICE_RANGES, SimulatedEvent, SimulatedMarket
from gatherer.simulator.markets.trades import SimulatedTrade

Json = dict[str, Any]
"""A JSON object: its values have many types."""
encode = msgspec.json.encode
"""Compact JSON."""

BOOKS = "orderbook_delta"
TICKER = "ticker"
TRADE = "trade"
LIFECYCLE = "market_lifecycle_v2"
MULTIVARIATE = "multivariate_market_lifecycle"
MARKET_CHANNELS = frozenset((BOOKS, TICKER, TRADE))
"""Channels whose subscriptions can name markets."""
PUBLIC_CHANNELS = frozenset((BOOKS, TICKER, TRADE, LIFECYCLE, MULTIVARIATE))
PRIVATE_CHANNELS = frozenset(("fill", "user_orders", "market_positions", "order_group_updates", "communications"))
"""Channels of an account. Clients cannot trade here, so these accept subscriptions and send nothing."""
UNNUMBERED = frozenset((TICKER, "fill", "market_positions", "user_orders"))
"""Channels whose data messages have no seq (protocol section 4); their control messages have one."""

BOOK_SIDES = {"yes": "bid", "no": "ask"}
"""The side of the book on which a taker of an outcome trades."""
ERRORS = {
    1: "Unable to process message",
    2: "Params required",
    3: "Channels required",
    4: "Subscription IDs required",
    5: "Unknown command",
    7: "Unknown subscription ID",
    8: "Unknown channel name",
    9: "Authentication required",
    10: "Channel error",
    11: "Invalid parameter",
    12: "Exactly one subscription ID is required",
    13: "Unsupported action",
    14: "Market Ticker required",
    15: "Action required",
    18: "Command timeout",
    25: "Subscription buffer overflow",
    26: "Subscription market limit exceeded",
    27: "Too many requests",
}
"""Code to text (protocol section 3, "Errors")."""
TERMINAL = frozenset((10, 25))
"""Codes after which the subscription is over."""


def reply(
    command_id: int | None,
    kind: str,
    msg: Json | list[Json] | None = None,
    sid: int | None = None,
    seq: int | None = None,
) -> bytes:
    """A control message. Fields that are None are left out."""
    fields: Json = {"id": command_id, "type": kind, "sid": sid, "seq": seq, "msg": msg}
    return encode({key: value for key, value in fields.items() if value is not None})


def error(command_id: int | None, code: int, text: str = "", sid: int | None = None, seq: int | None = None) -> bytes:
    """An error. It has a seq if it has a sid."""
    return reply(command_id, "error", {"code": code, "msg": text or ERRORS.get(code, "Error")}, sid, seq)


def snapshot(market: SimulatedMarket, ladders: str, sid: int, seq: int, command_id: int | None = None) -> bytes:
    """A whole book. It has the command's id if it answers `get_snapshot`."""
    asked = "" if command_id is None else f'"id":{command_id},'
    return (
        f'{{{asked}"type":"orderbook_snapshot","sid":{sid},"seq":{seq},"msg":{{"market_ticker":"{market.ticker}",'
        f'"market_id":"{market.market_id}"{ladders}}}}}'
    ).encode()


def delta_body(market: SimulatedMarket, side: str, price: int, delta: int, stamp: str) -> str:
    """One changed level. `stamp` is the JSON text of the two times."""
    return (
        f'{{"market_ticker":"{market.ticker}","market_id":"{market.market_id}","price_dollars":"{dollars(price)}",'
        f'"delta_fp":"{fixed(delta)}","side":"{side}",{stamp}}}'
    )


def trade_body(trade: SimulatedTrade) -> str:
    """One trade. `taker_side` is deprecated and still required."""
    taker, price, ms = trade.taker, trade.price, trade.ms
    return (
        f'{{"trade_id":"{trade.trade_id}","market_ticker":"{trade.market.ticker}",'
        f'"yes_price_dollars":"{dollars(price)}","no_price_dollars":"{dollars(DOLLAR - price)}",'
        f'"count_fp":"{fixed(trade.quantity)}","taker_side":"{taker}","taker_outcome_side":"{taker}",'
        f'"taker_book_side":"{BOOK_SIDES[taker]}","is_block_trade":false,"ts":{ms // 1000},"ts_ms":{ms}}}'
    )


def quote(book: Book) -> tuple[int, int, int, int]:
    """The best yes bid, its count, the best yes ask, its count. An empty side gives 0 or a dollar, with count 0."""
    bid = max(book.yes, default=0)
    no_bid = max(book.no, default=0)
    return bid, book.yes.get(bid, 0), DOLLAR - no_bid, book.no.get(no_bid, 0)


def ticker_body(market: SimulatedMarket, book: Book, ms: int, time: str) -> str:
    """The figures of one market."""
    bid, bid_count, ask, ask_count = quote(book)
    return (
        f'{{"market_ticker":"{market.ticker}","market_id":"{market.market_id}","price_dollars":"{dollars(book.last)}",'
        f'"yes_bid_dollars":"{dollars(bid)}","yes_ask_dollars":"{dollars(ask)}","yes_bid_size_fp":"{fixed(bid_count)}",'
        f'"yes_ask_size_fp":"{fixed(ask_count)}","last_trade_size_fp":"{fixed(book.last_count)}",'
        f'"volume_fp":"{fixed(book.volume)}","open_interest_fp":"{fixed(book.volume // 2)}",'
        f'"dollar_volume":{book.volume // 200},"dollar_open_interest":{book.volume // 400},'
        f'"ts":{ms // 1000},"ts_ms":{ms},"time":"{time}"}}'
    )


def data(kind: str, sid: int, seq: int | None, body: str) -> bytes:
    """A data message of one subscription."""
    number = "" if seq is None else f'"seq":{seq},'
    return f'{{"type":"{kind}","sid":{sid},{number}"msg":{body}}}'.encode()


def lifecycle(ticker: str, event_type: str, facts: Json) -> str:
    """The body of a market's lifecycle message."""
    return encode({"market_ticker": ticker, "event_type": event_type, **facts}).decode()


def created(market: SimulatedMarket) -> Json:
    """What a `created` message says of a market. The one of a multivariate market has no price ranges."""
    levels = {"price_level_structure": PRICE_LEVEL_STRUCTURE} if market.event.multivariate else price_levels()
    return {
        "open_ts": market.open_ts,
        "close_ts": market.close_ts,
        "exchange_index": 0,
        **levels,
        "additional_metadata": {
            "name": market.ticker,
            "title": market.title,
            "yes_sub_title": "Yes",
            "no_sub_title": "No",
            "rules_primary": market.rules,
            "rules_secondary": "",
            "can_close_early": True,
            "event_ticker": market.event.ticker,
            "expected_expiration_ts": market.expected_expiration_ts,
            "strike_type": "custom",
        },
    }


def price_levels() -> Json:
    """What lifecycle messages say of the prices that orders may have."""
    return {"price_level_structure": PRICE_LEVEL_STRUCTURE, "price_ranges": PRICE_RANGES}


def event_created(event: SimulatedEvent) -> str:
    """The body of `event_lifecycle`."""
    body: Json = {"event_ticker": event.ticker, "series_ticker": event.series, "title": f"Simulated {event.ticker}"}
    more = {"subtitle": "It cannot be traded", "collateral_return_type": "", "exchange_index": 0}
    return encode(body | more).decode()


def fee_update(event: SimulatedEvent, multiplier: float | None) -> str:
    """The body of `event_fee_update`. None clears the override."""
    kind = None if multiplier is None else "quadratic"
    body: Json = {"event_ticker": event.ticker, "fee_type_override": kind, "fee_multiplier_override": multiplier}
    return encode(body).decode()


def subscriptions(pairs: Sequence[tuple[str, int]]) -> list[Json]:
    """The body of the answer to `list_subscriptions`, made of (channel, sid) pairs."""
    return [{"channel": channel, "sid": sid} for channel, sid in pairs]
