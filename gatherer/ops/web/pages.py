"""Each page as a plain function of the parts' status."""

from typing import Any

from prometheus_client.exposition import choose_encoder
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from gatherer import __version__
from gatherer.core.health.checks import readiness
from gatherer.interfaces import IConnectionManager, IMarketRegistry, IMessageRouter
from gatherer.ops.explain import tell, verdict
from gatherer.ops.health import HealthService
from gatherer.ops.metrics import make_registry
from gatherer.ops.web.event_log import COLUMNS, EventLog
from gatherer.ops.web.resources import Answer, QueryError, as_json, problem

MAX_MARKETS = 200
"""Tickers of a connection that its page lists."""


class Pages:
    """Read only, whoever asks."""

    def __init__(
        self, manager: Any, registry: Any, router: Any, vitals: HealthService, journal: EventLog, clock: IReactorTime
    ) -> None:
        self._manager = IConnectionManager(manager)
        self._registry = IMarketRegistry(registry)
        self._router = IMessageRouter(router)
        self._vitals = vitals
        self._journal = journal
        self._clock = clock
        self._metrics = make_registry(manager, registry, router, vitals)

    def metrics(self, request: Request) -> Answer:
        """Prometheus text, or OpenMetrics for who asks for it."""
        encode, content_type = choose_encoder(request.getHeader("accept") or "")
        return 200, content_type, encode(self._metrics)

    def health(self, request: Request) -> Answer:
        """Whether the process does its work: 200 or 503."""
        return _judged(self._vitals.health())

    def ready(self, request: Request) -> Answer:
        """Whether the capture is as good as complete: 200 or 503."""
        manager, registry, _ = self._all()
        return _judged(readiness(manager, registry))

    def status(self, request: Request) -> Answer:
        """Everything every part has to say."""
        manager, registry, router = self._all()
        return as_json(200, {"version": __version__, "manager": manager, "registry": registry, "router": router})

    def explain(self, request: Request, ticker: str) -> Answer:
        """One market's story: 404 for one nobody has heard of."""
        name = ticker.strip().upper()
        explained = self._manager.explain(name)
        if explained.get("registry") is None and explained.get("connection") is None and not explained.get("unplaced"):
            return problem(404, f"no market {name!a}: neither a walk nor a lifecycle event ever named it")
        now = self._clock.seconds()
        _, *lines, _ = tell(explained, now)
        return as_json(
            200, {"ticker": name, "verdict": verdict(explained, now), "story": lines, "explained": explained}
        )

    def connection(self, request: Request, id: str) -> Answer:
        """One connection: its status, why its latest socket failed, its events, some of its markets."""
        if not (id.isascii() and id.isdigit()):
            raise QueryError("the parameter 'id' is a connection's number")
        for each in self._manager.connections():
            if each.conn_id == int(id):
                return as_json(200, self._described(each))
        return problem(404, f"no connection {int(id)} in the plan")

    def _described(self, connection: Any) -> dict[str, Any]:
        markets = [ticker for ticker, _ in zip(connection.wanted, range(MAX_MARKETS), strict=False)]
        return {
            "status": connection.status(),
            "last_error": connection.last_error,
            "markets": markets,
            "markets_total": len(connection.wanted),
            "event_columns": COLUMNS,
            "events": self._journal.about(connection.conn_id),
        }

    def _all(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return self._manager.status(), self._registry.status(), self._router.status()


def _judged(problems: dict[str, Any]) -> Answer:
    return as_json(200 if problems["ok"] else 503, problems)
