"""`gatherer-top [URL] [--once]`: arguments, the loop, and how it ends."""

import argparse
import curses
import os
import queue
import shutil
import sys
import threading
import time
from typing import Any

from gatherer import __version__
from gatherer.top.client import Site, Unreachable, Watch
from gatherer.top.keys import Control
from gatherer.top.render import View, frame
from gatherer.top.screen import Screen
from gatherer.top.state import DashboardError, DashboardState
from gatherer.top.text import Line

URL = "http://127.0.0.1:9090"
AGAIN = 2.0
"""Seconds between two looks at what is being read."""
PIPED = (100, 60)
"""Columns and rows when the output is no terminal and COLUMNS and LINES say nothing."""
SGR = {"dim": "2", "bold": "1", "good": "32", "busy": "36", "warn": "33", "bad": "1;31", "chosen": "7"}


def main(arguments: list[str] | None = None) -> int:
    """The console script. 0 for a proper end, 1 when no gatherer answers, 2 for wrong arguments."""
    options = _parser().parse_args(arguments)
    try:
        site = Site(options.url)
    except ValueError as error:
        return _fail(str(error), 2)
    once = options.once or not (sys.stdout.isatty() and sys.stdin.isatty())
    try:
        return _once(site) if once else _watch(site)
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # `| head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("gatherer-top", description="The status page of a gatherer in a terminal.")
    parser.add_argument("url", nargs="?", default=URL, metavar="URL", help=f"the web port of a gatherer ({URL})")
    parser.add_argument("--once", action="store_true", help="print one frame and end; so it does in a pipe")
    parser.add_argument("--version", action="version", version=f"gatherer {__version__}")
    return parser


def _fail(reason: str, status: int = 1) -> int:
    sys.stderr.write(f"gatherer-top: {reason}\n")
    return status


def _once(site: Site) -> int:
    news = DashboardState()
    try:
        for name, value in site.live():
            news.take(name, value, time.monotonic())
            if news.figures is not None:
                break
    except (Unreachable, DashboardError) as error:
        return _fail(f"{site.url}: {error}")
    columns, rows = shutil.get_terminal_size(PIPED)
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    view = View(plain=_is_plain(), keys=False)
    for line in frame(news, view, columns, rows, time.monotonic(), site.url):
        sys.stdout.write(f"{_ansi(line, coloured)}\n")
    sys.stdout.flush()
    return 0


def _ansi(line: Line, coloured: bool) -> str:
    if not coloured:
        return "".join(span.text for span in line).rstrip()
    return "".join(f"\x1b[{SGR[span.style]}m{span.text}\x1b[0m" if span.style else span.text for span in line)


def _is_plain() -> bool:
    """Whether the output cannot carry the symbols."""
    try:
        "●▁".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False


class Top:
    """The loop: a key, the news, a frame."""

    def __init__(self, site: Site, screen: Screen) -> None:
        self._site = site
        self._screen = screen
        self._news = DashboardState()
        self._heard: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._control = Control(self._news, self._ask, _is_plain())
        self._looked_at = 0.0

    def run(self) -> None:
        """Until `q`."""
        watch = Watch(self._site, lambda name, value: self._heard.put((name, value)))
        watch.start()
        try:
            key: str | None = ""
            while key is None or self._control.key(key, *self._screen.size()):
                self._listen()
                now = time.monotonic()
                if now - self._looked_at > AGAIN:
                    self._looked_at = now
                    self._control.look_again()
                columns, rows = self._screen.size()
                self._screen.paint(frame(self._news, self._control.view, columns, rows, now, self._site.url))
                key = self._screen.key()
        finally:
            watch.stop()

    def _listen(self) -> None:
        while not self._heard.empty():
            name, value = self._heard.get()
            if name == "lost":
                self._news.lost = value
            elif name == "answer":
                self._control.answered(*value)
            else:
                try:
                    self._news.take(name, value, time.monotonic())
                except DashboardError as error:
                    self._news.lost = str(error)

    def _ask(self, path: str, parameter: str, value: str) -> None:
        def answer() -> None:
            try:
                told: dict[str, Any] | str = self._site.ask(path, **{parameter: value})
            except Unreachable as error:
                told = str(error)
            self._heard.put(("answer", ((path, parameter, value), told)))

        threading.Thread(target=answer, daemon=True).start()


def _watch(site: Site) -> int:
    screen = Screen()
    try:
        screen.open()
    except curses.error as error:
        return _fail(f"this terminal cannot be used ({error}); --once prints one frame")
    try:
        Top(site, screen).run()
    finally:
        screen.close()
    return 0
