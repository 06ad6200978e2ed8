"""Prometheus metrics, read from the parts' status dicts when somebody asks; nothing is counted here.

Some names end in `_total` though the figure can fall (`conn_manager_markets_total`): the description of the system
names them so, and they are exported as the gauges they are.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from gatherer import __version__
from gatherer.core.layout import Role
from gatherer.interfaces import IConnectionManager, IMarketRegistry, IMessageRouter

Status = dict[str, Any]
_OPEN_STATES = ("live", "subscribing")


def make_registry(manager: Any, registry: Any, router: Any) -> CollectorRegistry:
    """A registry of our own, without prometheus_client's global one: our metrics and the process's."""
    collectors = CollectorRegistry()
    collectors.register(GathererCollector(manager, registry, router))
    ProcessCollector(registry=collectors)
    return collectors


class GathererCollector(Collector):
    """One scrape is one look at each status dict."""

    def __init__(self, manager: Any, registry: Any, router: Any) -> None:
        self._manager = IConnectionManager(manager)
        self._registry = IMarketRegistry(registry)
        self._router = IMessageRouter(router)

    def collect(self) -> Iterator[Metric]:
        """All families. What is not known yet (no walk finished, say) has no sample rather than a made-up one."""
        manager, router = self._manager.status(), self._router.status()
        yield gauge("gatherer_info", "Which gatherer this is", {"version": __version__}, 1)
        yield from _pool(manager, router)
        yield from _recoveries(manager["connections"])
        yield from _books(manager)
        yield from _sockets(manager["connections"])
        yield from _each_connection(manager["connections"])
        yield from _registry(self._registry.status())
        yield from _capture(router)


def gauge(name: str, text: str, labels: dict[str, str], value: float | None) -> GaugeMetricFamily:
    """A gauge with one sample, or none when the value is None."""
    family = GaugeMetricFamily(name, text, labels=list(labels))
    if value is not None:
        family.add_metric(list(labels.values()), float(value))
    return family


def counter(name: str, text: str, value: float) -> CounterMetricFamily:
    """A counter without labels; `name` ends in `_total`."""
    return CounterMetricFamily(name, text, value=float(value))


def counts(name: str, text: str, label: str, values: dict[str, int]) -> CounterMetricFamily:
    """A counter per value of one label."""
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], float(value))
    return family


def _sum(connections: Iterable[Status], key: str) -> int:
    return sum(connection.get(key) or 0 for connection in connections)


def _pool(manager: Status, router: Status) -> Iterator[Metric]:
    connections = manager["connections"]
    yield gauge("conn_manager_connections_total", "Connections of the plan", {}, len(connections))
    healthy = GaugeMetricFamily("conn_manager_connections_healthy", "Connections that do their work", labels=["role"])
    live = Counter(connection["role"] for connection in connections if connection["state"] == "live")
    for role in dict.fromkeys(connection["role"] for connection in connections):
        healthy.add_metric([role], live[role])
    yield healthy
    text = "Live subscriptions: one for each market held and one for each global channel"
    yield gauge("conn_manager_subscriptions_total", text, {}, _sum(connections, "subscriptions"))
    yield gauge("conn_manager_markets_total", "Markets the gatherer is to carry", {}, manager["markets"])
    text = "Messages received from the exchange, replies included"
    yield counter("conn_manager_messages_received_total", text, _sum(connections, "received"))
    yield counter(
        "conn_manager_messages_forwarded_total", "Messages given to the router", _sum(connections, "forwarded")
    )
    yield counter(
        "conn_manager_messages_dropped_total", "Messages the router had no room for", router.get("dropped", 0)
    )
    yield counter("conn_manager_sequence_gaps_total", "Gaps in sequence numbers", _sum(connections, "gaps"))
    yield counter("conn_manager_sequence_skipped_total", "Numbers missing in all gaps", _sum(connections, "skipped"))
    yield counter("conn_manager_sequence_repeats_total", "Repeated or lower numbers", _sum(connections, "repeats"))


def _recoveries(connections: list[Status]) -> Iterator[Metric]:
    text = "Gaps after which every book of the sid was fresh again"
    yield counter("conn_manager_recoveries_total", text, _sum(connections, "recoveries"))
    longest = max((connection.get("last_recovery") or 0.0 for connection in connections), default=0.0)
    text = "Seconds from a gap to the last fresh book, the longest among the connections' latest"
    yield gauge("conn_manager_recovery_seconds", text, {}, longest)


def _books(manager: Status) -> Iterator[Metric]:
    connections = manager["connections"]
    yield gauge("conn_manager_markets_wanted", "Markets given to a connection", {}, _sum(connections, "wanted"))
    yield gauge("conn_manager_markets_held", "Markets the exchange acknowledged", {}, _sum(connections, "held"))
    yield gauge("conn_manager_markets_owed", "Markets held whose first book is due", {}, _sum(connections, "owed"))
    text = "Markets wanted and not held, or held and not wanted; 0 at rest"
    yield gauge("conn_manager_divergence", text, {}, manager["divergence"])
    yield gauge("conn_manager_commands_pending", "Commands without a reply so far", {}, _sum(connections, "pending"))
    latency = SummaryMetricFamily("conn_manager_reply_latency_seconds", "Time from a command to its reply")
    if any("replies" in connection for connection in connections):
        latency.add_metric([], _sum(connections, "replies"), _sum(connections, "reply_seconds"))
    yield latency


def _sockets(connections: list[Status]) -> Iterator[Metric]:
    yield counter("ws_client_bytes_received_total", "Payload bytes received", _sum(connections, "bytes_received"))
    errors: Counter[str] = Counter()
    for connection in connections:
        errors.update(connection.get("ws_errors") or {})
    yield counts("ws_client_errors_total", "Sockets lost and messages that made no sense", "type", errors)
    sockets = [connection for connection in connections if connection["state"] in _OPEN_STATES]
    yield gauge("ws_client_connected", "Sockets that are open", {}, len(sockets))
    oldest = min((each["last_ping"] for each in sockets if each.get("last_ping")), default=None)
    text = "Unix time of the last ping on the socket that has waited longest for one"
    yield gauge("ws_client_last_ping_timestamp", text, {}, oldest)


def _each_connection(connections: list[Status]) -> Iterator[Metric]:
    labels = ["conn_id", "role"]
    reconnects = CounterMetricFamily("conn_manager_reconnects_total", "Sockets opened after the first", labels=labels)
    live = GaugeMetricFamily("conn_manager_connection_live", "1 when the connection does its work", labels=labels)
    markets = GaugeMetricFamily("conn_manager_connection_markets", "Markets the connection is to carry", labels=labels)
    message = GaugeMetricFamily(
        "conn_manager_connection_last_message_timestamp", "Unix time of its last message", labels=labels
    )
    ping = GaugeMetricFamily("conn_manager_connection_last_ping_timestamp", "Unix time of its last ping", labels=labels)
    refusals: Counter[tuple[str, str]] = Counter()
    for each in connections:
        names = [str(each["conn_id"]), each["role"]]
        reconnects.add_metric(names, each.get("reconnects", 0))
        live.add_metric(names, each["state"] == "live")
        markets.add_metric(names, each.get("wanted", 0))
        for family, key in ((message, "last_message"), (ping, "last_ping")):
            if each.get(key):
                family.add_metric(names, each[key])
        for code, count in (each.get("errors") or {}).items():
            refusals[Role(each["role"]).channel, str(code)] += count
    yield from (reconnects, live, markets, message, ping)
    errors = CounterMetricFamily(
        "conn_manager_subscribe_errors_total", "Errors the exchange sent, by code", labels=["channel", "error_code"]
    )
    for (channel, code), count in refusals.items():
        errors.add_metric([channel, code], count)
    yield errors


def _registry(status: Status) -> Iterator[Metric]:
    yield gauge("market_registry_markets_total", "Markets known", {}, status["markets_total"])
    yield gauge("market_registry_active_markets", "Markets to carry now", {}, status["active_markets"])
    text = "Lifecycle events by kind"
    yield counts("market_registry_lifecycle_events_total", text, "type", status["lifecycle_events"])
    text = "Seconds the last complete walk over REST took"
    yield gauge("market_registry_reconcile_duration_seconds", text, {}, status["reconcile_duration"])
    yield counts("market_registry_rest_errors_total", "REST requests that failed", "endpoint", status["rest_errors"])
    text = "Unix time at which the last complete walk ended"
    yield gauge("market_registry_last_sync_timestamp", text, {}, status["last_sync"])
    yield gauge("market_registry_exchange_active", "1 when the exchange runs", {}, status["exchange_active"])
    yield gauge("market_registry_trading_active", "1 when trading is on", {}, status["trading_active"])


def _capture(status: Status) -> Iterator[Metric]:
    yield gauge("router_backlog_messages", "Messages accepted and not yet written", {}, status.get("backlog"))
    yield counter("router_messages_written_total", "Messages written", status.get("written", 0))
    yield counter("router_bytes_written_total", "Compressed bytes written", status.get("bytes_written", 0))
    yield counter("router_segments_total", "Segments begun", status.get("segments", 0))
    yield counter("router_write_errors_total", "Times the disk refused", status.get("write_errors", 0))
    text = "Messages of a connection the router had no room for"
    yield counts("router_dropped_total", text, "conn_id", status.get("dropped_by_connection", {}))
