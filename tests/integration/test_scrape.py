"""Compares alerts, dashboard and docs with a scrape of a gatherer on real sockets.

With Debian's `prometheus` installed, promtool checks rules and expressions too, and runs the alerts' own tests.
"""

import json
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from gatherer.config.settings import PoolSettings
from gatherer.ops.metrics import make_registry
from gatherer.values import RawMessage
from tests.support.loopback_service import LoopbackService, run
from tests.support.promql import named, wrong

TREE = Path(__file__).resolve().parent.parent.parent
PROMETHEUS = TREE / "conf" / "prometheus"
ALERTS = PROMETHEUS / "alerts.yml"
DASHBOARD = TREE / "conf" / "grafana" / "gatherer.json"
METRICS = TREE / "docs" / "metrics.md"
OPERATIONS = TREE / "docs" / "operations.md"
POOL = PoolSettings(dial_rate=200.0, orderbook=4, min_healthy=10)


def rules() -> list[dict[str, str]]:
    """Each alert: its name, `expr`, and the text of the rest. Read by its lines: there is no YAML library here."""
    found = []
    for block in re.split(r"^      - alert: ", ALERTS.read_text(), flags=re.MULTILINE)[1:]:
        name, _, rest = block.partition("\n")
        expression, _, rest = rest.partition("        labels:")
        expression = re.sub(r"^\s*(?:expr: >-|for: \w+)$", "", expression, flags=re.MULTILINE)
        found.append({"alert": name, "expr": " ".join(expression.split()), "rest": rest})
    return found


def panels() -> Iterator[dict[str, Any]]:
    """Of the dashboard."""
    yield from json.loads(DASHBOARD.read_text())["panels"]


def expressions() -> list[str]:
    """Of the dashboard: panels, annotations."""
    board = json.loads(DASHBOARD.read_text())
    found = [target["expr"] for panel in panels() for target in panel.get("targets", [])]
    return found + [each["expr"] for each in board["annotations"]["list"]]


def promtool(*arguments: str) -> str:
    """The output of promtool. Fails if promtool fails, skips if it is not installed."""
    tool = shutil.which("promtool")
    if tool is None:
        raise SkipTest("promtool is not installed (Debian's package prometheus has it)")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return done.stdout


class ScrapeTests(TestCase):
    """One scrape of a gatherer after every event that has a metric."""

    timeout = 60
    _families: ClassVar[list[Metric]] = []

    def setUp(self) -> Any:
        from twisted.internet import reactor

        async def scene() -> None:
            loopback = LoopbackService(reactor, self.mktemp(), 200, 500.0, POOL)
            try:
                loopback.exchange.faults.rest_status(503)
                await loopback.open()
                await self._trouble(loopback)
                registry = make_registry(loopback.gatherer.getServiceNamed("health"))
                text = choose_encoder("")[0](registry).decode()
                self._families.extend(text_string_to_metric_families(text))
            finally:
                await loopback.close()

        return None if self._families else run(scene())

    async def _trouble(self, loopback: LoopbackService) -> None:
        loopback.exchange.faults.error(18)
        loopback.exchange.create_market()
        await loopback.until(lambda: any(c.errors for c in loopback.gatherer.manager.status().connections))
        loopback.exchange.faults.cut()
        await loopback.until(lambda: any(c.reconnects for c in loopback.gatherer.manager.status().connections))
        await loopback.until(loopback.is_whole)
        await loopback.until(lambda: loopback.gatherer.getServiceNamed("health").observations().feed is not None)
        loopback.gatherer.manager.connections()[0].pinged()  # the first real ping comes after ten seconds
        loopback.gatherer.router.deliver([RawMessage(b"{}", 7, 1)] * 150_000)

    def samples(self) -> list[tuple[str, dict[str, str]]]:
        """Name and labels."""
        return [(sample.name, sample.labels) for family in self._families for sample in family.samples]

    def test_every_alert_names_what_is_there(self) -> None:
        """Metrics, labels and compared values exist. Annotations use labels that the expression keeps."""
        self.assertGreater(len(rules()), 20)
        samples = self.samples()
        for rule in rules():
            self.assertEqual(wrong(rule["expr"], samples), [], rule["alert"])
            there = {label for name, labels in samples if name in named(rule["expr"]).metrics for label in labels}
            for label in re.findall(r"\$labels\.(\w+)", rule["rest"]):
                self.assertIn(label, there | {"job", "instance"}, rule["alert"])

    def test_every_panel_names_what_is_there(self) -> None:
        """The same holds for each expression of the dashboard. Its labels are shown."""
        samples = self.samples()
        self.assertGreater(len(expressions()), 40)
        for expression in expressions():
            self.assertEqual(wrong(expression, samples), [], expression)
        for panel in panels():
            for target in panel.get("targets", []):
                there = {label for name, labels in samples if name in named(target["expr"]).metrics for label in labels}
                for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                    self.assertIn(label, there | {"job", "instance"}, panel["title"])

    def test_the_page_has_every_metric_as_it_is(self) -> None:
        """docs/metrics.md has each metric with its type and its labels, and no other."""
        rows = re.findall(r"^\| `([\w{},]+)` \| (\w+) \| ", METRICS.read_text(), re.MULTILINE)
        told = {name.partition("{")[0]: (kind, name.partition("{")[2].rstrip("}")) for name, kind in rows}
        self.assertEqual(len(told), len(rows))
        found = {}
        for family in self._families:
            labels: dict[str, None] = {}
            for sample in family.samples:
                labels.update(dict.fromkeys(label for label in sample.labels if label != "le"))
            suffix = "_total" if family.type == "counter" else ""
            found[f"{family.name}{suffix}"] = (family.type, ",".join(labels))
        self.maxDiff = None
        self.assertEqual(told, found)

    def test_series_are_bounded(self) -> None:
        """A connection has six series, and one more if messages of it were dropped. The rest has few."""
        each = Counter(labels["conn_id"] for _, labels in self.samples() if "conn_id" in labels)
        self.assertLessEqual(max(each.values()), 7)
        others = sum("conn_id" not in labels for _, labels in self.samples())
        self.assertLess(others, 300)


class AlertFileTests(SynchronousTestCase):
    """conf/prometheus."""

    def test_every_alert_has_its_section(self) -> None:
        """docs/operations.md has a section for each alert and for no other, and the alert points to it."""
        names = [rule["alert"] for rule in rules()]
        self.assertEqual(len(set(names)), len(names))
        self.assertEqual(re.findall(r"^### (Gatherer\w+)$", OPERATIONS.read_text(), re.MULTILINE), names)
        for rule in rules():
            self.assertIn(f"runbook: docs/operations.md#{rule['alert'].lower()}\n", rule["rest"])
            self.assertRegex(rule["rest"], r"severity: (critical|warning|info)\n")

    def test_a_section_says_what_to_do(self) -> None:
        """Each has the meaning, the first look and the cure."""
        for section in re.split(r"^### Gatherer", OPERATIONS.read_text(), flags=re.MULTILINE)[1:]:
            for word in ("**Means.**", "**First look.**", "**Cure.**"):
                self.assertIn(word, section.split("\n## ")[0], section[:40])

    def test_inhibitions_name_alerts(self) -> None:
        """Each name in inhibit.yml is one of ours, or a pattern that matches some."""
        names = [rule["alert"] for rule in rules()]
        for pattern in re.findall(r'alertname (?:=~|=|!=) "?([^"\']+)', (PROMETHEUS / "inhibit.yml").read_text()):
            for part in re.split(r"\|(?![^(]*\))", pattern):
                self.assertTrue([name for name in names if re.fullmatch(part, name)], part)

    def test_every_alert_is_tested(self) -> None:
        """alerts_test.yml makes each of them fire."""
        tested = (PROMETHEUS / "alerts_test.yml").read_text()
        for rule in rules():
            self.assertRegex(tested, rf'alertname(?:: |="){rule["alert"]}\b')

    def test_promtool_accepts_the_rules(self) -> None:
        """promtool accepts all rules."""
        self.assertIn(f"{len(rules())} rules found", promtool("check", "rules", str(ALERTS)))

    def test_promtool_runs_the_tests_of_the_rules(self) -> None:
        """Each alert fires when it should, a healthy hour is silent, a pause inhibits."""
        self.assertIn("SUCCESS", promtool("test", "rules", str(PROMETHEUS / "alerts_test.yml")))


class DashboardTests(SynchronousTestCase):
    """conf/grafana/gatherer.json."""

    def test_panels(self) -> None:
        """Each has its own number and a place on the grid; the data source is asked for at the import."""
        board, found = json.loads(DASHBOARD.read_text()), list(panels())
        self.assertEqual(len({panel["id"] for panel in found}), len(found))
        self.assertEqual(len({panel["title"] for panel in found}), len(found))
        for panel in found:
            self.assertLessEqual(panel["gridPos"]["x"] + panel["gridPos"]["w"], 24)
            if panel["type"] != "row":
                self.assertEqual(panel["datasource"], {"type": "prometheus", "uid": "${datasource}"})
        variables = {variable["name"]: variable["type"] for variable in board["templating"]["list"]}
        self.assertEqual(variables, {"datasource": "datasource", "job": "query", "instance": "query"})

    def test_promtool_can_read_the_expressions(self) -> None:
        """Once Grafana has put its variables in."""
        rows = ["groups:", "- name: dashboard", "  rules:"]
        for number, expression in enumerate(expressions()):
            plain = expression.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$instance", ".*")
            rows += [f"  - record: panel{number}", f"    expr: {json.dumps(plain)}"]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write("\n".join(rows) + "\n")
            file.flush()
            promtool("check", "rules", file.name)
