"""The settings: which keys exist, and what a TOML file and the environment set them to.

`settings` and the two `_tables` modules declare every key with its default, bounds, meaning and reason; `load` reads
and `validate` checks; `document` writes conf/gatherer.toml and docs/settings.md. The result is one frozen `Settings`.
`app` takes it apart and hands single values on, so the packages below do not know where a value comes from.
"""

from gatherer.config.endpoints import is_local, is_remote, require_local, server_endpoint
from gatherer.config.keys import Form, Key, Reload, Spec
from gatherer.config.load import load_settings
from gatherer.config.settings import (
    ExchangeSettings,
    HealthSettings,
    LogSettings,
    ManholeSettings,
    OrderbookSettings,
    PoolSettings,
    ReconnectSettings,
    RegistrySettings,
    RouterSettings,
    Settings,
    WebSettings,
    every_key,
    tables,
)

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
    "is_local",
    "is_remote",
    "load_settings",
    "require_local",
    "server_endpoint",
    "tables",
]
