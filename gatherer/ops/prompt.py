"""What the manhole's prompt knows: a few functions about the running feed, and the parts themselves."""

from typing import Any

from gatherer.interfaces import IConnectionManager, IMarketRegistry, IMessageRouter


def namespace(manager: Any, registry: Any, router: Any) -> dict[str, Any]:
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

    functions = {"status": status, "connections": connections, "explain": explain}
    return {**functions, "manager": manager, "registry": registry, "router": router}
