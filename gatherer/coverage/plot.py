"""A coverage as a picture: time across, feeds down, holes red. Needs matplotlib (the extra `data`)."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatherer.coverage.answer import Coverage, FeedCoverage, State

MAX_ROWS = 60
"""Feeds in the picture: the channels, and the books that miss most."""
COLORS = {State.COMPLETE: "#7fb99a", State.HOLE: "#d62728", State.NOT_CARRIED: "#e6e6e6"}
WORDS = {State.COMPLETE: "complete", State.HOLE: "hole", State.NOT_CARRIED: "not carried"}
MIN_SHARE = 0.002
"""A hole is drawn at least as wide as this part of the picture: one of a millisecond must be seen in a day."""


def draw(coverage: Coverage, path: Path) -> None:
    """Write the picture; the name's ending says the format. Raises OSError, or ValueError for an unknown ending."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    rows = _rows(coverage)
    figure = Figure(figsize=(12, 1.6 + 0.22 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    locator = AutoDateLocator(tz=UTC)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    axes.set_xlim(_day(coverage.start), _day(coverage.end))
    least = (_day(coverage.end) - _day(coverage.start)) * MIN_SHARE
    for number, feed in enumerate(rows):
        _draw_row(axes, number, feed, least)
    axes.set_yticks(range(len(rows)), [feed.ticker or feed.channel for feed in rows], fontsize=7)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    left = len(coverage.feeds) - len(rows)
    more = f", the worst {len(rows)} of {len(coverage.feeds):,} feeds" if left else ""
    axes.set_title(f"Coverage from {_utc(coverage.start)} to {_utc(coverage.end)} UTC{more}", fontsize=9)
    handles = [axes.barh(0, 0, color=color, label=WORDS[state]) for state, color in COLORS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(COLORS), fontsize=8, frameon=False)
    figure.savefig(path, dpi=120)


def _rows(coverage: Coverage) -> list[FeedCoverage]:
    worst = sorted(coverage.feeds, key=lambda feed: (feed.ticker is not None, -feed.length(State.HOLE)))
    return worst[:MAX_ROWS]


def _draw_row(axes: Any, number: int, feed: FeedCoverage, least: float) -> None:
    """Holes come last, so that nothing covers them."""
    for state in (State.NOT_CARRIED, State.COMPLETE, State.HOLE):
        spans = [(_day(i.start), _day(i.end) - _day(i.start)) for i in feed.intervals if i.state is state]
        if state is State.HOLE:
            spans = [(start, max(length, least)) for start, length in spans]
        axes.broken_barh(spans, (number - 0.4, 0.8), facecolors=COLORS[state])


def _day(at: int) -> float:
    """Unix ns as matplotlib counts: days since 1970."""
    return at / 86_400e9


def _utc(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S}"
