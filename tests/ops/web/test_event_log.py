"""Which events are news, and that no flood, length or secret gets into them."""

from typing import Any

import msgspec
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from gatherer.ops.web.event_log import COLUMNS, MAX_BYTES, MAX_ENTRIES, MAX_TEXT, EventLog


class EventLogTests(SynchronousTestCase):
    """Fed by a publisher of its own."""

    def setUp(self) -> None:
        self.publisher = LogPublisher()
        self.events = EventLog(self.publisher)
        self.events.startService()

    def log(self, namespace: str, level: LogLevel, format: str, **fields: Any) -> None:
        """Log as a module would."""
        Logger(namespace, observer=self.publisher).emit(level, format, **fields)

    def rows(self) -> list[dict[str, Any]]:
        """What is in it."""
        return [dict(zip(COLUMNS, row, strict=True)) for row in self.events.since(0)]

    def test_a_line_of_the_log_is_an_event(self) -> None:
        """Text and level are the log's; the connection is found in the name that the line gives."""
        self.log("gatherer.exchange.connection.Connection", LogLevel.warn, "{name} lost", name="orderbook_delta-17")
        self.log("gatherer.pool.manager.ConnectionManager", LogLevel.error, "moving from {conn_id}", conn_id=9)
        self.log("gatherer.registry.registry", LogLevel.info, "walk of {name}", name="ticker-x")
        rows = self.rows()
        self.assertEqual(
            [row["text"] for row in rows], ["orderbook_delta-17 lost", "moving from 9", "walk of ticker-x"]
        )
        self.assertEqual([row["level"] for row in rows], ["warn", "error", "info"])
        self.assertEqual([row["conn_id"] for row in rows], [17, 9, None])
        self.assertEqual(self.events.about(17), self.events.since(0)[:1])

    def test_what_is_no_news(self) -> None:
        """Debug lines, other people's, the pulse, the demo exchange's own, and gaps, which are counted elsewhere."""
        self.log("gatherer.registry.registry", LogLevel.debug, "detail")
        self.log("twisted.web", LogLevel.error, "theirs")
        self.log("gatherers.other", LogLevel.error, "theirs")
        self.log("gatherer.ops.summary.Summary", LogLevel.info, "150/150 live")
        self.log("gatherer.simulator.server.websocket", LogLevel.info, "session reads too slowly")
        self.log("gatherer.exchange.error_log.ErrorLog", LogLevel.warn, "{where}: {kind}", where="trade-3", kind="gap")
        self.publisher({"message": ("no level",)})
        self.assertEqual(self.rows(), [])

    def test_secrets_stay_out(self) -> None:
        """A careless line shows here no more than in the log."""
        key = "\n".join((f"-----BEGIN {'PRIVATE'} KEY-----", "abc", "-----END PRIVATE KEY-----"))
        self.log("gatherer.x", LogLevel.info, "with {private_key} and {text}", private_key="abc", text=key)
        self.assertNotIn("abc", self.rows()[0]["text"])

    def test_a_text_is_one_line_and_short(self) -> None:
        """What the exchange sends may be quoted, whatever it is."""
        self.log("gatherer.x", LogLevel.warn, "{text}", text="a\nb\x1b[31m" + "ä" * 9999)
        text = self.rows()[0]["text"]
        self.assertTrue(text.startswith("a b"))
        self.assertEqual(len(text), MAX_TEXT)

    def test_it_is_a_ring(self) -> None:
        """The oldest go; ids go on."""
        for number in range(MAX_ENTRIES + 5):
            self.events.add(0.0, "info", f"event {number}")
        self.assertEqual((self.rows()[0]["id"], self.rows()[-1]["id"]), (6, MAX_ENTRIES + 5))

    def test_since(self) -> None:
        """Only what is newer, in order."""
        for number in range(5):
            self.events.add(0.0, "info", f"event {number}")
        self.assertEqual([row[0] for row in self.events.since(3)], [4, 5])
        self.assertEqual(self.events.since(5), [])

    def test_a_flood_of_long_events_is_cut(self) -> None:
        """What goes to the page at once is bounded in bytes; the newest are what it gets."""
        for _ in range(MAX_ENTRIES):
            self.events.add(1795380241.1, "critical", "ä" * MAX_TEXT, 150)
        rows = self.events.since(0)
        self.assertTrue(10 < len(rows) < MAX_ENTRIES)
        self.assertEqual(rows[-1][0], MAX_ENTRIES)
        self.assertLess(len(msgspec.json.encode(rows)), MAX_BYTES)
