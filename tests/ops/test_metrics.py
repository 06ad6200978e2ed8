"""The metrics: names, labels and figures."""

from typing import Any

from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import REGISTRY
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.interfaces import IConnectionManager, IMarketRegistry, IMessageRouter
from gatherer.ops.metrics import make_registry
from gatherer.values import Role
from tests.ops.support import StubManager, StubRegistry, StubRouter, connection, make_health

PROMISED = """
conn_manager_connections_total conn_manager_connections_healthy{role} conn_manager_subscriptions_total
conn_manager_markets_total conn_manager_messages_received_total conn_manager_messages_forwarded_total
conn_manager_messages_dropped_total conn_manager_sequence_gaps_total conn_manager_reconnects_total{conn_id,role}
conn_manager_subscribe_errors_total{channel,error_code} ws_client_bytes_received_total ws_client_errors_total{type}
ws_client_last_ping_timestamp ws_client_connected market_registry_markets_total market_registry_active_markets
market_registry_lifecycle_events_total{type} market_registry_reconcile_duration_seconds
market_registry_rest_errors_total{endpoint} market_registry_last_sync_timestamp market_registry_exchange_active
conn_manager_markets_wanted conn_manager_markets_held conn_manager_markets_owed gatherer_markets_without_book
conn_manager_divergence
conn_manager_commands_pending router_backlog_messages
"""


class MetricsTests(SynchronousTestCase):
    """make_registry."""

    def setUp(self) -> None:
        self.manager, self.registry, self.router = StubManager(), StubRegistry(), StubRouter()
        self.health = make_health(self.manager, self.registry, self.router, Clock())

    def collectors(self) -> Any:
        """A registry of these parts."""
        return make_registry(self.health)

    def text(self, accept: str = "") -> str:
        """A scrape."""
        encode, _ = choose_encoder(accept)
        return str(encode(self.collectors()).decode())

    def samples(self) -> dict[str, float]:
        """All samples of a scrape, by name and labels."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(self.text()):
            for sample in family.samples:
                labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
                found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
        return found

    def test_stubs_keep_the_contracts(self) -> None:
        """The stubs provide what they stand in for."""
        verifyObject(IConnectionManager, self.manager)
        verifyObject(IMarketRegistry, self.registry)
        verifyObject(IMessageRouter, self.router)

    def test_every_promised_name_is_there_with_its_labels(self) -> None:
        """Each metric of the architecture document has a sample with exactly the labels it names."""
        self.manager.figures["connections"][1].update(errors={26: 1}, ws_errors={"ConnectionLost": 1})
        found = {
            name.split("{")[0]: [label.split("=")[0] for label in name[:-1].split("{")[1].split(",")]
            if "{" in name
            else []
            for name in self.samples()
        }
        for promise in PROMISED.split():
            name, _, labels = promise.rstrip("}").partition("{")
            self.assertIn(name, found)
            self.assertEqual(found[name], labels.split(",") if labels else [], name)

    def test_figures(self) -> None:
        """Sums are over all connections; dropped messages are the router's."""
        self.manager.figures["connections"][1].update(errors={26: 4}, ws_errors={"ConnectionLost": 2})
        self.manager.figures["connections"].append(connection(5, "market_lifecycle", state="waiting", errors={8: 1}))
        found = self.samples()
        expected = {
            "conn_manager_connections_total": 3,
            "conn_manager_connections_healthy{role=ticker}": 1,
            "conn_manager_connections_healthy{role=market_lifecycle}": 0,
            "conn_manager_messages_received_total": 150,
            "conn_manager_messages_forwarded_total": 135,
            "conn_manager_messages_dropped_total": 4,
            "conn_manager_sequence_gaps_total": 3,
            "conn_manager_reconnects_total{conn_id=7,role=orderbook_delta}": 2,
            "conn_manager_subscribe_errors_total{channel=orderbook_delta,error_code=26}": 4,
            "conn_manager_subscribe_errors_total{channel=market_lifecycle_v2,error_code=8}": 1,
            "conn_manager_markets_wanted": 200,
            "conn_manager_markets_held": 199,
            "conn_manager_divergence": 1,
            "conn_manager_commands_paused": 0,
            "conn_manager_connections_draining": 0,
            "ws_client_errors_total{type=ConnectionLost}": 2,
            "ws_client_connected": 2,
            "ws_client_last_ping_timestamp": 1795380241,
            "market_registry_lifecycle_events_total{type=created}": 5,
            "market_registry_reconcile_duration_seconds": 12.5,
            "market_registry_rest_errors_total{endpoint=/markets}": 3,
            "market_registry_exchange_active": 1,
            "market_registry_trading_active": 0,
            "router_backlog_messages": 6,
            "router_dropped_total{conn_id=7}": 4,
        }
        self.assertEqual({name: found.get(name) for name in expected}, expected)

    def test_what_operators_did_shows(self) -> None:
        """A pause and a drain that somebody forgot can be alerted on."""
        self.manager.figures.update(paused_since=1795380000.0, draining=[7, 8])
        found = self.samples()
        self.assertEqual(found["conn_manager_commands_paused"], 1)
        self.assertEqual(found["conn_manager_connections_draining"], 2)

    def test_what_is_not_known_has_no_sample(self) -> None:
        """Before the first walk, ping and message there is no figure, not a zero that looks like one."""
        self.registry.figures.update(last_sync=None, reconcile_duration=None, exchange_active=None)
        for each in self.manager.figures["connections"]:
            each.update(last_ping=None, last_message=None)
        found = self.samples()
        for name in (
            "market_registry_last_sync_timestamp",
            "market_registry_exchange_active",
            "ws_client_last_ping_timestamp",
        ):
            self.assertNotIn(name, found)

    def test_figures_are_read_at_every_scrape(self) -> None:
        """A second scrape of one registry shows the figures of now."""
        registry = self.collectors()
        self.assertEqual(registry.get_sample_value("router_backlog_messages"), 6)
        self.router.figures["backlog"] = 7
        self.assertEqual(registry.get_sample_value("router_backlog_messages"), 7)

    def test_openmetrics_can_be_made(self) -> None:
        """Who asks for OpenMetrics gets a complete answer."""
        self.assertTrue(self.text("application/openmetrics-text; version=1.0.0").endswith("# EOF\n"))

    def test_nothing_is_global(self) -> None:
        """The process-wide registry of prometheus_client knows nothing of ours, and two of ours do not collide."""
        self.collectors()
        self.collectors()
        self.assertIsNone(REGISTRY.get_sample_value("router_backlog_messages"))

    def test_what_was_measured_is_in_buckets(self) -> None:
        """Replies, reads, ages and lags are histograms: cumulative, with the number and the sum of all."""
        meters = self.health.meters
        for seconds in (0.004, 0.02, 7.0):
            meters.reply_latency.observe(seconds)
        meters.reactor_lag.observe(0.3)
        meters.message_age[Role.TICKER].observe(-0.5)
        for size in (1, 2, 40):
            meters.batches[size.bit_length()] += 1
        expected = {
            "conn_manager_reply_latency_seconds_bucket{le=0.005}": 1,
            "conn_manager_reply_latency_seconds_bucket{le=0.025}": 2,
            "conn_manager_reply_latency_seconds_bucket{le=+Inf}": 3,
            "conn_manager_reply_latency_seconds_count": 3,
            "conn_manager_reply_latency_seconds_sum": 7.024,
            "conn_manager_batch_messages_bucket{le=1.0}": 1,
            "conn_manager_batch_messages_bucket{le=3.0}": 2,
            "conn_manager_batch_messages_bucket{le=63.0}": 3,
            "conn_manager_batch_messages_sum": 100,
            "conn_manager_message_age_seconds_bucket{le=0.0,role=ticker}": 1,
            "conn_manager_message_age_seconds_count{role=ticker}": 1,
            "conn_manager_message_age_seconds_count{role=trade}": 0,
            "gatherer_reactor_lag_seconds_bucket{le=0.25}": 0,
            "gatherer_reactor_lag_seconds_bucket{le=0.5}": 1,
        }
        found = self.samples()
        self.assertEqual({name: found.get(name) for name in expected}, expected)

    def test_error_codes_are_few(self) -> None:
        """Whatever numbers the exchange makes up, they are one label."""
        self.manager.figures["connections"][1].update(errors={26: 1, 1000: 2, -5: 3, 2**70: 4})
        found = {name: value for name, value in self.samples().items() if "subscribe_errors" in name}
        self.assertEqual(sorted(found.values()), [1, 9])

    def test_the_verdict_is_there_too(self) -> None:
        """What /health says is a metric, part by part."""
        self.router.figures["trouble"] = "no space"
        found = self.samples()
        self.assertEqual(found["gatherer_healthy"], 0)
        self.assertEqual(found["gatherer_component_state{component=capture}"], 2)
        self.assertEqual(found["router_disk_trouble"], 1)
        self.assertEqual(found["gatherer_paused"], 0)
