"""A frame of any size from any state fits and shows what matters, and keys do what they say."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from gatherer.text import printable
from gatherer.top import grid
from gatherer.top.client import EventParser
from gatherer.top.keys import KeyBindings
from gatherer.top.render import Details, View, render
from gatherer.top.state import DashboardError, DashboardState
from gatherer.top.text import Span, clip, sparkline, width
from tests.top.support import dashboard, tick

URL = "http://127.0.0.1:9090"
KEYS = st.sampled_from(["left", "right", "up", "down", "enter", "escape", "backspace", "/", "x", "resize", ""])
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


def draw(
    state: DashboardState, view: View | None = None, columns: int = 100, rows: int = 40, now: float = 100.0
) -> list[str]:
    """A frame as text."""
    lines = render(state, view or View(), columns, rows, now, URL)
    return ["".join(span.text for span in line) for line in lines]


class FrameTests(SynchronousTestCase):
    """What a frame shows."""

    @given(
        st.integers(1, 250), st.integers(1, 90), st.integers(1, 150), st.text(max_size=300), st.booleans(),
        st.sampled_from(["", "lost", "typed", "details"]),
    )  # fmt: skip
    @settings(max_examples=60, deadline=None)
    def test_it_fits(self, columns: int, rows: int, count: int, text: str, plain: bool, what: str) -> None:
        """For any size of the terminal and any text of the exchange, no line is too long, there are not too many lines,
        and nothing in them moves the cursor."""
        value = tick(count)
        value["events"] = [[1, 0.0, "warn", text, None]]
        value["health"].update(problems=[text] * 5, status="failing")
        state = dashboard(value)
        state.lost = text if what == "lost" else None
        details = Details(text, (text, f"    {text}")) if what == "details" else None
        view = View(chosen=count, typed=text if what == "typed" else None, details=details, scrolled=1, plain=plain)
        lines = draw(state, view, columns, rows)
        self.assertLessEqual(len(lines), rows)
        for line in lines:
            self.assertLessEqual(width(line), columns)
            self.assertTrue(line.isprintable(), line)

    def test_all_connections_are_there(self) -> None:
        """A terminal of 80 by 24 shows all 150 connections, with room for events and the keys."""
        lines = draw(dashboard(), columns=80, rows=24)
        text = "\n".join(lines)
        for number in range(1, 151):
            self.assertRegex(text, rf"● *{number}\b")
        self.assertIn("orderbook_delta-7 lost", text)
        self.assertTrue(lines[-1].startswith("q quit"))

    def test_more_room_shows_more(self) -> None:
        """A large terminal shows the load of each connection and the age of its last message."""
        self.assertNotIn("●  7    35", "\n".join(draw(dashboard(), columns=80, rows=24)))
        self.assertIn("●  7    35", "\n".join(draw(dashboard(), columns=160, rows=50)))

    def test_the_head(self) -> None:
        """The first lines show health, coverage and rates."""
        lines = draw(dashboard())
        self.assertIn("healthy, 150 of 150 live", lines[0])
        self.assertIn("up to date", lines[0])
        self.assertIn("100 % covered  5,250 of 5,250 books  812 msg/s", lines[1])

    def test_a_connection_that_waits(self) -> None:
        """It has its own symbol, and a count-down in place of its load."""
        text = "\n".join(draw(dashboard(tick(7, state="backoff", next_dial_in=4.2))))
        self.assertIn("✕  7   -4s", text)
        self.assertIn(
            "x  7   -4s", "\n".join(draw(dashboard(tick(7, state="backoff", next_dial_in=4.2)), View(plain=True)))
        )

    def test_a_connection_that_is_drained(self) -> None:
        """The screen shows that an operator drains it."""
        value = tick(7)
        value["pool"]["draining"] = [7]
        text = "\n".join(draw(dashboard(value), View(chosen=7)))
        self.assertIn("●  7 drain", text)
        self.assertIn("orderbook_delta-7: live, being drained", text)

    def test_problems_are_shown(self) -> None:
        """The screen shows the problems of `/health` in the same words."""
        value = tick()
        value["health"].update(status="failing", ok=False, problems=["the capture cannot be written: disk full"])
        text = "\n".join(draw(dashboard(value)))
        self.assertIn("FAILING", text)
        self.assertIn("the capture cannot be written: disk full", text)

    def test_silence_is_shown(self) -> None:
        """After some seconds without a tick the head shows for how long. A lost connection is shown with its reason."""
        state = dashboard(at=100.0)
        self.assertIn("healthy", draw(state, now=104.0)[0])
        self.assertIn("no data for 7 s", draw(state, now=107.0)[0])
        self.assertIn("not known whether gatherer lives", draw(state, now=107.0)[0])
        self.assertNotIn("healthy", draw(state, now=107.0)[0])
        state.lost = "Connection refused"
        self.assertIn(f"{URL}: Connection refused; trying again", "\n".join(draw(state, now=107.0)))
        state.take("tick", tick(), 108.0)
        self.assertIn("up to date", draw(state, now=108.0)[0])
        self.assertNotIn("refused", "\n".join(draw(state, now=108.0)))

    def test_before_the_first_tick(self) -> None:
        """The head shows the URL."""
        self.assertIn(URL, draw(DashboardState())[0])

    def test_the_chosen_connection(self) -> None:
        """One line describes it in full."""
        text = "\n".join(draw(dashboard(), View(chosen=7)))
        self.assertIn("orderbook_delta-7: live, 35 wanted, 35 held, 0 due", text)


class GridTests(SynchronousTestCase):
    """Moving from cell to cell."""

    @given(
        st.integers(1, 150),
        st.lists(st.sampled_from(["left", "right", "up", "down"]), max_size=30),
        st.integers(5, 200),
    )
    @settings(deadline=None)
    def test_arrows_stay_on_the_grid(self, count: int, keys: list[str], columns: int) -> None:
        """Any sequence of arrows chooses a connection that exists."""
        connections = dashboard(tick(count)).connections
        chosen: int | None = None
        for key in keys:
            chosen = grid.move(connections, chosen, key, columns, 20)
            self.assertIn(chosen, [each.id for each in connections])

    def test_down_and_up_again(self) -> None:
        """Down leads to the row below, and up leads back."""
        connections = dashboard().connections
        below = grid.move(connections, 20, "down", 80, 20)
        self.assertNotIn(below, (20, 21))
        self.assertEqual(grid.move(connections, below, "up", 80, 20), 20)

    def test_nothing_to_choose(self) -> None:
        """Before the first tick arrows choose nothing."""
        self.assertIsNone(grid.move([], None, "down", 80, 20))


class KeyBindingsTests(SynchronousTestCase):
    """What keys do."""

    def setUp(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.keys = KeyBindings(dashboard(), lambda *question: self.asked.append(question), plain=False)

    def press(self, *keys: str) -> bool:
        """Press keys, one after the other; returns whether the program goes on."""
        going_on = True
        for key in keys:
            going_on = self.keys.press(key, 80, 24)
        return going_on

    def test_search(self) -> None:
        """A slash, a ticker and Enter ask for its explanation. The answer is shown, and Escape leads back."""
        self.assertTrue(self.press("/", *"kxaq", "backspace", "enter"))
        self.assertEqual(self.asked, [("/explain", "ticker", "kxa")])
        self.keys.answered(self.asked[0], {"verdict": "fed", "story": ["registry: active", "  opened"]})
        text = "\n".join(draw(dashboard(), self.keys.view))
        for part in ("KXA", "fed", "registry: active"):
            self.assertIn(part, text)
        self.press("escape")
        self.assertIsNone(self.keys.view.details)

    def test_open_a_connection(self) -> None:
        """Arrows choose one and Enter asks for it. It is asked for again while it is shown."""
        self.press("right", "right", "enter")
        self.assertEqual(self.asked, [("/connection", "id", "2")])
        self.keys.refresh()
        self.assertEqual(len(self.asked), 2)
        self.press("escape")
        self.keys.refresh()
        self.assertEqual(len(self.asked), 2)

    def test_a_late_answer(self) -> None:
        """The answer to an earlier question is not shown as the answer to the present one."""
        self.press("right", "enter", "escape", "right", "enter")
        self.keys.answered(self.asked[0], {"error": "old"})
        self.assertIsNone(self.keys.view.details.lines)
        self.keys.answered(self.asked[1], "Connection refused")
        self.assertEqual(self.keys.view.details.lines, ("Connection refused",))

    def test_q_ends_it(self) -> None:
        """But not while a ticker is typed, nor while details are shown."""
        self.assertFalse(self.press("q"))
        self.assertTrue(self.press("/", "q", "escape"))
        self.assertTrue(self.press("right", "enter", "q"))

    @given(st.lists(KEYS, max_size=20), st.integers(1, 200), st.integers(1, 60))
    @settings(deadline=None)
    def test_any_keys(self, keys: list[str], columns: int, rows: int) -> None:
        """After any keys, in any window, the frame can be drawn."""
        state = dashboard(tick(12))
        bindings = KeyBindings(state, lambda *question: None, plain=False)
        for key in keys:
            self.assertTrue(bindings.press(key, columns, rows))
            bindings.answered(
                ("/connection", "id", "1"), {"status": {"state": "live"}, "markets": ["A"], "events": [[1]]}
            )
            draw(state, bindings.view, columns, rows)


class DashboardStateTests(SynchronousTestCase):
    """Events of another version, or of another server."""

    @given(st.sampled_from(["tick", "history", "events", "other"]), junk)
    @settings(deadline=None)
    def test_junk_is_refused(self, name: str, value: Any) -> None:
        """It is taken or raises DashboardError, and the state can still be drawn."""
        state = dashboard()
        try:
            state.take(name, value, 101.0)
        except DashboardError as error:
            self.assertIn("this version does not know", str(error))
        draw(state)

    def test_times_out_of_range(self) -> None:
        """A time that cannot be shown is refused when it arrives, not when it is drawn."""
        for at in (1e300, -1.0, float("inf"), float("nan")):
            for value in ({**tick(), "at": at}, {**tick(), "events": [[1, at, "info", "x", None]]}):
                self.assertRaises(DashboardError, dashboard().take, "tick", value, 101.0)

    def test_events_come_once(self) -> None:
        """An event that arrives twice is kept once."""
        state = dashboard()
        state.take("tick", tick(), 101.0)
        self.assertEqual([event.id for event in state.events], [1])


class EventParserTests(SynchronousTestCase):
    """Bytes of a stream."""

    STREAM = b'retry: 2000\n\nevent: tick\ndata: {"a":1}\n\n: comment\n\nevent: other\r\ndata: [2]\r\n\r\nevent: cut'

    @given(st.lists(st.integers(0, len(STREAM)), max_size=8))
    def test_cuts_do_not_matter(self, cuts: list[int]) -> None:
        """The events are the same wherever the stream is cut. An incomplete event is not one."""
        parser, events = EventParser(), []
        edges = [0, *sorted(cuts), len(self.STREAM)]
        for start, end in pairwise(edges):
            events += list(parser.feed(self.STREAM[start:end]))
        self.assertEqual(events, [("tick", {"a": 1}), ("other", [2])])

    def test_what_is_not_an_event_stream(self) -> None:
        """Data that is not JSON, and an event without an end, are errors."""
        for data in (b"event: tick\ndata: {\n\n", b"x" * 2_000_000):
            with self.assertRaises(DashboardError):
                list(EventParser().feed(data))


class TextTests(SynchronousTestCase):
    """Lines of styled text."""

    @given(st.lists(st.floats(0, 1e9), max_size=400), st.integers(1, 100))
    def test_sparklines_fit(self, numbers: list[float], columns: int) -> None:
        """There is at most one column for each number, and the highest number has the highest bar."""
        spark = sparkline(numbers, columns)
        self.assertLessEqual(len(spark), columns)
        if any(numbers):
            self.assertIn("█", spark)

    @given(st.text(max_size=50), st.integers(0, 60))
    def test_clipping(self, text: str, columns: int) -> None:
        """No line is longer than it may be, and a line that fits is not cut."""
        text = printable(text, " ")
        (clipped,) = clip([Span(text)], columns) or [Span("")]
        self.assertLessEqual(width(clipped.text), columns)
        if width(text) <= columns:
            self.assertEqual(clipped.text, text)
