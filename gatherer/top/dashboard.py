"""The loop of the dashboard: a key, what arrived from the gatherer, a frame. And one frame as text, for a pipe."""

import curses
import os
import queue
import shutil
import sys
import threading
import time
from typing import Any

from gatherer.errors import GathererError
from gatherer.top.client import LiveReader, Site, Unreachable
from gatherer.top.keys import KeyBindings
from gatherer.top.render import View, render
from gatherer.top.screen import Screen
from gatherer.top.state import DashboardError, DashboardState
from gatherer.top.text import Line

REFRESH_SECONDS = 2.0
"""Between two requests for the details that are being read."""
PIPE_SIZE = (100, 60)
"""Columns and rows when the output is not a terminal, and COLUMNS and LINES are not set."""
SGR = {"dim": "2", "bold": "1", "good": "32", "busy": "36", "warn": "33", "bad": "1;31", "chosen": "7"}


class TerminalUnusable(GathererError):
    """Curses cannot use this terminal."""


def run(site: Site, once: bool = False) -> None:
    """Show the dashboard until the user quits; one frame as text if `once`, or in a pipe.

    Raises `Unreachable`, `DashboardError` or `TerminalUnusable`.
    """
    if once or not (sys.stdout.isatty() and sys.stdin.isatty()):
        _print_once(site)
        return
    screen = Screen()
    try:
        screen.open()
    except curses.error as error:
        raise TerminalUnusable(f"this terminal cannot be used ({error}); --once prints one frame") from None
    try:
        Dashboard(site, screen).run()
    finally:
        screen.close()


def _print_once(site: Site) -> None:
    state = DashboardState()
    try:
        for name, value in site.live():
            state.take(name, value, time.monotonic())
            if state.figures is not None:
                break
    except (Unreachable, DashboardError) as error:
        raise type(error)(f"{site.url}: {error}") from None
    columns, rows = shutil.get_terminal_size(PIPE_SIZE)
    has_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    view = View(plain=_is_plain(), keys=False)
    for line in render(state, view, columns, rows, time.monotonic(), site.url):
        sys.stdout.write(f"{_ansi(line, has_colour)}\n")


def _ansi(line: Line, has_colour: bool) -> str:
    if not has_colour:
        return "".join(span.text for span in line).rstrip()
    return "".join(f"\x1b[{SGR[span.style]}m{span.text}\x1b[0m" if span.style else span.text for span in line)


def _is_plain() -> bool:
    """Whether the output cannot carry the symbols."""
    try:
        "●▁".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


class Dashboard:
    """The loop in the main thread. Other threads hand over what they received through `_received`."""

    def __init__(self, site: Site, screen: Screen) -> None:
        self._site = site
        self._screen = screen
        self._state = DashboardState()
        # Any: decoded JSON, as in `client`
        self._received: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._keys = KeyBindings(self._state, self._ask, _is_plain())
        self._refreshed_at = 0.0

    def run(self) -> None:
        """Until the user presses `q`."""
        reader = LiveReader(self._site, lambda name, value: self._received.put((name, value)))
        reader.start()
        try:
            key: str | None = ""
            while key is None or self._keys.press(key, *self._screen.size()):
                self._take_received()
                now = time.monotonic()
                if now - self._refreshed_at > REFRESH_SECONDS:
                    self._refreshed_at = now
                    self._keys.refresh()
                columns, rows = self._screen.size()
                self._screen.paint(render(self._state, self._keys.view, columns, rows, now, self._site.url))
                key = self._screen.key()
        finally:
            reader.stop()

    def _take_received(self) -> None:
        while not self._received.empty():
            name, value = self._received.get()
            if name == "lost":
                self._state.lost = value
            elif name == "answer":
                self._keys.answered(*value)
            else:
                try:
                    self._state.take(name, value, time.monotonic())
                except DashboardError as error:
                    self._state.lost = str(error)

    def _ask(self, path: str, parameter: str, value: str) -> None:
        def ask() -> None:
            try:
                answer: dict[str, Any] | str = self._site.ask(path, **{parameter: value})
            except Unreachable as error:
                answer = str(error)
            self._received.put(("answer", ((path, parameter, value), answer)))

        threading.Thread(target=ask, daemon=True).start()
