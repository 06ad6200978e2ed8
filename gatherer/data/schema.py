"""The tables that `gatherer tables` writes: names, columns, types and what each column says. Pure.

`docs/tables.md` is made from this, and a test holds every written file against it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

PRICE = "DECIMAL(18,4)"
COUNT = "DECIMAL(18,2)"
TIME = "TIMESTAMP WITH TIME ZONE"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `type` is DuckDB's name of it."""

    name: str
    type: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table. A file holds its columns in this order."""

    name: str
    text: str
    columns: tuple[Column, ...]
    order: str
    """What the rows of one file are sorted by."""


MARKET = Column("market_ticker", "VARCHAR", "the market")
TS = Column("ts", "BIGINT", "the exchange's time of the message, Unix ms; NULL if it gave none")
RECEIVED = (
    Column("received_at", TIME, "when gatherer read the message, whole microseconds"),
    Column("received_ns", "BIGINT", "the same, exact: Unix ns"),
)
ORIGIN = (
    Column("gatherer", "VARCHAR", "the capture that the row was taken from"),
    Column("conn_id", "INTEGER", "the connection within that gatherer"),
    Column("session", "BIGINT", "when that connection's session opened, Unix ns; 0 if the capture does not say"),
    Column("sid", "BIGINT", "subscription within the session"),
    Column("seq", "BIGINT", "number within the subscription; NULL for channels without numbers"),
    Column("segment", "VARCHAR", "file name of the segment that holds the message"),
    Column("line", "BIGINT", "line of that segment, from 1"),
)
TAIL = (TS, *RECEIVED, *ORIGIN)
SIDE = Column("side", "VARCHAR", "`yes` or `no`")
BEST = tuple(
    Column(f"{side}_{what}{size}", COUNT if size else PRICE, text.format(side=side))
    for side in ("yes", "no")
    for what, size, text in (
        ("bid", "", "best bid of {side}; NULL if there is none"),
        ("bid", "_size", "contracts at it"),
        ("ask", "", "best ask of {side}: 1 less the best bid of the other side"),
        ("ask", "_size", "contracts at it"),
    )
)
BY_TIME = "market_ticker, received_ns, segment, line"

TABLES = (
    Table("trades", "Each trade once.", (
        Column("trade_id", "VARCHAR", "the exchange's name of the trade"), MARKET,
        Column("yes_price", PRICE, "price of yes, dollars"), Column("no_price", PRICE, "price of no, dollars"),
        Column("count", COUNT, "contracts"),
        Column("taker_outcome_side", "VARCHAR", "`yes` or `no`"),
        Column("taker_book_side", "VARCHAR", "`bid` or `ask`"),
        Column("is_block_trade", "BOOLEAN", "agreed outside of the book"),
        Column("copies", "BIGINT", "connections that brought it, as far as known when the row was written"), *TAIL,
    ), BY_TIME),
    Table("tickers", "Each ticker message once; one that a connection sent twice is here twice.", (
        MARKET, Column("price", PRICE, "price of the last trade, dollars"),
        Column("yes_bid", PRICE, "best bid of yes"), Column("yes_ask", PRICE, "best ask of yes"),
        Column("yes_bid_size", COUNT, "contracts at the bid"), Column("yes_ask_size", COUNT, "contracts at the ask"),
        Column("last_trade_size", COUNT, "contracts of the last trade"), Column("volume", COUNT, "contracts traded"),
        Column("open_interest", COUNT, "contracts held"), Column("dollar_volume", COUNT, "dollars traded"),
        Column("dollar_open_interest", COUNT, "dollars held"), *TAIL,
    ), BY_TIME),
    Table("lifecycle", "Each message of the lifecycle channel once, likewise.", (
        MARKET, Column("type", "VARCHAR", "type of the message, such as `market_lifecycle_v2`"),
        Column("event_type", "VARCHAR", "`created`, `activated`, `settled`, ..."),
        Column("event_ticker", "VARCHAR", "the event, where the message names one"),
        Column("open_ts", "BIGINT", "when the market opens, Unix seconds"),
        Column("close_ts", "BIGINT", "when the market closes, Unix seconds"),
        Column("result", "VARCHAR", "the outcome, once determined"),
        Column("settlement_value", PRICE, "dollars for one contract of yes"),
        Column("body", "VARCHAR", "the whole body of the message, JSON"), *TAIL,
    ), BY_TIME),
    Table("book_snapshots", "Whole order books, one row a level. A book without levels is one row without a level.", (
        MARKET, SIDE, Column("price", PRICE, "price of the level, dollars"), Column("count", COUNT, "contracts at it"),
        *RECEIVED, *ORIGIN,
    ), BY_TIME + ", side, price"),
    Table("book_deltas", "Changes of order books.", (
        MARKET, SIDE, Column("price", PRICE, "price of the level, dollars"),
        Column("delta", COUNT, "contracts to add to the level; at zero the level goes"), *TAIL,
    ), BY_TIME),
    Table("top_of_book", "Best bids and asks after each message that changed them.", (
        MARKET, *BEST, *RECEIVED, *ORIGIN,
    ), BY_TIME),
    Table("coverage", "What is complete, and where the holes are.", (
        Column("channel", "VARCHAR", "the exchange's name of the channel"),
        Column("market_ticker", "VARCHAR", "the market; NULL for a channel as a whole"),
        Column("state", "VARCHAR", "`complete`, `hole` or `not_carried`"),
        Column("from", "BIGINT", "Unix ns"), Column("to", "BIGINT", "Unix ns"),
        Column("why", "VARCHAR", "the cause"), Column("gatherer", "VARCHAR", "the capture that had it, if one did"),
    ), "channel, market_ticker, \"from\""),
    Table("markets", "What the lifecycle messages said of each market: one row a market.", (
        MARKET, Column("event_ticker", "VARCHAR", "its event"), Column("title", "VARCHAR", "its title"),
        Column("last_event", "VARCHAR", "kind of the latest message"),
        Column("open_ts", "BIGINT", "when it opens, Unix seconds"), Column("close_ts", "BIGINT", "when it closes"),
        Column("result", "VARCHAR", "the outcome"),
        Column("settlement_value", PRICE, "dollars for one contract of yes"),
        Column("messages", "BIGINT", "lifecycle messages about it"),
        Column("first_ns", "BIGINT", "the first of them, Unix ns"), Column("last_ns", "BIGINT", "the latest"),
    ), "market_ticker"),
)  # fmt: skip
NAMES = tuple(table.name for table in TABLES)


def table(name: str) -> Table:
    """The table of that name."""
    return next(table for table in TABLES if table.name == name)


def column_list(name: str) -> str:
    """Its columns for a SELECT, cast to their types: what is written is what is documented."""
    return ", ".join(f'"{c.name}"::{c.type} AS "{c.name}"' for c in table(name).columns)


def empty(name: str) -> str:
    """A query with the columns of the table and no rows."""
    columns = ", ".join(f'NULL::{c.type} AS "{c.name}"' for c in table(name).columns)
    return f"SELECT {columns} WHERE false"


def document() -> Iterator[str]:
    """The part of `docs/tables.md` that lists the columns, line by line."""
    for entry in TABLES:
        yield f"## {entry.name}"
        yield ""
        yield f"{entry.text} Sorted within a file by `{entry.order}`."
        yield ""
        yield "| column | type | |"
        yield "| --- | --- | --- |"
        yield from (f"| `{column.name}` | {column.type} | {column.text} |" for column in entry.columns)
        yield ""
