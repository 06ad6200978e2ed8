"""One frame: what is known and what the user does, to lines of a given size. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gatherer.top import grid
from gatherer.top.state import DashboardState, Figures
from gatherer.top.text import (
    PLAIN_SPARKS,
    SPARKS,
    Line,
    Span,
    clean,
    clip,
    count,
    flow,
    seconds,
    share,
    short,
    sparkline,
    spread,
    wrap,
)

WORDS = {
    "ok": ("good", "healthy"), "starting": ("busy", "starting"), "degraded": ("warn", "degraded"),
    "failing": ("bad", "FAILING"),
}  # fmt: skip
LEVELS = {"info": "", "warn": "warn", "error": "bad", "critical": "bad"}
MAX_TOLD = 3
"""Lines of problems."""
MIN_EVENTS = 5
WIDE = 60
"""Columns from which there is room for the time and for plots."""
KEYS = "q quit   / search   arrows choose   Enter open   Esc back"


@dataclass(frozen=True, slots=True)
class Story:
    """What was asked about, as lines; None while the answer is awaited."""

    title: str
    lines: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What the user looks at."""

    chosen: int | None = None
    """Id of a connection."""
    typed: str | None = None
    """The ticker being typed, while one is."""
    story: Story | None = None
    scrolled: int = 0
    """Lines of the story above the screen."""
    plain: bool = False
    """Whether the terminal knows ASCII only."""
    keys: bool = True
    """Whether there is somebody to press any."""


def frame(news: DashboardState, view: View, columns: int, rows: int, now: float, url: str) -> list[Line]:
    """At most `rows` lines of at most `columns`. `now` is on the clock that `DashboardState` was told by."""
    foot = _foot(view)
    lines = _head(news, view, columns, now, url)
    if view.story is not None:
        lines += _story(view.story, view.scrolled, columns, rows - len(lines) - len(foot))
    elif news.figures is not None:
        lines += _body(news, view, columns, rows - len(lines) - len(foot))
    lines = lines[: max(0, rows - len(foot))]
    if view.keys:
        lines += [[] for _ in range(rows - len(lines) - len(foot))]
    return [clip([Span(clean(span.text), span.style) for span in line], columns) for line in (*lines, *foot)][:rows]


def _head(news: DashboardState, view: View, columns: int, now: float, url: str) -> list[Line]:
    figures, silent = news.figures, news.silence(now)
    state = Span("up to date", "dim")
    if figures is None:
        state = Span("no news yet", "warn")
    elif silent is not None:
        state = Span(f"no news for {seconds(silent)}", "warn")
    if figures is None:
        lines = [spread([Span("gatherer", "bold"), Span(f"  {url}", "dim")], [state], columns)]
    else:
        style, word = WORDS.get(figures.status, ("warn", figures.status))
        if figures.status == "ok" and not figures.ready:
            style, word = "warn", "healthy, but not ready"
        left = [
            Span("gatherer", "bold"), Span(f" {figures.version}  ", "dim"), Span(word, style),
            Span(f", {figures.live} of {len(news.connections)} live"),
        ]  # fmt: skip
        when = datetime.fromtimestamp(figures.at, UTC)
        right = [state, Span(f"  {when:%H:%M:%S} UTC", "dim")] if columns >= WIDE else [state]
        lines = [spread(left, right, columns), *flow(_figures(news, figures), columns)]
        if columns >= WIDE:
            lines += _plots(news, view, columns)
        lines += [[Span(text, style if style != "good" else "warn")] for text in figures.told[:MAX_TOLD]]
    if news.lost is not None:
        lines.append([Span(f"{url}: {news.lost}; trying again", "bad")])
    return lines


def _figures(news: DashboardState, figures: Figures) -> Line:
    sample = news.samples[-1] if news.samples else {}
    rate, volume = sample.get("messages", 0.0), sample.get("megabytes", 0.0)
    missing = figures.markets - figures.books
    return [
        Span(f"{share(figures.books, figures.markets)} covered", "warn" if missing > 0 else ""),
        Span(f"{count(figures.books)} of {count(figures.markets)} books", "dim"),
        Span(f"{short(rate)} msg/s"),
        Span(f"{volume:.2f} MB/s"),
        Span(f"{count(figures.gaps)} gaps", "warn" if figures.gaps else ""),
        Span(f"{count(figures.reconnects)} lost sockets"),
        Span(f"{short(figures.backlog)} waiting"),
        Span(f"{count(figures.dropped)} dropped", "bad" if figures.dropped else ""),
    ]


def _plots(news: DashboardState, view: View, columns: int) -> list[Line]:
    """Two sparklines side by side."""
    sparks, room = PLAIN_SPARKS if view.plain else SPARKS, (columns - 32) // 2
    line: Line = []
    for name, column in (("msg/s", "messages"), ("backlog", "backlog")):
        numbers = [sample.get(column, 0.0) for sample in news.samples]
        spark, top = sparkline(numbers, room, sparks), max(numbers, default=0.0)
        line += [Span(f"{name} ", "dim"), Span(spark.rjust(room), "busy"), Span(f" {short(top):<6} ", "dim")]
    return [line, []]


def _body(news: DashboardState, view: View, columns: int, rows: int) -> list[Line]:
    lines = grid.tiles(news.connections, view.chosen, columns, rows - MIN_EVENTS - 1, view.plain)
    chosen = next((each for each in news.connections if each.id == view.chosen), None)
    if chosen is not None:
        lines += [[], [Span(grid.told(chosen), "bold")]]
    left = rows - len(lines) - 1
    if left > 0:
        lines.append([])
    for event in list(news.events)[::-1]:
        if left <= 0:
            break
        when = datetime.fromtimestamp(event.at, UTC)
        lines.append([Span(f"{when:%H:%M:%S} ", "dim"), Span(event.text, LEVELS.get(event.level, ""))])
        left -= 1
    return lines


def _story(story: Story, scrolled: int, columns: int, rows: int) -> list[Line]:
    told = story.lines if story.lines is not None else ("asking ...",)
    lines: list[Line] = [[], [Span(story.title, "bold")]]
    for text in told:
        indent = len(text) - len(text.lstrip(" ")) + 2
        lines += [[Span(part)] for part in wrap(text, columns, indent)]
    most = max(0, len(lines) - max(1, rows))
    return lines[min(scrolled, most) :]


def _foot(view: View) -> list[Line]:
    if view.typed is not None:
        return [[Span("ticker: ", "bold"), Span(f"{view.typed}_")]]
    return [[Span(KEYS, "dim")]] if view.keys else []
