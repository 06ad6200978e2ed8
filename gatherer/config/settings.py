"""All settings together. To add a key, open `exchange_tables.py` or `service_tables.py`: only a table declares a key.

`gatherer.config.load` fills and checks them. `gatherer.config.document` writes conf/gatherer.toml and the reference
page from them. This module reads nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from gatherer.config.exchange_tables import ExchangeSettings, OrderbookSettings, PoolSettings, ReconnectSettings
from gatherer.config.keys import Form, Key, Reload, Spec, keys_of
from gatherer.config.service_tables import (
    HealthSettings,
    LogSettings,
    ManholeSettings,
    RegistrySettings,
    RouterSettings,
    WebSettings,
)
from gatherer.errors import ConfigError

__all__ = [
    "ExchangeSettings",
    "Form",
    "HealthSettings",
    "Key",
    "LogSettings",
    "ManholeSettings",
    "OrderbookSettings",
    "PoolSettings",
    "ReconnectSettings",
    "RegistrySettings",
    "Reload",
    "RouterSettings",
    "Settings",
    "Spec",
    "WebSettings",
    "every_key",
    "tables",
]


@dataclass(frozen=True, slots=True)
class Settings:
    """All tables. `load_settings` makes one and checks it; `Settings()` holds the defaults."""

    exchange: ExchangeSettings = field(default_factory=ExchangeSettings)
    pool: PoolSettings = field(default_factory=PoolSettings)
    orderbook: OrderbookSettings = field(default_factory=OrderbookSettings)
    reconnect: ReconnectSettings = field(default_factory=ReconnectSettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    router: RouterSettings = field(default_factory=RouterSettings)
    web: WebSettings = field(default_factory=WebSettings)
    health: HealthSettings = field(default_factory=HealthSettings)
    manhole: ManholeSettings = field(default_factory=ManholeSettings)
    log: LogSettings = field(default_factory=LogSettings)
    source: str = field(default="settings", compare=False)
    """The file they came from, for error texts. Not a table."""

    def require_credentials(self) -> None:
        """Raise ConfigError if there is no key to sign with. Loading does not check it: `--demo` makes its own key."""
        for name in ("key_id", "private_key_file"):
            if not getattr(self.exchange, name):
                key = next(key for key in every_key() if (key.table, key.name) == ("exchange", name))
                raise ConfigError(
                    f"{self.source}: [exchange] {name} is missing: {key.spec.meaning} (or set {key.variable})"
                )


def tables() -> dict[str, Any]:
    """The dataclass of each table by name, in order."""
    return {each.name: each.type for each in fields(Settings) if is_dataclass(each.type)}


def every_key() -> Iterator[Key]:
    """Every key of every table, in the order of the tables."""
    for table, cls in tables().items():
        yield from keys_of(table, cls)
