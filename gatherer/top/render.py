"""Draws one frame: the state and the view become lines of a given size. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gatherer.text import percent, printable, short_number, short_span, whole
from gatherer.top import grid
from gatherer.top.state import DashboardState, Figures
from gatherer.top.text import PLAIN_SPARKS, SPARKS, Line, Span, clip, flow, sparkline, spread, wrap

WORDS = {
    "ok": ("good", "healthy"), "starting": ("busy", "starting"), "degraded": ("warn", "degraded"),
    "failing": ("bad", "FAILING"),
}  # fmt: skip
LEVELS = {"info": "", "warn": "warn", "error": "bad", "critical": "bad"}
UNKNOWN_AFTER = 5.0
"""Seconds without a tick after which the last verdict says nothing about now."""
MAX_PROBLEMS = 3
"""Lines of problems."""
MIN_EVENTS = 5
WIDE = 60
"""Columns that the time and the plots need."""
KEYS = "q quit   / search   arrows choose   Enter open   Esc back"


@dataclass(frozen=True, slots=True)
class Details:
    """The answer to a question, as lines; None until it arrives."""

    title: str
    lines: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What the user looks at."""

    chosen: int | None = None
    """Id of a connection."""
    typed: str | None = None
    """The ticker that is being typed; None if none is."""
    details: Details | None = None
    scrolled: int = 0
    """Lines of the details that are above the screen."""
    plain: bool = False
    """Whether the terminal shows only ASCII."""
    keys: bool = True
    """Whether a user can press keys: not in a pipe."""


def render(state: DashboardState, view: View, columns: int, rows: int, now: float, url: str) -> list[Line]:
    """At most `rows` lines of at most `columns`. `now` is on the same clock as `DashboardState.take`."""
    foot = _foot(view)
    lines = _head(state, view, columns, now, url)
    if view.details is not None:
        lines += _details(view.details, view.scrolled, columns, rows - len(lines) - len(foot))
    elif state.figures is not None:
        lines += _body(state, view, columns, rows - len(lines) - len(foot))
    lines = lines[: max(0, rows - len(foot))]
    if view.keys:
        lines += [[] for _ in range(rows - len(lines) - len(foot))]
    return [clip([Span(printable(span.text, " "), span.style) for span in line], columns) for line in (*lines, *foot)][
        :rows
    ]


def _head(state: DashboardState, view: View, columns: int, now: float, url: str) -> list[Line]:
    figures, silent = state.figures, state.silence(now)
    freshness = Span("up to date", "dim")
    if figures is None:
        freshness = Span("no data yet", "warn")
    elif silent is not None:
        freshness = Span(f"no data for {short_span(silent)}", "warn")
    if figures is None:
        lines = [spread([Span("gatherer", "bold"), Span(f"  {url}", "dim")], [freshness], columns)]
    else:
        style, word = WORDS.get(figures.status, ("warn", figures.status))
        if figures.status == "ok" and not figures.ready:
            style, word = "warn", "healthy, but not ready"
        lives = f", {figures.live} of {len(state.connections)} live"
        if silent is not None and silent > UNKNOWN_AFTER:  # neither the last verdict nor its colour may stay
            style, word, lives = "dim", "not known whether gatherer lives", ""
        left = [Span("gatherer", "bold"), Span(f" {figures.version}  ", "dim"), Span(word, style), Span(lives)]
        when = datetime.fromtimestamp(figures.at, UTC)
        right = [freshness, Span(f"  {when:%H:%M:%S} UTC", "dim")] if columns >= WIDE else [freshness]
        lines = [spread(left, right, columns), *flow(_figures(state, figures), columns)]
        if columns >= WIDE:
            lines += _plots(state, view, columns)
        lines += [[Span(text, style if style != "good" else "warn")] for text in figures.problems[:MAX_PROBLEMS]]
    if state.lost is not None:
        lines.append([Span(f"{url}: {state.lost}; trying again", "bad")])
    return lines


def _figures(state: DashboardState, figures: Figures) -> Line:
    sample = state.samples[-1] if state.samples else {}
    rate, volume = sample.get("messages", 0.0), sample.get("megabytes", 0.0)
    missing = figures.markets - figures.books
    return [
        Span(f"{percent(figures.books, figures.markets)} covered", "warn" if missing > 0 else ""),
        Span(f"{whole(figures.books)} of {whole(figures.markets)} books", "dim"),
        Span(f"{short_number(rate)} msg/s"),
        Span(f"{volume:.2f} MB/s"),
        Span(f"{whole(figures.gaps)} gaps", "warn" if figures.gaps else ""),
        Span(f"{whole(figures.reconnects)} lost sockets"),
        Span(f"{short_number(figures.backlog)} waiting"),
        Span(f"{whole(figures.dropped)} dropped", "bad" if figures.dropped else ""),
    ]


def _plots(state: DashboardState, view: View, columns: int) -> list[Line]:
    """Two sparklines side by side."""
    sparks, room = PLAIN_SPARKS if view.plain else SPARKS, (columns - 32) // 2
    line: Line = []
    for name, column in (("msg/s", "messages"), ("backlog", "backlog")):
        numbers = [sample.get(column, 0.0) for sample in state.samples]
        spark, top = sparkline(numbers, room, sparks), max(numbers, default=0.0)
        line += [Span(f"{name} ", "dim"), Span(spark.rjust(room), "busy"), Span(f" {short_number(top):<6} ", "dim")]
    return [line, []]


def _body(state: DashboardState, view: View, columns: int, rows: int) -> list[Line]:
    lines = grid.tiles(state.connections, view.chosen, columns, rows - MIN_EVENTS - 1, view.plain)
    chosen = next((each for each in state.connections if each.id == view.chosen), None)
    if chosen is not None:
        lines += [[], [Span(grid.describe(chosen), "bold")]]
    left = rows - len(lines) - 1
    if left > 0:
        lines.append([])
    for event in list(state.events)[::-1]:
        if left <= 0:
            break
        when = datetime.fromtimestamp(event.at, UTC)
        lines.append([Span(f"{when:%H:%M:%S} ", "dim"), Span(event.text, LEVELS.get(event.level, ""))])
        left -= 1
    return lines


def _details(details: Details, scrolled: int, columns: int, rows: int) -> list[Line]:
    texts = details.lines if details.lines is not None else ("asking ...",)
    lines: list[Line] = [[], [Span(details.title, "bold")]]
    for text in texts:
        indent = len(text) - len(text.lstrip(" ")) + 2
        lines += [[Span(part)] for part in wrap(text, columns, indent)]
    last = max(0, len(lines) - max(1, rows))
    return lines[min(scrolled, last) :]


def _foot(view: View) -> list[Line]:
    if view.typed is not None:
        return [[Span("ticker: ", "bold"), Span(f"{view.typed}_")]]
    return [[Span(KEYS, "dim")]] if view.keys else []
