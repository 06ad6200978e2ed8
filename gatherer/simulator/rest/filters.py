"""Which markets a query asks for, and which queries are invalid (protocol section 6). Pure."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence

from gatherer.simulator.markets.listing import Indexes, Listing
from gatherer.simulator.markets.market import SimulatedMarket, Status
from gatherer.simulator.markets.trades import SimulatedTrade

Query = Mapping[str, Sequence[str]]
Wanted = Callable[[SimulatedMarket], bool]

STATUSES: dict[str, tuple[Status, ...]] = {
    "unopened": (Status.INITIALIZED,),
    "open": (Status.ACTIVE,),
    "paused": (Status.INACTIVE,),
    "closed": (Status.CLOSED, Status.DETERMINED),
    "settled": (Status.FINALIZED,),
}
"""The filter uses other words than the rows."""
TIMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "created": ("created_ts", ("unopened", "open", "")),
    "close": ("close_ts", ("closed", "")),
    "settled": ("settled_ts", ("settled", "")),
}
"""Time filter to the field of the market and the status filters it can be combined with ("" is no filter)."""


class BadQuery(Exception):
    """HTTP 400; the text says what is wrong with which parameter."""


def one(query: Query, name: str) -> str:
    """A parameter that may be given once; empty text if it is missing."""
    values = query.get(name, ())
    if len(values) > 1:
        raise BadQuery(f"{name}: given {len(values)} times")
    return values[0] if values else ""


def integer(query: Query, name: str, default: int, least: int, most: int) -> int:
    """A whole number between two bounds."""
    text = one(query, name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19 and least <= int(text) <= most):
        raise BadQuery(f"{name}: {text[:40]!r} is not a whole number from {least} to {most}")
    return int(text)


def read_cursor(query: Query, kind: str = "m", default: int = 0) -> int:
    """The number of the first row of a page, `default` without a cursor. Clients must not read a cursor.

    `kind` keeps the cursors of markets ("m") and trades ("t") apart.
    """
    text = one(query, "cursor")
    if not text:
        return default
    try:
        digits = urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode("ascii")
        if not digits.startswith(kind):
            raise ValueError(digits)
        return int(digits[1:])
    except ValueError:
        raise BadQuery(f"cursor: {text[:40]!r} is not a cursor of this exchange") from None


def write_cursor(number: int, kind: str = "m") -> str:
    """The cursor of the page that begins with a number."""
    return urlsafe_b64encode(f"{kind}{number}".encode()).decode().rstrip("=")


def trade_filter(query: Query) -> Callable[[SimulatedTrade], bool]:
    """The check that each trade of a query must pass. Both bounds of time are inclusive."""
    ticker, block = one(query, "ticker"), one(query, "is_block_trade")
    first = integer(query, "min_ts", 0, 0, 10**12) * 1000
    last = integer(query, "max_ts", 10**12, 0, 10**12) * 1000
    if block not in ("", "true", "false"):
        raise BadQuery(f"is_block_trade: {block[:40]!r} is neither true nor false")
    if block == "true":
        return lambda trade: False
    return lambda trade: first <= trade.ms <= last and ticker in ("", trade.market.ticker)


def market_filter(query: Query, listing: Listing) -> tuple[Indexes, Wanted]:
    """The shortest list of indexes that contains every match, and the check that each market must pass."""
    status, mve = one(query, "status"), one(query, "mve_filter")
    if status and status not in STATUSES:
        raise BadQuery(f"status: {status[:40]!r} is not one of {', '.join(STATUSES)}")
    if mve not in ("", "only", "exclude"):
        raise BadQuery(f"mve_filter: {mve[:40]!r} is neither only nor exclude")
    _check_updated(query, status, mve)
    candidates: list[Indexes] = [range(len(listing.markets))]
    checks = _time_checks(query, status)
    if status:
        candidates.append(listing.with_status(*STATUSES[status]))
        checks.append(lambda market: market.status in STATUSES[status])
    if mve == "only":
        candidates.append(listing.with_series(*listing.multivariate_series()))
    if mve:
        checks.append(lambda market: market.event.multivariate == (mve == "only"))
    _narrow_by_name(query, listing, candidates, checks)
    return min(candidates, key=len), lambda market: all(check(market) for check in checks)


def _narrow_by_name(query: Query, listing: Listing, candidates: list[Indexes], checks: list[Wanted]) -> None:
    series = one(query, "series_ticker")
    if series:
        candidates.append(listing.with_series(series))
        checks.append(lambda market: market.event.series == series)
    events = _names(one(query, "event_ticker"))
    if events:
        found = [listing.events[name].markets for name in events if name in listing.events]
        candidates.append(sorted(index for indexes in found for index in indexes))
        checks.append(lambda market: market.event.ticker in events)
    tickers = _names(one(query, "tickers"))
    if tickers:
        markets = (listing.get(ticker) for ticker in tickers)
        candidates.append(sorted(market.index for market in markets if market is not None))
        checks.append(lambda market: market.ticker in tickers)


def _names(text: str) -> frozenset[str]:
    return frozenset(name for name in text.split(",") if name)


def _time_checks(query: Query, status: str) -> list[Wanted]:
    checks: list[Wanted] = []
    for name, (field, allowed) in TIMES.items():
        for bound, sign in (("min", 1), ("max", -1)):
            parameter = f"{bound}_{name}_ts"
            if not one(query, parameter):
                continue
            if status not in allowed:
                raise BadQuery(f"{parameter}: cannot be combined with status={status}")
            limit = integer(query, parameter, 0, 0, 10**12)
            checks.append(_compare(field, sign, limit))
    if one(query, "min_updated_ts"):
        checks.append(_compare("updated_ts", 1, integer(query, "min_updated_ts", 0, 0, 10**12)))
    return checks


def _compare(field: str, sign: int, limit: int) -> Wanted:
    return lambda market: sign * getattr(market, field) >= sign * limit


def _check_updated(query: Query, status: str, mve: str) -> None:
    """`min_updated_ts` can be combined only with `mve_filter=exclude`, a series, and paging."""
    if not one(query, "min_updated_ts"):
        return
    allowed = {"min_updated_ts", "mve_filter", "series_ticker", "limit", "cursor"}
    others: Iterable[str] = sorted(name for name in query if name not in allowed)
    if status or mve == "only" or others:
        raise BadQuery(f"min_updated_ts: cannot be combined with {', '.join(others) or 'mve_filter=only'}")
