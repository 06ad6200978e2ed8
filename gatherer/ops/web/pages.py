"""Each page as a plain function of the status."""

from collections.abc import Callable

from prometheus_client.exposition import choose_encoder
from twisted.web.server import Request

from gatherer import __version__
from gatherer.interfaces import HealthStatus, IConnection, IConnectionManager, Readiness
from gatherer.ops.explain import explain, verdict
from gatherer.ops.health import HealthService
from gatherer.ops.metrics import make_registry
from gatherer.ops.web.event_log import COLUMNS, EventLog
from gatherer.ops.web.resources import Answer, QueryError, as_json, problem
from gatherer.values import Facts

MAX_MARKETS = 200
"""Tickers of a connection that its page lists."""


class Pages:
    """Read only, for anyone who can connect."""

    def __init__(
        self, manager: IConnectionManager, health: HealthService, events: EventLog, wall: Callable[[], int]
    ) -> None:
        """`wall` gives Unix time in ns."""
        self._manager = IConnectionManager(manager)
        self._status = health.status
        self._events = events
        self._wall = wall
        self._metrics = make_registry(health)

    def metrics(self, request: Request) -> Answer:
        """Prometheus text, or OpenMetrics if the client asks for it."""
        encode, content_type = choose_encoder(request.getHeader("accept") or "")
        return 200, content_type, encode(self._metrics)

    def health(self, request: Request) -> Answer:
        """Whether the process does its work: 200 or 503."""
        return _judged(self._status().health)

    def ready(self, request: Request) -> Answer:
        """Whether the capture is as good as complete: 200 or 503."""
        return _judged(self._status().readiness)

    def status(self, request: Request) -> Answer:
        """All figures of all parts."""
        status = self._status()
        parts = {"manager": status.pool, "registry": status.registry, "router": status.router}
        return as_json(200, {"version": __version__, **parts})

    def explain(self, request: Request, ticker: str) -> Answer:
        """What happens to one market, and why: 404 for one that is not known."""
        name = ticker.strip().upper()
        explained = self._manager.explain(name)
        if explained.get("registry") is None and explained.get("connection") is None and not explained.get("unplaced"):
            return problem(404, f"no market {name!a}: neither a walk nor a lifecycle event ever named it")
        now = self._wall() / 1e9
        _, *lines, _ = explain(explained, now)
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

    def _described(self, connection: IConnection) -> Facts:
        markets = [ticker for ticker, _ in zip(connection.wanted, range(MAX_MARKETS), strict=False)]
        return {
            "status": connection.status(),
            "last_error": connection.last_error,
            "markets": markets,
            "markets_total": len(connection.wanted),
            "event_columns": COLUMNS,
            "events": self._events.about(connection.conn_id),
        }


def _judged(verdict: HealthStatus | Readiness) -> Answer:
    return as_json(200 if verdict.ok else 503, verdict)
