"""`gatherer book`: an order book at one time, or a picture of it over a day."""

import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import msgspec

from gatherer.cli.arguments import (
    DONE,
    HOLES,
    TIME_HELP,
    CommandError,
    add_json,
    add_period,
    check_period,
    market_ticker,
    unix_ns,
)
from gatherer.cli.progress import Progress
from gatherer.data import Book, open_captures
from gatherer.text import span

DESCRIPTION = """\
Show the order book of a market at one time, with a verdict: complete, hole or
not_carried. In a hole there is no book to show; --stale shows the last one.
CAPTURE is a capture directory, or several of them, or a directory that
`gatherer tables` has written. The tables of captures are made once and kept in
~/.cache/gatherer, so the first look takes longer than the next.
Exit status: 0 complete, 1 hole or not carried, 2 bad input."""
EXAMPLE = """\
  gatherer book capture KXBTC-26NOV2317-B90000 --at 2026-11-23T20:03:07Z
  gatherer book tables KXBTC-26NOV2317-B90000 --at 1795464187 --json"""


def add_arguments(parser: ArgumentParser) -> None:
    """See `SubcommandModule`."""
    parser.add_argument("captures", metavar="CAPTURE", type=Path, nargs="+", help="capture directories, or tables")
    parser.add_argument("ticker", metavar="TICKER", type=market_ticker, help="the market")
    parser.add_argument("--at", metavar="T", type=unix_ns, help=f"the time: {TIME_HELP}")
    parser.add_argument("--stale", action="store_true", help="in a hole, show the last book before it")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw the market's depth and trades into a picture")
    add_period(parser)
    add_json(parser)


def run(options: Namespace, out: TextIO) -> int:
    """See `SubcommandModule`."""
    check_period(options)
    if (options.at is None) == (options.plot is None):
        raise CommandError("one of --at and --plot is needed")
    with Progress(sys.stderr) as progress:
        library = open_captures(options.captures, progress.doing)
    if options.plot is not None:
        from gatherer.data.plot import plot_market

        return DONE if plot_market(library, options.ticker, options.plot, options.start, options.end) else HOLES
    book = library.book(options.ticker, options.at, options.stale)
    out.write(msgspec.json.encode(book.as_json()).decode() + "\n" if options.json else as_text(book))
    return DONE if book.state == "complete" else HOLES


def as_text(book: Book) -> str:
    """The book for people: the bids of both sides next to each other."""
    lines = [f"{book.ticker} at {_time(book.at)}: {book.state}{f', {book.why}' if book.why else ''}"]
    if book.levels is not None:
        age = span(max(0, book.at - book.levels.last_message_at) / 1e9)
        lines.append(f"the last message came {age} before")
        lines.append(f"{'yes':>8} {'contracts':>14}    {'no':>8} {'contracts':>14}")
        for number in range(max(len(book.levels.yes), len(book.levels.no))):
            cells = []
            for side in (book.levels.yes, book.levels.no):
                price, count = side[number] if number < len(side) else ("", "")
                cells.append(f"{price!s:>8} {count!s:>14}")
            lines.append("    ".join(cells))
    return "\n".join(lines) + "\n"


def _time(at: int) -> str:
    seconds, ns = divmod(at, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ns:09d}Z"
