"""Checks each value, and what must hold between values. A `ConfigError` starts with where the value was set."""

import math
import os

from gatherer.config.endpoints import require_local, server_endpoint
from gatherer.config.exchange_tables import MAX_CONNECTIONS
from gatherer.config.keys import Form, Key
from gatherer.config.settings import ManholeSettings, PoolSettings, ReconnectSettings, Settings
from gatherer.core.urls import REST_SCHEMES, WEBSOCKET_SCHEMES, check_url
from gatherer.errors import ConfigError
from gatherer.text import one_line

MAX_SHOWN = 60
"""Characters of a wrong value in an error text."""


def shown(value: object) -> str:
    """A value as an error text repeats it: short, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 128:  # Python refuses to print a number of 5000 digits
        return "a huge number"
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return one_line(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + '..."')


def from_text(key: Key, text: str, where: str) -> str | bool | int | float:
    """The value of an environment variable in the type of its key."""
    if key.kind is str:
        return text
    word = text.strip()
    if key.kind is bool:
        if word.lower() not in ("true", "false"):
            raise ConfigError(f"{where} must be true or false, not {shown(text)}")
        return word.lower() == "true"
    try:
        return int(word) if key.kind is int else float(word)
    except ValueError:
        raise ConfigError(f"{where} {_wanted(key)}, not {shown(text)}") from None


def checked(key: Key, value: object, where: str) -> str | bool | int | float:
    """The checked value. Paths become absolute, from the working directory."""
    if key.kind is bool:
        if not isinstance(value, bool):
            raise ConfigError(f"{where} must be true or false, not {shown(value)}")
        return value
    if key.kind is str:
        if not isinstance(value, str):
            raise ConfigError(f"{where} must be a text in quotes, not {shown(value)}")
        return _text(key, value, where)
    return _number(key, value, where)


def _number(key: Key, value: object, where: str) -> int | float:
    low, high = key.spec.low, key.spec.high
    assert low is not None and high is not None, "every number has bounds"
    allowed = int if key.kind is int else int | float
    # NaN compares as false, and bool is an int to Python
    if isinstance(value, bool) or not isinstance(value, allowed) or not low <= value <= high:
        raise ConfigError(f"{where} {_wanted(key)}, not {shown(value)}")
    return int(value) if key.kind is int else float(value)


def _wanted(key: Key) -> str:
    spec = key.spec
    kind = "a whole number" if key.kind is int else "a number"
    unit = f" ({spec.unit})" if spec.unit else ""
    return f"must be {kind} from {_plain(spec.low)} to {_plain(spec.high)}{unit}"


def _plain(bound: float | None) -> str:
    assert bound is not None and math.isfinite(bound), "every number has bounds"
    return str(bound)


def _text(key: Key, value: str, where: str) -> str:
    spec = key.spec
    if spec.choices and value not in spec.choices:
        raise ConfigError(f"{where} must be {_either(spec.choices)}, not {shown(value)}")
    match spec.form:
        case Form.WEBSOCKET_URL:
            check_url(value, WEBSOCKET_SCHEMES, where)
        case Form.REST_URL:
            check_url(value, REST_SCHEMES, where)
        case Form.TOKEN:
            if not (value.isascii() and value.isprintable()) or " " in value:
                raise ConfigError(f"{where} must be a word of ASCII letters without blanks")
        case Form.PATH:
            return _path(key, value, where)
        case Form.ENDPOINT:
            if value:
                server_endpoint(value, where)
    return value


def _either(choices: tuple[str, ...]) -> str:
    return " or ".join(f'"{choice}"' for choice in choices)


def _path(key: Key, value: str, where: str) -> str:
    if "\0" in value:
        raise ConfigError(f"{where} must be a path, and a path cannot hold a null character")
    if not value and key.default:
        raise ConfigError(f"{where} must name a folder or a file, and is empty")
    return os.path.abspath(os.path.expanduser(value)) if value else ""


def check_together(settings: Settings) -> None:
    """Raise ConfigError for the first values that contradict each other."""
    _check_pool(settings.pool, settings.source)
    _check_reconnect(settings.reconnect, settings.source)
    _check_manhole(settings.manhole, settings.source)


def _check_pool(pool: PoolSettings, source: str) -> None:
    if not 1 <= pool.connections <= MAX_CONNECTIONS:
        raise ConfigError(
            f"{source}: [pool] ticker, trade, lifecycle and orderbook must add up to 1 to {MAX_CONNECTIONS} "
            f"connections, not {pool.connections}"
        )


def _check_reconnect(reconnect: ReconnectSettings, source: str) -> None:
    if reconnect.initial_delay > reconnect.max_delay:
        raise ConfigError(
            f"{source}: [reconnect] initial_delay ({reconnect.initial_delay} s) must not be above max_delay "
            f"({reconnect.max_delay} s)"
        )


def _check_manhole(manhole: ManholeSettings, source: str) -> None:
    if not manhole.listen:
        return
    if not manhole.allow_remote:
        require_local(manhole.listen, f"{source}: [manhole] listen")
    for name in ("authorized_keys_file", "host_key_directory"):
        if not getattr(manhole, name):
            raise ConfigError(f"{source}: [manhole] {name} is missing: [manhole] listen needs it")
