"""What the manhole's prompt knows: a few functions about the running feed, and the parts themselves."""

from typing import Any

from gatherer.interfaces import IConnectionManager, IMarketRegistry, IMessageRouter
from gatherer.ops.logs import LevelControl


def namespace(manager: Any, registry: Any, router: Any, levels: LevelControl) -> dict[str, Any]:
    """The names at the prompt."""
    pool, markets, capture = IConnectionManager(manager), IMarketRegistry(registry), IMessageRouter(router)

    def status() -> dict[str, Any]:
        """The figures of the pool without its connections, of the registry and of the router."""
        figures = {name: value for name, value in pool.status().items() if name != "connections"}
        return {"pool": figures, "registry": markets.status(), "router": capture.status()}

    def connections(role: str | None = None) -> list[dict[str, Any]]:
        """The state of every connection, or of those of one role."""
        return [each for each in pool.status()["connections"] if role in (None, each["role"])]

    def explain(ticker: str) -> dict[str, Any]:
        """One market's whole story: registry, connection, sid, whether its book came."""
        story: dict[str, Any] = pool.explain(ticker)
        return story

    def log_level(level: str | None = None) -> str:
        """The least important level that is logged; given one ("debug", "info", ...), change to it until the stop."""
        if level is not None:
            levels.set(level)
        return levels.level

    functions = {"status": status, "connections": connections, "explain": explain, "log_level": log_level}
    return {**functions, "manager": manager, "registry": registry, "router": router}
