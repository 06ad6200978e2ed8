"""Checks of a command's parameters. Each raises `Refusal` with the error code of protocol section 3. Pure."""

from collections.abc import Mapping
from typing import TypeGuard

from gatherer.simulator.feed.subscription import Subscription
from gatherer.simulator.feed.wire import Json
from gatherer.simulator.markets.listing import Listing

FLAGS = ("send_initial_snapshot", "skip_ticker_ack", "use_yes_price")


class Refusal(Exception):
    """The exchange refuses a command. `sub` is the subscription it is about, if any."""

    def __init__(self, code: int, text: str = "", sub: Subscription | None = None) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.sub = sub


def is_int(value: object) -> TypeGuard[int]:
    """Whether a value is a JSON integer. In Python `True` is an int too, in JSON `true` is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_id(value: object) -> bool:
    """Whether a value is a valid command id: a 64-bit integer."""
    return is_int(value) and -(2**63) <= value < 2**63


def options(params: object) -> Json:
    """The parameters as an object. Code 2 if there are none."""
    if not isinstance(params, dict):
        raise Refusal(2)
    return params


def channels(options: Json) -> list[str]:
    """The channels asked for, each once. Code 3 if there are none."""
    names = options.get("channels")
    if not isinstance(names, list) or not names:
        raise Refusal(3)
    if not all(isinstance(name, str) for name in names):
        raise Refusal(11, "Invalid parameter: channels must be strings")
    return list(dict.fromkeys(names))


def flag(options: Json, name: str) -> bool:
    """A true/false option, false by default. Code 11 for anything else."""
    value = options.get(name, False)
    if not isinstance(value, bool):
        raise Refusal(11, f"Invalid parameter: {name} must be true or false")
    return value


def ticker_list(value: object) -> list[str]:
    """A list of tickers. Code 11 for anything else."""
    if not isinstance(value, list) or not all(isinstance(ticker, str) and ticker for ticker in value):
        raise Refusal(11, "Invalid parameter: market_tickers must be a list of tickers")
    return value


def tickers(options: Json, listing: Listing, ids_allowed: bool) -> list[str]:
    """The markets that one of the four keys names; an empty list if no key is there."""
    keys = [
        key for key in ("market_ticker", "market_tickers", "market_id", "market_ids") if options.get(key) is not None
    ]
    if not keys:
        return []
    key = keys[0]
    if len(keys) > 1:
        raise Refusal(11, f"Invalid parameter: {key} and {keys[1]} exclude each other")
    names = ticker_list(options[key] if key.endswith("s") else [options[key]])
    if key in ("market_ticker", "market_tickers"):
        return names
    if not ids_allowed:
        raise Refusal(11, f"Invalid parameter: this channel does not take {key}")
    found = (listing.by_id(name) for name in names)
    return [market.ticker if market is not None else name for name, market in zip(names, found, strict=True)]


def sids(options: Json) -> list[int]:
    """The sids of an `unsubscribe`. Code 4 if there are none."""
    value = options.get("sids")
    if not isinstance(value, list) or not value:
        raise Refusal(4)
    if not all(is_int(sid) for sid in value):
        raise Refusal(11, "Invalid parameter: sids must be integers")
    return value


def subscription(options: Json, held: Mapping[int, Subscription]) -> Subscription:
    """The subscription of an update: `sid` or `sids`, exactly one. Codes 4, 12 and 7 otherwise."""
    if options.get("sid") is not None and options.get("sids") is not None:
        raise Refusal(12)
    if options.get("sid") is not None:
        options = {"sids": [options["sid"]]}
    wanted = sids(options)
    if len(wanted) != 1:
        raise Refusal(12)
    if wanted[0] not in held:
        raise Refusal(7)
    return held[wanted[0]]
