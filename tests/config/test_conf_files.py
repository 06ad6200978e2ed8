"""The shipped settings files and the reference page agree with the code."""

import os
import tomllib
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from gatherer.config import load_settings
from gatherer.config.document import as_markdown, as_toml
from gatherer.config.settings import Settings, every_key, tables

TREE = Path(__file__).resolve().parents[2]
DEFAULT_FILE = TREE / "conf" / "gatherer.toml"
DEMO_FILE = TREE / "conf" / "demo-exchange.toml"
REFERENCE = TREE / "docs" / "settings.md"


class DefaultFileTests(SynchronousTestCase):
    """conf/gatherer.toml."""

    def test_it_is_up_to_date(self) -> None:
        """It equals what gatherer/config generates; CONTRIBUTING.md has the command."""
        self.assertEqual(DEFAULT_FILE.read_text(encoding="utf-8"), as_toml())

    def test_every_key_with_its_default(self) -> None:
        """It has exactly the keys of all tables, each with its default value."""
        expected: dict[str, dict[str, object]] = {table: {} for table in tables()}
        for key in every_key():
            expected[key.table][key.name] = key.default
        self.assertEqual(tomllib.loads(DEFAULT_FILE.read_text(encoding="utf-8")), expected)

    def test_it_loads_to_the_defaults(self) -> None:
        """Loading it gives exactly the defaults, with the capture in the working directory."""
        router = replace(Settings().router, directory=os.path.abspath("capture"))
        self.assertEqual(load_settings(str(DEFAULT_FILE), {}), replace(Settings(), router=router))

    def test_each_key_is_explained(self) -> None:
        """Directly above each key is a comment with its meaning and reason, in lines that fit a terminal."""
        lines = DEFAULT_FILE.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            self.assertTrue(len(line) <= 120, line)
            if " = " in line and not line.startswith("#"):
                self.assertTrue(lines[number - 1].startswith("# "), line)
        self.assertEqual("\n".join(lines).count("Why:"), len(list(every_key())))


class DemoFileTests(SynchronousTestCase):
    """conf/demo-exchange.toml."""

    def setUp(self) -> None:
        self.settings = load_settings(str(DEMO_FILE), {})

    def test_it_stays_within_ten_connections(self) -> None:
        """The demo exchange refuses the eleventh connection (protocol section 1), and each role needs one."""
        pool = self.settings.pool
        self.assertTrue(pool.connections <= 10)
        self.assertTrue(min(pool.ticker, pool.trade, pool.lifecycle, pool.orderbook) >= 1)
        self.assertTrue(pool.min_healthy < pool.connections)
        self.assertEqual(pool.dial_rate, 1.0)

    def test_it_has_room_for_all_markets(self) -> None:
        """There is room for the 68,000 markets seen open on demo; no connection carries more than was tried."""
        self.assertTrue(self.settings.pool.orderbook * self.settings.orderbook.markets_per_connection >= 68_000)
        self.assertTrue(self.settings.orderbook.markets_per_connection <= 22_500)

    def test_it_names_no_host_of_production(self) -> None:
        """Its URLs are those of demo, and its capture has its own folder."""
        exchange = self.settings.exchange
        self.assertEqual(exchange.websocket_url, "wss://external-api-ws.demo.kalshi.co/trade-api/ws/v2")
        self.assertEqual(exchange.rest_url, "https://external-api.demo.kalshi.co/trade-api/v2")
        self.assertNotEqual(Path(self.settings.router.directory).name, Settings().router.directory)


class ReferenceTests(SynchronousTestCase):
    """docs/settings.md."""

    def test_it_is_up_to_date(self) -> None:
        """It equals what gatherer/config generates."""
        self.assertEqual(REFERENCE.read_text(encoding="utf-8"), as_markdown())

    def test_it_names_every_key(self) -> None:
        """It has a row for each key, and no text breaks its row."""
        rows = [line for line in as_markdown().splitlines() if line.startswith("| `")]
        self.assertEqual([row.split("`")[1] for row in rows], [key.name for key in every_key()])
        self.assertEqual({row.count("|") for row in rows}, {7})
