"""Prometheus metrics, read from the parts' status dicts and the meters when somebody asks; nothing is counted here.
`docs/metrics.md` has them all.

Some names end in `_total` though the figure can fall (`conn_manager_markets_total`): the description of the system
names them so, and they are exported as the gauges they are.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from gatherer import __version__
from gatherer.core.health.checks import health
from gatherer.core.histograms import Buckets, Measurements
from gatherer.core.layout import Role
from gatherer.interfaces import IConnectionManager, IMarketRegistry, IMessageRouter
from gatherer.ops.health import HealthService


def gauge(name: str, text: str, labels: dict[str, str], value: float | None) -> GaugeMetricFamily:
    """A gauge with one sample, or none when the value is None."""
    family = GaugeMetricFamily(name, text, labels=list(labels))
    if value is not None:
        family.add_metric(list(labels.values()), float(value))
    return family


def gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """A gauge per value of one label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
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


def histogram(name: str, text: str, labels: list[str]) -> HistogramMetricFamily:
    """A histogram without samples; `fill` adds them."""
    return HistogramMetricFamily(name, text, labels=labels)


def fill(family: HistogramMetricFamily, labels: list[str], buckets: Buckets, total: float) -> HistogramMetricFamily:
    """Add the samples of one set of labels. A sum with negative parts is legal for Prometheus's text, so it stays."""
    family.add_metric(labels, [(floatToGoString(bound), float(count)) for bound, count in buckets], total)
    return family


Status = dict[str, Any]
_OPEN_STATES = ("live", "subscribing")
_STATES = {"ok": 0, "starting": 0, "degraded": 1, "failing": 2}
MAX_CODE = 99
"""Error codes above it are one label: they come from the network."""


def make_registry(manager: Any, registry: Any, router: Any, vitals: HealthService) -> CollectorRegistry:
    """A registry of our own, without prometheus_client's global one: our metrics and the process's."""
    collectors = CollectorRegistry()
    collectors.register(GathererCollector(manager, registry, router, vitals))
    ProcessCollector(registry=collectors)
    return collectors


class GathererCollector(Collector):
    """One scrape is one look at each status dict."""

    def __init__(self, manager: Any, registry: Any, router: Any, vitals: HealthService) -> None:
        self._manager = IConnectionManager(manager)
        self._registry = IMarketRegistry(registry)
        self._router = IMessageRouter(router)
        self._vitals = vitals

    def collect(self) -> Iterator[Metric]:
        """All families. What is not known yet (no walk finished, say) has no sample rather than a made-up one."""
        manager, registry, router = self._manager.status(), self._registry.status(), self._router.status()
        vigil, connections = self._vitals.report(), manager["connections"]
        yield gauge("gatherer_info", "Which gatherer this is", {"version": __version__}, 1)
        yield from _verdict(health(manager, registry, router, vigil), vigil)
        yield from _pool(manager, router)
        yield from _recoveries(connections)
        yield from _books(manager)
        yield from _meters(self._vitals.meters, _sum(connections, "received"))
        yield from _sockets(connections)
        yield from _each_connection(connections, self._vitals.ages())
        yield from _registry(registry)
        yield from _capture(router)


def _sum(connections: Iterable[Status], key: str) -> int:
    return sum(connection.get(key) or 0 for connection in connections)


def _verdict(verdict: Status, vigil: Status) -> Iterator[Metric]:
    yield gauge("gatherer_healthy", "0 when /health answers 503", {}, verdict["ok"])
    states = {name: _STATES[component["status"]] for name, component in verdict["components"].items()}
    yield gauges("gatherer_component_state", "0 ok or starting, 1 degraded, 2 failing", "component", states)
    yield gauge("gatherer_paused", "1 while the exchange rests and nothing needs to flow", {}, bool(vigil.get("pause")))
    feed = vigil.get("feed", {})
    yield gauge("gatherer_feed_frozen", "Channels on which nothing comes although it should", {}, _len(feed, "frozen"))
    text = "Single connections that say suspiciously little"
    yield gauge("gatherer_feed_silent", text, {}, _len(feed, "silent"))
    text = "Seconds since the last message of a role, order books we asked for left out"
    yield gauges("gatherer_feed_quiet_seconds", text, "role", feed.get("quiet_seconds", {}))


def _len(feed: Status, key: str) -> int | None:
    return len(feed[key]) if key in feed else None


def _meters(meters: Measurements, received: int) -> Iterator[Metric]:
    text = "Time from a command to its reply; what is never answered is not in it"
    latency = meters.reply_latency
    yield fill(histogram("conn_manager_reply_latency_seconds", text, []), [], latency.buckets(), latency.sum)
    text = "Messages that one socket read brought"
    yield fill(histogram("conn_manager_batch_messages", text, []), [], meters.batch_buckets(), received)
    text = "From the exchange's ts_ms to our socket read, one sample a second and connection"
    ages = histogram("conn_manager_message_age_seconds", text, ["role"])
    for role, age in meters.message_age.items():
        fill(ages, [role.value], age.buckets(), age.sum)
    yield ages
    lag = meters.reactor_lag
    text = "How late a timer was that is due every tenth of a second: how long what arrives has to wait"
    yield fill(histogram("gatherer_reactor_lag_seconds", text, []), [], lag.buckets(), lag.sum)


def _pool(manager: Status, router: Status) -> Iterator[Metric]:
    connections = manager["connections"]
    yield gauge("conn_manager_connections_total", "Connections of the plan", {}, len(connections))
    text = "Healthy connections that are the least to work with"
    yield gauge("conn_manager_connections_minimum", text, {}, manager.get("min_healthy"))
    text = "1 while upgrades are refused with 401 or 403, one after the other"
    yield gauge("conn_manager_upgrade_alarm", text, {}, bool(manager.get("alarm")))
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
    yield counter("conn_manager_snapshots_total", "Order books among them", _sum(connections, "snapshots"))
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
    text = "Markets that no connection has room for"
    yield gauge("conn_manager_markets_unplaced", text, {}, manager.get("unplaced", 0))
    text = "Markets the exchange refuses to give, for now"
    yield gauge("conn_manager_markets_rejected", text, {}, manager.get("rejected", 0))
    yield gauge("conn_manager_commands_pending", "Commands without a reply so far", {}, _sum(connections, "pending"))
    text = "1 while an operator lets no commands out"
    yield gauge("conn_manager_commands_paused", text, {}, manager.get("paused_since") is not None)
    text = "Connections an operator lets carry nothing"
    yield gauge("conn_manager_connections_draining", text, {}, len(manager.get("draining", [])))


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


def _each_connection(connections: list[Status], ages: dict[int, float]) -> Iterator[Metric]:
    labels = ["conn_id", "role"]
    reconnects = CounterMetricFamily(
        "conn_manager_reconnects_total", "Open sockets lost, each of them dialled again", labels=labels
    )
    live = GaugeMetricFamily("conn_manager_connection_live", "1 when the connection does its work", labels=labels)
    markets = GaugeMetricFamily("conn_manager_connection_markets", "Markets the connection is to carry", labels=labels)
    message = GaugeMetricFamily(
        "conn_manager_connection_last_message_timestamp", "Unix time of its last message", labels=labels
    )
    ping = GaugeMetricFamily("conn_manager_connection_last_ping_timestamp", "Unix time of its last ping", labels=labels)
    text = "Age of its latest sampled message on arrival; none without a sample in the last minute"
    age = GaugeMetricFamily("conn_manager_connection_message_age_seconds", text, labels=labels)
    refusals: Counter[tuple[str, str]] = Counter()
    for each in connections:
        names = [str(each["conn_id"]), each["role"]]
        reconnects.add_metric(names, each.get("reconnects", 0))
        live.add_metric(names, each["state"] == "live")
        markets.add_metric(names, each.get("wanted", 0))
        for family, key in ((message, "last_message"), (ping, "last_ping")):
            if each.get(key):
                family.add_metric(names, each[key])
        if each["conn_id"] in ages:
            age.add_metric(names, ages[each["conn_id"]])
        for code, count in (each.get("errors") or {}).items():
            refusals[Role(each["role"]).channel, str(code) if 0 <= code <= MAX_CODE else "other"] += count
    yield from (reconnects, live, markets, message, ping, age)
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
    text = "Seconds between two walks by the settings"
    yield gauge("market_registry_reconcile_interval_seconds", text, {}, status.get("reconcile_interval"))
    yield counts("market_registry_rest_errors_total", "REST requests that failed", "endpoint", status["rest_errors"])
    text = "Unix time at which the last complete walk ended"
    yield gauge("market_registry_last_sync_timestamp", text, {}, status["last_sync"])
    yield gauge("market_registry_exchange_active", "1 when the exchange runs", {}, status["exchange_active"])
    yield gauge("market_registry_trading_active", "1 when trading is on", {}, status["trading_active"])


def _capture(status: Status) -> Iterator[Metric]:
    yield gauge("router_backlog_messages", "Messages accepted and not yet written", {}, status.get("backlog"))
    yield gauge("router_buffer_messages", "The most that may wait", {}, status.get("buffer_messages"))
    yield gauge("router_disk_trouble", "1 while the disk refuses", {}, bool(status.get("trouble")))
    yield counter("router_messages_written_total", "Messages written", status.get("written", 0))
    yield counter("router_bytes_written_total", "Compressed bytes written", status.get("bytes_written", 0))
    yield counter("router_segments_total", "Segments begun", status.get("segments", 0))
    yield counter("router_write_errors_total", "Times the disk refused", status.get("write_errors", 0))
    text = "Messages of a connection the router had no room for"
    yield counts("router_dropped_total", text, "conn_id", status.get("dropped_by_connection", {}))
