"""What each key does. Pure, except that questions to the gatherer go through a function of the caller."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gatherer.top import grid
from gatherer.top.render import MIN_EVENTS, Details, View
from gatherer.top.state import LATEST, DashboardState

ARROWS = ("left", "right", "up", "down")
MAX_TICKER = 200
FACTS = (
    ("role", "state", "next_dial_in"),
    ("wanted", "held", "owed", "pending"),
    ("received", "bytes_received", "last_message", "last_ping"),
    ("gaps", "skipped", "recoveries", "last_recovery"),
    ("reconnects", "repeats", "strays"),
)
"""Fields of a connection's status, line by line."""
HEAD_ROWS = 6
"""Rows above and below the cells. A wrong value only changes how far "down" moves."""


class KeyBindings:
    """Changes the view when keys are pressed.

    `ask(path, parameter, value)` starts a question; `answered` takes its answer.
    """

    def __init__(self, state: DashboardState, ask: Callable[[str, str, str], None], plain: bool) -> None:
        self._state = state
        self._ask = ask
        self.view = View(plain=plain)
        self._asked: tuple[str, str, str] | None = None

    def press(self, key: str, columns: int, rows: int) -> bool:
        """Handle a character or a named key. False if it ends the program."""
        view = self.view
        if view.typed is not None:
            self._typing(key, view.typed)
        elif view.details is not None:
            self._reading(key, view)
        elif key == "q":
            return False
        elif key == "/":
            self.view = replace(view, typed="")
        elif key in ARROWS:
            room = rows - HEAD_ROWS - MIN_EVENTS
            self.view = replace(view, chosen=grid.move(self._state.connections, view.chosen, key, columns, room))
        elif key == "enter" and view.chosen is not None:
            self._open("/connection", "id", str(view.chosen), f"connection {view.chosen}")
        elif key == "escape":
            self.view = replace(view, chosen=None)
        return True

    def refresh(self) -> None:
        """Ask again for the details that are shown."""
        if self._asked is not None and self.view.details is not None:
            self._ask(*self._asked)

    def answered(self, question: tuple[str, str, str], answer: dict[str, Any] | str) -> None:
        """Show an answer, or the reason why there is none. Ignores the answer to a question that is no longer shown."""
        details = self.view.details
        if details is None or question != self._asked:
            return
        lines = (answer,) if isinstance(answer, str) else lines_of(answer)
        self.view = replace(self.view, details=replace(details, lines=lines))

    def _typing(self, key: str, typed: str) -> None:
        if key == "escape":
            self.view = replace(self.view, typed=None)
        elif key == "backspace":
            self.view = replace(self.view, typed=typed[:-1])
        elif key == "enter":
            self.view = replace(self.view, typed=None)
            if typed.strip():
                self._open("/explain", "ticker", typed.strip(), typed.strip().upper())
        elif len(key) == 1 and key.isprintable() and len(typed) < MAX_TICKER:
            self.view = replace(self.view, typed=typed + key)

    def _reading(self, key: str, view: View) -> None:
        if key in ("escape", "q", "enter", "left"):
            self._asked = None
            self.view = replace(view, details=None, scrolled=0)
        elif key in ("up", "down"):
            last = len(view.details.lines or ()) if view.details else 0
            self.view = replace(view, scrolled=max(0, min(last, view.scrolled + (1 if key == "down" else -1))))
        elif key == "/":
            self.view = replace(view, typed="")

    def _open(self, path: str, parameter: str, value: str, title: str) -> None:
        self._asked = (path, parameter, value)
        self.view = replace(self.view, details=Details(title), scrolled=0)
        self._ask(path, parameter, value)


def lines_of(answer: dict[str, Any]) -> tuple[str, ...]:
    """The lines that show an answer of `/explain` or `/connection`."""
    if "error" in answer:
        return (str(answer["error"]),)
    if "story" in answer:
        return (str(answer.get("verdict")), "", *map(str, answer["story"]))
    return tuple(_connection(answer))


def _connection(answer: dict[str, Any]) -> Iterator[str]:
    status = answer.get("status")
    if isinstance(status, dict):
        for names in FACTS:
            yield ", ".join(f"{name.replace('_', ' ')} {_value(name, status.get(name))}" for name in names)
    if answer.get("last_error"):
        yield f"last error: {answer['last_error']}"
    events = [row for row in answer.get("events", []) if isinstance(row, list) and len(row) > 3]
    if events:
        yield from ("", "events:", *(f"  {_value('at', row[1])} {row[3]}" for row in reversed(events)))
    markets = answer.get("markets")
    if isinstance(markets, list) and markets:
        yield from ("", f"{answer.get('markets_total')} markets:", *(f"  {ticker}" for ticker in markets))


def _value(name: str, value: object) -> str:
    if name in ("at", "last_message", "last_ping") and isinstance(value, int | float) and 0 <= value < LATEST:
        return f"{datetime.fromtimestamp(value, UTC):%H:%M:%S}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "none" if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
