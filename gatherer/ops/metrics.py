"""Prometheus metrics, read from the statuses and the measurements at each scrape; nothing is counted here.
`docs/metrics.md` has them all.

Some names end in `_total` though the figure can fall (`conn_manager_markets_total`): the description of the system
names them so, and they are exported as the gauges they are.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from gatherer import __version__
from gatherer.core.health import Observations
from gatherer.core.histograms import Buckets, Measurements
from gatherer.interfaces import ConnectionStatus, HealthStatus, PoolStatus, RegistryStatus, RouterStatus
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


_OPEN_STATES = ("live", "subscribing")
_STATES = {"ok": 0, "starting": 0, "degraded": 1, "failing": 2}
MAX_CODE = 99
"""Error codes above it are one label: they come from the network."""


def make_registry(health: HealthService) -> CollectorRegistry:
    """A registry of our own, without prometheus_client's global one: our metrics and the process's."""
    collectors = CollectorRegistry()
    collectors.register(GathererCollector(health))
    ProcessCollector(registry=collectors)
    return collectors


class GathererCollector(Collector):
    """One scrape is one look at each status."""

    def __init__(self, health: HealthService) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """All families. What is not known yet (no walk finished, say) has no sample rather than a made-up one."""
        status = self._health.status()
        pool, connections = status.pool, status.pool.connections
        yield gauge("gatherer_info", "Which gatherer this is", {"version": __version__}, 1)
        yield from _verdict(status.health, self._health.observations())
        yield from _pool(pool, status.router)
        yield from _recoveries(connections)
        yield from _books(pool)
        yield from _meters(self._health.meters, sum(each.received for each in connections))
        yield from _sockets(connections)
        yield from _each_connection(connections, self._health.ages())
        yield from _registry(status.registry)
        yield from _capture(status.router)


def _verdict(verdict: HealthStatus, observed: Observations) -> Iterator[Metric]:
    yield gauge("gatherer_healthy", "0 when /health answers 503", {}, verdict.ok)
    states = {name: _STATES[component.status] for name, component in verdict.components.by_name().items()}
    yield gauges("gatherer_component_state", "0 ok or starting, 1 degraded, 2 failing", "component", states)
    yield gauge("gatherer_paused", "1 while the exchange rests and nothing needs to flow", {}, bool(observed.pause))
    feed = observed.feed
    frozen, silent = (None, None) if feed is None else (len(feed.frozen), len(feed.silent))
    yield gauge("gatherer_feed_frozen", "Channels on which nothing comes although it should", {}, frozen)
    yield gauge("gatherer_feed_silent", "Single connections that say suspiciously little", {}, silent)
    text = "Seconds since the last message of a role, order books we asked for left out"
    quiet = {} if feed is None else {role.value: seconds for role, seconds in feed.quiet}
    yield gauges("gatherer_feed_quiet_seconds", text, "role", quiet)


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


def _pool(pool: PoolStatus, router: RouterStatus) -> Iterator[Metric]:
    connections = pool.connections
    yield gauge("conn_manager_connections_total", "Connections of the plan", {}, len(connections))
    text = "Healthy connections that are the least to work with"
    yield gauge("conn_manager_connections_minimum", text, {}, pool.min_healthy)
    text = "1 while upgrades are refused with 401 or 403, one after the other"
    yield gauge("conn_manager_upgrade_alarm", text, {}, bool(pool.alarm))
    healthy = GaugeMetricFamily("conn_manager_connections_healthy", "Connections that do their work", labels=["role"])
    live = Counter(connection.role for connection in connections if connection.is_live)
    for role in dict.fromkeys(connection.role for connection in connections):
        healthy.add_metric([role.value], live[role])
    yield healthy
    text = "Live subscriptions: one for each market held and one for each global channel"
    yield gauge("conn_manager_subscriptions_total", text, {}, sum(each.subscriptions for each in connections))
    yield gauge("conn_manager_markets_total", "Markets the gatherer is to carry", {}, pool.markets)
    text = "Messages received from the exchange, replies included"
    yield counter("conn_manager_messages_received_total", text, sum(each.received for each in connections))
    yield counter(
        "conn_manager_messages_forwarded_total",
        "Messages given to the router",
        sum(each.forwarded for each in connections),
    )
    yield counter("conn_manager_snapshots_total", "Order books among them", sum(each.snapshots for each in connections))
    yield counter("conn_manager_messages_dropped_total", "Messages the router had no room for", router.dropped)
    yield counter(
        "conn_manager_sequence_gaps_total", "Gaps in sequence numbers", sum(each.gaps for each in connections)
    )
    yield counter(
        "conn_manager_sequence_skipped_total", "Numbers missing in all gaps", sum(each.skipped for each in connections)
    )
    yield counter(
        "conn_manager_sequence_repeats_total", "Repeated or lower numbers", sum(each.repeats for each in connections)
    )


def _recoveries(connections: list[ConnectionStatus]) -> Iterator[Metric]:
    text = "Gaps after which every book of the sid was fresh again"
    yield counter("conn_manager_recoveries_total", text, sum(each.recoveries for each in connections))
    longest = max((each.last_recovery for each in connections), default=0.0)
    text = "Seconds from a gap to the last fresh book, the longest among the connections' latest"
    yield gauge("conn_manager_recovery_seconds", text, {}, longest)


def _books(pool: PoolStatus) -> Iterator[Metric]:
    connections = pool.connections
    yield gauge(
        "conn_manager_markets_wanted", "Markets given to a connection", {}, sum(each.wanted for each in connections)
    )
    yield gauge(
        "conn_manager_markets_held", "Markets the exchange acknowledged", {}, sum(each.held for each in connections)
    )
    yield gauge(
        "conn_manager_markets_owed", "Markets held whose first book is due", {}, sum(each.owed for each in connections)
    )
    text = "Markets held whose book is late: it was asked for and did not come in time"
    yield gauge("gatherer_markets_without_book", text, {}, pool.without_book)
    text = "Markets wanted and not held, or held and not wanted; 0 at rest"
    yield gauge("conn_manager_divergence", text, {}, pool.divergence)
    text = "Markets that no connection has room for"
    yield gauge("conn_manager_markets_unplaced", text, {}, pool.unplaced)
    text = "Markets that two connections carry while they move from one to the other"
    yield gauge("conn_manager_markets_moving", text, {}, pool.moving)
    yield counts("conn_manager_moves_total", "Markets that changed their connection", "reason", pool.moves)
    text = "Markets the exchange refuses to give, for now"
    yield gauge("conn_manager_markets_rejected", text, {}, pool.rejected)
    yield gauge(
        "conn_manager_commands_pending",
        "Commands without a reply so far",
        {},
        sum(each.pending for each in connections),
    )
    text = "1 while an operator lets no commands out"
    yield gauge("conn_manager_commands_paused", text, {}, pool.paused_since is not None)
    text = "Connections an operator lets carry nothing"
    yield gauge("conn_manager_connections_draining", text, {}, len(pool.draining))


def _sockets(connections: list[ConnectionStatus]) -> Iterator[Metric]:
    yield counter(
        "ws_client_bytes_received_total", "Payload bytes received", sum(each.bytes_received for each in connections)
    )
    errors: Counter[str] = Counter()
    for connection in connections:
        errors.update(connection.ws_errors)
    yield counts("ws_client_errors_total", "Sockets lost and messages that made no sense", "type", errors)
    sockets = [connection for connection in connections if connection.state in _OPEN_STATES]
    yield gauge("ws_client_connected", "Sockets that are open", {}, len(sockets))
    oldest = min((each.last_ping for each in sockets if each.last_ping), default=None)
    text = "Unix time of the last ping on the socket that has waited longest for one"
    yield gauge("ws_client_last_ping_timestamp", text, {}, oldest)


def _each_connection(connections: list[ConnectionStatus], ages: dict[int, float]) -> Iterator[Metric]:
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
        names = [str(each.conn_id), each.role.value]
        reconnects.add_metric(names, each.reconnects)
        live.add_metric(names, each.is_live)
        markets.add_metric(names, each.wanted)
        for family, at in ((message, each.last_message), (ping, each.last_ping)):
            if at:
                family.add_metric(names, at)
        if each.conn_id in ages:
            age.add_metric(names, ages[each.conn_id])
        for number, count in each.errors.items():
            refusals[each.role.channel, str(number) if 0 <= number <= MAX_CODE else "other"] += count
    yield from (reconnects, live, markets, message, ping, age)
    errors = CounterMetricFamily(
        "conn_manager_subscribe_errors_total", "Errors the exchange sent, by code", labels=["channel", "error_code"]
    )
    for (channel, code), count in refusals.items():
        errors.add_metric([channel, code], count)
    yield errors


def _registry(status: RegistryStatus) -> Iterator[Metric]:
    yield gauge("market_registry_markets_total", "Markets known", {}, status.markets_total)
    yield gauge("market_registry_active_markets", "Markets to carry now", {}, status.active_markets)
    text = "Lifecycle events by kind"
    yield counts("market_registry_lifecycle_events_total", text, "type", status.lifecycle_events)
    text = "Seconds the last complete walk over REST took"
    yield gauge("market_registry_reconcile_duration_seconds", text, {}, status.reconcile_duration)
    text = "Seconds between two walks by the settings"
    yield gauge("market_registry_reconcile_interval_seconds", text, {}, status.reconcile_interval)
    yield counts("market_registry_rest_errors_total", "REST requests that failed", "endpoint", status.rest_errors)
    text = "Open markets that no event and no earlier walk had brought"
    yield counter("market_registry_overlooked_markets_total", text, status.overlooked)
    text = "Differences between the registry and the connections that were repaired"
    yield counter("market_registry_repairs_total", text, status.repaired)
    text = "Unix time at which the last complete walk ended"
    yield gauge("market_registry_last_sync_timestamp", text, {}, status.last_sync)
    yield gauge("market_registry_exchange_active", "1 when the exchange runs", {}, status.exchange_active)
    yield gauge("market_registry_trading_active", "1 when trading is on", {}, status.trading_active)


def _capture(status: RouterStatus) -> Iterator[Metric]:
    yield gauge("router_backlog_messages", "Messages accepted and not yet written", {}, status.backlog)
    yield gauge("router_buffer_messages", "The most that may wait", {}, status.buffer_messages)
    yield gauge("router_backlog_bytes", "Memory of what is not yet written, markers included", {}, status.backlog_bytes)
    yield gauge("router_buffer_bytes", "The most memory that it may need", {}, status.buffer_bytes)
    yield gauge("router_disk_trouble", "1 while the disk refuses", {}, bool(status.trouble))
    yield counter("router_messages_written_total", "Messages written", status.written)
    yield counter("router_bytes_written_total", "Compressed bytes written", status.bytes_written)
    yield counter("router_segments_total", "Segments begun", status.segments)
    yield counter("router_write_errors_total", "Times the disk refused", status.write_errors)
    yield counter("router_markers_dropped_total", "Markers that the router had no room for", status.dropped_markers)
    text = "Segments that may have lost records because an fsync failed"
    yield counter("router_sync_failures_total", text, status.sync_failures)
    text = "Messages of a connection the router had no room for"
    yield counts("router_dropped_total", text, "conn_id", status.dropped_by_connection)
