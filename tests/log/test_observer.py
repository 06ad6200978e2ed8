"""The text of the log, its levels and its limits; no secrets in it."""

import io
import json
import os
import tempfile
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, Logger, LogLevel, PredicateResult
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from gatherer.errors import ConfigError
from gatherer.log.levels import LevelControl
from gatherer.log.observer import LineObserver, format_json, format_text, is_journal, make_observer
from gatherer.log.repeats import MAX_LINES, WINDOW_SECONDS, RepeatSuppressor
from gatherer.log.throttle import Throttle
from tests.ops.support import Remembering

PEM = "-----BEGIN {0}-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END {0}-----".format("PRIVATE KEY")
"""Has the form of a private key, but is not one."""


def event(**fields: Any) -> dict[str, Any]:
    """An event as `twisted.logger` makes it."""
    return {
        "log_time": 1795380241.5,
        "log_level": LogLevel.warn,
        "log_namespace": "gatherer.pool.manager",
        "log_format": "slot {slot} live",
        "slot": 7,
        **fields,
    }


def failure() -> Failure:
    """A failure with a traceback."""
    try:
        raise ValueError("deep trouble")
    except ValueError:
        return Failure()


class FormatTests(SynchronousTestCase):
    """format_text and format_json."""

    def test_text_line(self) -> None:
        """Time in UTC with milliseconds, level, component, message."""
        self.assertEqual(format_text(event()), "2026-11-22T20:44:01.500Z warn     gatherer.pool.manager: slot 7 live")

    def test_json_line(self) -> None:
        """The same facts as keys, and the fields with their types."""
        self.assertEqual(
            json.loads(format_json(event(rate=1.5, up=True, none=None))),
            {
                "time": "2026-11-22T20:44:01.500Z",
                "level": "warn",
                "component": "gatherer.pool.manager",
                "event": "slot 7 live",
                "fields": {"slot": 7, "rate": 1.5, "up": True, "none": None},
            },
        )

    def test_tracebacks_are_included(self) -> None:
        """The traceback of a failure has its own lines in text, and its own field in JSON."""
        broken = event(log_failure=failure())
        text, record = format_text(broken), json.loads(format_json(broken))
        self.assertIn("\n    ", text)
        for traceback in (text, record["traceback"]):
            self.assertIn("deep trouble", traceback)
            self.assertIn("test_observer.py", traceback)

    def test_a_line_break_cannot_forge_a_line(self) -> None:
        """Further lines of a text are indented, so that they cannot look like a second event."""
        for line in format_text(event(slot="x\n2026-11-22T20:44:01.500Z error gatherer: forged\r")).splitlines()[1:]:
            self.assertTrue(line.startswith("    "))
        self.assertEqual(format_json(event(slot="x\ny")).count("\n"), 0)

    def test_no_control_character_reaches_a_terminal(self) -> None:
        """Escape sequences in a text are shown as visible characters."""
        line = format_text(event(slot="\x1b[2J\x07\u2028"))
        self.assertTrue(line.isprintable(), line)
        self.assertIn("\\x1b[2J", line)

    def test_key_material_never_appears(self) -> None:
        """A field with the name of a secret is hidden, and so is a PEM block in any field, message or traceback."""
        try:
            raise ValueError(f"cannot load {PEM}")
        except ValueError:
            broken = Failure()
        careless = event(
            log_format="key {private_key} {text} {slot!r}", private_key="MC4CAQ", text=PEM, slot={"a": PEM},
            password="hunter2", log_failure=broken,
        )  # fmt: skip
        for formatted in (format_text(careless), format_json(careless)):
            self.assertNotIn("MC4CAQ", formatted)
            self.assertNotIn("hunter2", formatted)
            self.assertIn("slot", formatted + " slot")

    def test_a_value_that_cannot_be_printed_costs_only_itself(self) -> None:
        """An event is logged even if `str` of a field raises."""

        class Odd:
            def __str__(self) -> str:
                raise ValueError("no")

        record = json.loads(format_json(event(odd=Odd())))
        self.assertEqual(record["event"], "slot 7 live")
        self.assertIn("unprintable", record["fields"]["odd"])

    @settings(deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(["slot", "a", "b"]),
            st.one_of(
                st.text(alphabet="ab\n\r\x1b\u2028{}é"),
                st.binary(),
                st.integers(),
                st.floats(),
                st.sampled_from(["\ud800", 2**80, ...]),
            ),
        )
    )
    def test_every_event_is_one_json_line(self, fields: dict[str, Any]) -> None:
        """Any fields give one line of JSON, and text that can be encoded."""
        line = format_json(event(**fields))
        self.assertEqual(line.encode().count(b"\n"), 0)
        json.loads(line)
        format_text(event(**fields)).encode()


class ObserverTests(SynchronousTestCase):
    """make_observer."""

    def logged(self, style: str, level: str) -> list[str]:
        """The lines of one event of each level."""
        stream = io.StringIO()
        log = Logger(namespace="gatherer.test", observer=make_observer(stream, style, LevelControl(level)))
        for each in LogLevel.iterconstants():
            log.emit(each, "an event")
        return stream.getvalue().splitlines()

    def test_observers_keep_the_contract(self) -> None:
        """What make_observer returns, and LineObserver, provide ILogObserver."""
        verifyObject(ILogObserver, make_observer(io.StringIO(), "text", LevelControl()))
        verifyObject(ILogObserver, LineObserver(io.StringIO(), format_text))

    def test_threshold(self) -> None:
        """Events below the level are dropped; the others are logged."""
        self.assertEqual(len(self.logged("text", "debug")), 5)
        self.assertEqual(len(self.logged("json", "warn")), 3)
        self.assertEqual(len(self.logged("json", "critical")), 1)

    def test_frequent_events_of_twisted_are_dropped(self) -> None:
        """At "info" Twisted's frequent events are dropped, but not its warnings; "debug" logs everything."""
        for level, expected in (("info", ["w"]), ("debug", ["i", "w"])):
            stream = io.StringIO()
            observer = make_observer(stream, "text", LevelControl(level))
            log = Logger(namespace="twisted.web.client._HTTP11ClientFactory", observer=observer)
            log.info("i")
            log.warn("w")
            self.assertEqual([line[-1] for line in stream.getvalue().splitlines()], expected)

    def test_unknown_settings_are_refused(self) -> None:
        """An unknown format or level is an error that names the key, and the level does not change."""
        error = self.assertRaises(ConfigError, make_observer, io.StringIO(), "xml", LevelControl())
        self.assertIn("[log] format", str(error))
        levels = LevelControl("warn")
        self.assertIn("[log] level", str(self.assertRaises(ConfigError, levels.set, "loud")))
        self.assertEqual(levels.level, "warn")

    def test_the_level_changes_at_once(self) -> None:
        """A change of the level holds for the events after it."""
        stream, levels = io.StringIO(), LevelControl("info")
        log = Logger(namespace="gatherer.test", observer=make_observer(stream, "text", levels))
        for level in ("info", "debug", "error"):
            levels.set(level)
            log.debug(f"d at {level}")
            log.info(f"i at {level}")
        self.assertEqual([line[-10:].strip() for line in stream.getvalue().splitlines()],
                         ["i at info", "d at debug", "i at debug"])  # fmt: skip

    def test_a_component_can_have_a_level_of_its_own(self) -> None:
        """A level for a component holds below it too, survives a change of the general level, and None removes it."""
        levels = LevelControl()
        levels.set("debug", "gatherer.exchange")
        levels.set("warn")
        self.assertEqual(levels.describe(), "warn; debug for gatherer.exchange")

        def passes(namespace: str, level: LogLevel) -> bool:
            return levels({"log_namespace": namespace, "log_level": level}) is PredicateResult.maybe

        self.assertTrue(passes("gatherer.exchange.session.Session", LogLevel.debug))
        self.assertFalse(passes("gatherer.pool.manager", LogLevel.info))
        levels.set(None, "gatherer.exchange")
        self.assertFalse(passes("gatherer.exchange.session.Session", LogLevel.debug))
        for level in (None, "loud"):
            self.assertRaises(ConfigError, levels.set, level)
        self.assertEqual(levels.describe(), "warn")

    def test_journal_lines_have_priorities_and_no_time(self) -> None:
        """Each line, also of a traceback, starts with the priority of its level. JSON keeps its time."""
        for style, expected in (("text", "<4>gatherer.pool.manager: slot 7 live"), ("json", '<4>{"time":"2026-11-22T')):
            stream = io.StringIO()
            make_observer(stream, style, LevelControl(), journal=True)(event(log_failure=failure()))
            lines = stream.getvalue().splitlines()
            self.assertTrue(lines[0].startswith(expected), lines)
            self.assertEqual({line[:3] for line in lines}, {"<4>"})

    def test_the_journal_is_known_by_its_file(self) -> None:
        """Only the stream with device and inode of $JOURNAL_STREAM is the journal."""
        with tempfile.TemporaryFile("w") as file:
            found = os.fstat(file.fileno())
            self.assertTrue(is_journal(file, f"{found.st_dev}:{found.st_ino}"))
            self.assertFalse(is_journal(file, "8:1"))
            self.assertFalse(is_journal(file, ""))
        self.assertFalse(is_journal(file, f"{found.st_dev}:{found.st_ino}"))
        self.assertFalse(is_journal(io.StringIO(), "8:1"))

    def test_a_closed_stream_raises_nothing(self) -> None:
        """A log that cannot be written does not stop the caller."""
        stream = io.StringIO()
        observer = make_observer(stream, "text", LevelControl())
        stream.close()
        observer(event())


class RepeatsTests(SynchronousTestCase):
    """RepeatSuppressor."""

    def setUp(self) -> None:
        self.written: list[dict[str, Any]] = []
        self.repeats = RepeatSuppressor(Remembering(self.written))

    def say(self, at: float, **fields: Any) -> None:
        """An event `at` seconds."""
        self.repeats(event(log_time=at, **fields))

    def texts(self) -> list[str]:
        """What was written."""
        return [format_text(each).split(": ", 1)[1] for each in self.written]

    def test_a_storm_is_a_few_lines_and_a_count(self) -> None:
        """Of 150 equal lines ten are written. Before the next line of any kind comes the count of the others."""
        for slot in range(150):
            self.say(100.0 + slot / 150, slot=slot)
        self.assertEqual(len(self.written), MAX_LINES)
        self.say(100.0 + WINDOW_SECONDS, log_format="the summary")
        self.assertEqual(self.texts()[MAX_LINES:], ["140 more such lines, the last: slot 149 live", "the summary"])
        self.assertEqual(self.written[MAX_LINES]["log_level"], LogLevel.warn)

    def test_rare_lines_are_written(self) -> None:
        """A line every two seconds is always written."""
        for number in range(1800):
            self.say(100.0 + 2 * number, slot=number)
        self.assertEqual(self.texts(), [f"slot {number} live" for number in range(1800)])

    def test_a_long_storm_is_reported_every_window(self) -> None:
        """100 lines a second become eleven lines in ten seconds, and the counts add up."""
        for number in range(6000):
            self.say(100.0 + number / 100, slot=number)
        self.say(200.0, log_format="the summary")
        counted = sum(each.get("suppressed", 1) for each in self.written)
        self.assertEqual(counted, 6001)
        self.assertLess(len(self.written), 80)

    def test_kinds_and_unlimited_levels(self) -> None:
        """Many lines of one kind do not hide other formats and components, nor levels critical and debug."""
        for slot in range(50):
            self.say(100.0, slot=slot)
        self.say(100.0, log_format="other")
        self.say(100.0, log_namespace="gatherer.other")
        for _ in range(20):
            self.say(100.0, log_level=LogLevel.critical)
            self.say(100.0, log_level=LogLevel.debug)
        self.assertEqual(len(self.written), MAX_LINES + 2 + 40)

    def test_secrets_of_the_last_line_stay_hidden(self) -> None:
        """The summary line hides the secrets that the lines themselves hide."""
        for _ in range(20):
            self.say(100.0, log_format="key {private_key}", private_key="MC4CAQ")
        self.say(200.0)
        self.assertNotIn("MC4CAQ", "".join(self.texts()) + "".join(map(format_json, self.written)))

    def test_a_clock_set_back(self) -> None:
        """After the clock was set back an hour, lines are written at once."""
        for slot in range(50):
            self.say(5000.0, slot=slot)
        self.say(1400.0)
        self.assertEqual(len(self.written), MAX_LINES + 1)


class ThrottleTests(SynchronousTestCase):
    """Throttle."""

    def test_once_a_minute_with_the_count(self) -> None:
        """The first occurrence is logged. Those within the next minute are counted for the next line."""
        throttle = Throttle(clock := Clock())
        self.assertEqual([throttle.note("a"), throttle.note("a"), throttle.note("a")], [1, None, None])
        clock.advance(59.9)
        self.assertIsNone(throttle.note("a"))
        clock.advance(0.1)
        self.assertEqual(throttle.note("a"), 4)
        clock.advance(60)
        self.assertEqual(throttle.note("a"), 1)

    def test_kinds_are_apart(self) -> None:
        """One kind does not hide another."""
        throttle = Throttle(Clock())
        throttle.note("a")
        self.assertEqual(throttle.note("b"), 1)

    def test_forget(self) -> None:
        """After `forget`, the next occurrence is logged at once."""
        throttle = Throttle(Clock())
        throttle.note("a")
        throttle.forget("a")
        throttle.forget("never seen")
        self.assertEqual(throttle.note("a"), 1)
