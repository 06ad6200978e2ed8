"""What watchers get: once a second, the same bytes, and nothing is kept for a watcher that does not read."""

import json
from typing import Any

import msgspec
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from gatherer.interfaces import PoolStatus
from gatherer.ops.web import live as broadcast
from gatherer.ops.web import trends as history
from gatherer.ops.web.event_log import MAX_TEXT
from gatherer.ops.web.live import HEARTBEAT, MAX_STREAMS, MAX_UNREAD_SECONDS, LiveFeed, Stream
from gatherer.ops.web.tick import COLUMNS
from tests.ops.support import StubManager, StubRegistry, StubRouter, connection, make_events, make_health
from tests.support.wall import wall_of

MAX_BYTES = 30_000
"""What the page's documentation promises of one event."""


def parse(data: bytes) -> list[tuple[str, Any]]:
    """Events as (name, value); a comment has the name ""."""
    events = []
    for block in data.decode().removesuffix("\n\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        events.append((fields["event"], json.loads(fields["data"])) if "event" in fields else ("", fields[""]))
    return events


class Watcher:
    """The client's end of a stream."""

    def __init__(self, clock: Clock) -> None:
        self.writes: list[bytes] = []
        self.aborted = False
        self.stream = Stream(self.writes.append, self.abort, clock)

    def abort(self) -> None:
        """Cut off."""
        self.aborted = True

    def take(self) -> list[tuple[str, Any]]:
        """What came since the last time."""
        data, self.writes[:] = b"".join(self.writes), []
        return parse(data) if data else []


class CountingManager(StubManager):
    """Knows how often it was asked."""

    looks = 0

    def status(self) -> PoolStatus:
        """Count."""
        self.looks += 1
        return super().status()


class LiveFeedTests(SynchronousTestCase):
    """With parts that say what the test wants."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = 1_795_380_300.0
        self.manager, self.registry, self.router = CountingManager(), StubRegistry(), StubRouter()
        self.router.figures["dropped"] = 0
        self.events = make_events()
        health = make_health(self.manager, self.registry, self.router)
        self.feed = LiveFeed(self.clock, wall_of(self.clock), health.status, self.events)
        self.feed.startService()
        self.addCleanup(self.finish)

    def finish(self) -> None:
        """No timer is left."""
        self.feed.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def watch(self) -> Watcher:
        """A new watcher."""
        watcher = Watcher(self.clock)
        self.feed.add(watcher.stream)
        return watcher

    def seconds(self, count: int) -> None:
        """Time passes."""
        for _ in range(count):
            self.clock.advance(1)

    def test_the_first_message_has_everything(self) -> None:
        """Who comes gets ten minutes of history, the events, and the present, at once."""
        self.events.add(1.0, "info", "before")
        self.seconds(10)
        names = [name for name, _ in self.watch().take()]
        self.assertEqual(names, ["history", "events", "tick"])

    def test_a_tick_a_second(self) -> None:
        """Afterwards one tick a second, with the connections as the columns say."""
        watcher = self.watch()
        watcher.take()
        self.seconds(3)
        ticks = watcher.take()
        self.assertEqual([name for name, _ in ticks], ["tick"] * 3)
        value = ticks[-1][1]
        self.assertEqual(value["columns"], list(COLUMNS))
        row = dict(zip(value["columns"], value["connections"][1], strict=True))
        self.assertEqual((row["id"], row["role"], row["wanted"], row["held"]), (7, "orderbook_delta", 200, 199))
        self.assertAlmostEqual(row["age"], 1_795_380_303 - 1_795_380_248)
        self.assertTrue(value["health"]["ok"])
        self.assertEqual(value["pool"]["books"], 199)

    def test_one_look_for_all(self) -> None:
        """Thirty watchers cost one look a second and are sent the same bytes."""
        watchers = [self.watch() for _ in range(30)]
        looks = self.manager.looks
        for watcher in watchers:
            watcher.take()
        self.seconds(4)
        self.assertEqual(self.manager.looks - looks, 4)
        self.assertEqual(len({b"".join(watcher.writes) for watcher in watchers}), 1)
        self.assertIs(watchers[0].writes[0], watchers[1].writes[0])

    def test_little_is_done_while_nobody_watches(self) -> None:
        """One look every two seconds, and nothing is encoded."""
        self.patch(broadcast, "event", None)
        self.seconds(20)
        self.assertEqual(self.manager.looks, 10)

    def test_history_goes_on_unwatched(self) -> None:
        """Who comes after ten minutes sees ten minutes."""
        self.seconds(700)
        rows = self.watch().take()[0][1]["rows"]
        self.assertEqual(len(rows), history.MAX_SAMPLES)
        self.assertAlmostEqual(rows[-1][0] - rows[0][0], 598.0)

    def test_events_come_once(self) -> None:
        """An event is in the tick after it happened and in no later one."""
        watcher = self.watch()
        self.events.add(1.0, "warn", "lost")
        self.seconds(2)
        texts = [[row[3] for row in value["events"]] for name, value in watcher.take() if name == "tick"]
        self.assertEqual(texts, [[], ["lost"], []])

    def test_another_watcher_takes_no_event_away(self) -> None:
        """Who was there gets the event, though a new one came between it and the tick."""
        first = self.watch()
        first.take()
        self.events.add(1.0, "warn", "lost")
        self.watch()
        self.seconds(1)
        self.assertEqual([row[3] for row in first.take()[0][1]["events"]], ["lost"])

    def test_who_does_not_read_is_not_written_to(self) -> None:
        """While the transport is full nothing is written; then everything comes again, with what was missed."""
        watcher = self.watch()
        watcher.take()
        watcher.stream.pauseProducing()
        self.events.add(1.0, "warn", "missed")
        self.seconds(10)
        self.assertEqual(watcher.writes, [])
        watcher.stream.resumeProducing()
        self.seconds(1)
        names, values = zip(*watcher.take(), strict=True)
        self.assertEqual(names, ("history", "events", "tick"))
        self.assertEqual([row[3] for row in values[1]["rows"]], ["missed"])
        self.assertFalse(watcher.aborted)

    def test_who_never_reads_is_cut_off(self) -> None:
        """Patience ends."""
        watcher = self.watch()
        watcher.stream.pauseProducing()
        self.seconds(int(MAX_UNREAD_SECONDS))
        self.assertFalse(watcher.aborted)
        self.seconds(2)
        self.assertTrue(watcher.aborted)

    def test_who_is_gone_is_not_written_to(self) -> None:
        """After `remove` nothing is written, and the last one's leaving ends the ticks."""
        watcher = self.watch()
        watcher.take()
        self.feed.remove(watcher.stream)
        self.feed.remove(watcher.stream)
        self.seconds(5)
        self.assertEqual(watcher.writes, [])

    def test_there_is_an_end_to_the_room(self) -> None:
        """Streams are counted; one that ends makes room."""
        watchers = [self.watch() for _ in range(MAX_STREAMS)]
        self.assertFalse(self.feed.has_room())
        self.feed.remove(watchers[0].stream)
        self.assertTrue(self.feed.has_room())

    def test_figures_that_break_are_a_line_in_the_log(self) -> None:
        """A status that raises ends neither the ticks nor the streams, and is logged once a minute."""
        watcher = self.watch()
        watcher.take()
        good, self.manager.figures = self.manager.figures, {}
        self.seconds(30)
        self.assertEqual(set(watcher.writes), {HEARTBEAT})
        self.assertEqual(len(self.flushLoggedErrors(msgspec.ValidationError)), 1)
        watcher.take()
        self.manager.figures = good
        self.seconds(1)
        self.assertEqual([name for name, _ in watcher.take()], ["tick"])

    def test_no_event_is_large(self) -> None:
        """150 connections at their longest, a full history and a full journal: each event is under 30 KB."""
        self.manager.figures["connections"] = [
            connection(
                i, "orderbook_delta", state="subscribing", wanted=7500, held=7500, owed=7500, received=i * 12345,
                gaps=99_999, reconnects=99_999, next_dial_in=299.87, last_message=1_795_000_000.123,
            )
            for i in range(1, 151)
        ]  # fmt: skip
        self.registry.figures["lifecycle_events"] = {f"{'x' * 200}{i}": i for i in range(50)}
        self.router.figures["trouble"] = "x" * 9999
        for _ in range(700):
            self.events.add(1_795_380_300.0, "critical", "ä" * MAX_TEXT, 150)
            self.manager.figures["connections"][0]["received"] += 10**7
            self.seconds(1)
        watcher = self.watch()
        for _ in range(200):
            self.events.add(1_795_380_300.0, "critical", "ä" * MAX_TEXT, 150)
        self.seconds(1)
        blocks = b"".join(watcher.writes).split(b"\n\n")
        self.assertEqual(len(blocks), 5)
        for block in blocks:
            self.assertLess(len(block), MAX_BYTES, block[:20])
