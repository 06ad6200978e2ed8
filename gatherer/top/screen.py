"""The terminal: curses paints lines and names keys. It decides nothing."""

import contextlib
import curses
import locale
import signal
from typing import Any

from gatherer.top.text import Line

KEY_WAIT_MS = 200
"""Milliseconds to wait for a key before the next frame."""
KEYS = {
    curses.KEY_LEFT: "left", curses.KEY_RIGHT: "right", curses.KEY_UP: "up", curses.KEY_DOWN: "down",
    curses.KEY_ENTER: "enter", curses.KEY_BACKSPACE: "backspace", curses.KEY_RESIZE: "resize",
    10: "enter", 13: "enter", 27: "escape", 8: "backspace", 127: "backspace",
}  # fmt: skip
COLOURS = {
    "good": curses.COLOR_GREEN, "busy": curses.COLOR_CYAN, "warn": curses.COLOR_YELLOW, "bad": curses.COLOR_RED,
}  # fmt: skip
ATTRIBUTES = {"dim": curses.A_DIM, "bold": curses.A_BOLD, "chosen": curses.A_REVERSE | curses.A_BOLD}


class Screen:
    """Owns the terminal from `open` to `close`. `open` raises `curses.error` if curses cannot use the terminal."""

    def __init__(self) -> None:
        self._window: Any = None  # Any: curses.window is a type for checkers only
        self._styles: dict[str, int] = {"": 0, **ATTRIBUTES}

    def open(self) -> None:
        """Take the terminal."""
        locale.setlocale(locale.LC_ALL, "")
        signal.signal(signal.SIGTERM, _leave)
        curses.setupterm()  # raises; initscr would end the process for a terminal it does not know
        curses.set_escdelay(50)
        self._window = curses.initscr()
        curses.noecho()
        curses.cbreak()
        self._window.keypad(True)
        self._window.timeout(KEY_WAIT_MS)
        with contextlib.suppress(curses.error):  # a terminal that cannot hide it
            curses.curs_set(0)
        self._colours()

    def close(self) -> None:
        """Give it back as it was."""
        if self._window is not None:
            self._window.keypad(False)
            curses.nocbreak()
            curses.echo()
            curses.endwin()

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        rows, columns = self._window.getmaxyx()
        return columns, rows

    def paint(self, lines: list[Line]) -> None:
        """Show a frame; curses writes what changed."""
        self._window.erase()
        for row, line in enumerate(lines):
            with contextlib.suppress(curses.error):  # the last column of the last row, or a window made smaller
                self._window.move(row, 0)
                for span in line:
                    self._window.addstr(span.text, self._styles.get(span.style, 0))
        self._window.refresh()

    def key(self) -> str | None:
        """A character, the name of a key, or None if none was pressed for `KEY_WAIT_MS`."""
        try:
            pressed = self._window.get_wch()
        except curses.error:
            return None
        if isinstance(pressed, str):
            return KEYS.get(ord(pressed), pressed)
        return KEYS.get(pressed, "")

    def _colours(self) -> None:
        if not curses.has_colors():
            self._styles.update(good=0, busy=0, warn=curses.A_BOLD, bad=curses.A_REVERSE)
            return
        curses.start_color()
        curses.use_default_colors()
        for number, (style, colour) in enumerate(COLOURS.items(), 1):
            curses.init_pair(number, colour, -1)
            self._styles[style] = curses.color_pair(number)
        self._styles["bad"] |= curses.A_BOLD


def _leave(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)
