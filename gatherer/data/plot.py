"""A picture of one market: depth as a heat map, trades on it, holes hatched."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from gatherer.coverage import BOOKS
from gatherer.data.book import COMPLETE, HOLE
from gatherer.data.engine import DataError, sql
from gatherer.data.library import Library

COLUMNS, ROWS = 600, 100
"""Of the heat map: moments, and cents."""
FORMATS = (".png", ".svg", ".pdf")


def plot_market(library: Library, ticker: str, path: Path, start: int | None = None, end: int | None = None) -> bool:
    """Draw the time from `start` to `end` (Unix ns; without them all there is). Returns whether it has no hole.

    Bids for no stand as offers of yes, at 1 less their price. Raises `DataError` for a market that is not there.
    """
    if path.suffix not in FORMATS:
        raise DataError(f"{path}: pictures are made as {', '.join(FORMATS)}")
    intervals = library.sql(
        'SELECT state, "from", "to" FROM coverage WHERE channel = $1 AND market_ticker = $2 ORDER BY "from"',
        [BOOKS, ticker],
    ).fetchall()
    if not intervals:
        raise DataError(f"there is no market {ticker} in {library.tables}")
    start = max(start or 0, intervals[0][1])
    end = min(end or intervals[-1][2], intervals[-1][2])
    if start >= end:
        raise DataError(f"{ticker}: nothing was captured in that time")
    depth = _depth(library, ticker, start, end, [(a, b) for state, a, b in intervals if state == COMPLETE])
    trades = library.sql(
        "SELECT received_ns, yes_price::DOUBLE FROM trades WHERE market_ticker = $1 AND received_ns >= $2 AND "
        "received_ns < $3", [ticker, start, end]
    ).fetchall()  # fmt: skip
    holes = [(max(a, start), min(b, end)) for state, a, b in intervals if state == HOLE and b > start and a < end]
    _draw(ticker, path, start, end, depth, trades, holes)
    return not holes


def _depth(library: Library, ticker: str, start: int, end: int, complete: list[tuple[int, int]]) -> Any:
    """Contracts at each cent (rows) and moment (columns); NaN where there is no book to show."""
    import numpy

    depth = numpy.full((ROWS, COLUMNS), numpy.nan)
    step = (end - start) / COLUMNS
    moments = [start + int((column + 0.5) * step) for column in range(COLUMNS)]
    messages = library.sql(sql("replay"), {"ticker": ticker, "end": end}).fetchall()
    for column, book in enumerate(_books(messages, moments)):
        if any(a <= moments[column] < b for a, b in complete):
            for (side, price), count in book.items():
                cent = int(price * ROWS) if side == "yes" else int((1 - price) * ROWS)
                cell = min(max(cent, 0), ROWS - 1), column
                depth[cell] = float(count) + (0 if numpy.isnan(depth[cell]) else depth[cell])
    return depth


def _books(messages: list[tuple[Any, ...]], moments: list[int]) -> Iterator[dict[tuple[str, Decimal], Decimal]]:
    """The book at each of the moments. It is one dict, which changes from one to the next."""
    book: dict[tuple[str, Decimal], Decimal] = {}
    rows, place = 0, None
    for moment in moments:
        while rows < len(messages) and messages[rows][0] <= moment:
            *here, is_snapshot, side, price, count = messages[rows]
            if is_snapshot and here != place:
                book.clear()
            place, rows = here, rows + 1
            if side is not None:
                book[side, price] = book.get((side, price), Decimal(0)) + count
                if not book[side, price]:
                    del book[side, price]
        yield book


def _draw(
    ticker: str, path: Path, start: int, end: int, depth: Any, trades: list[tuple[int, float]],
    holes: list[tuple[int, int]],
) -> None:  # fmt: skip
    from matplotlib.colors import LogNorm
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.figure import Figure

    def day(at: int) -> float:
        return float(date2num(datetime.fromtimestamp(at / 1e9, UTC)))

    figure = Figure(figsize=(10, 5), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    extent = (day(start), day(end), 0.0, 1.0)
    image = axes.imshow(depth, origin="lower", aspect="auto", extent=extent, norm=LogNorm(), interpolation="nearest")
    figure.colorbar(image, label="contracts")
    for first, last in holes:
        axes.axvspan(day(first), day(last), facecolor="none", edgecolor="red", hatch="//", linewidth=0)
    if trades:
        axes.scatter([day(at) for at, _ in trades], [price for _, price in trades], s=8, c="black", label="trades")
        axes.legend(loc="upper left")
    locator = AutoDateLocator(tz=UTC)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    axes.set(title=ticker, ylabel="price of yes, dollars", ylim=(0, 1))
    figure.savefig(path)
