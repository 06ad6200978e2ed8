"""What must hold between keys. Each fault is a `ConfigError` that names both."""

from gatherer.errors import ConfigError
from gatherer.settings import ManholeSettings, PoolSettings, ReconnectSettings, Settings
from gatherer.settings.connecting import MOST_CONNECTIONS
from gatherer.settings.endpoints import require_local


def check_together(settings: Settings) -> None:
    """Raise for the first contradiction."""
    _check_pool(settings.pool, settings.source)
    _check_reconnect(settings.reconnect, settings.source)
    _check_manhole(settings.manhole, settings.source)


def _check_pool(pool: PoolSettings, source: str) -> None:
    if not 1 <= pool.connections <= MOST_CONNECTIONS:
        raise ConfigError(
            f"{source}: [pool] ticker, trade, lifecycle and orderbook must add up to 1 to {MOST_CONNECTIONS} "
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
