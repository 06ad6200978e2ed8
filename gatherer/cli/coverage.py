"""`gatherer coverage`: when was each market and each channel captured without a hole?"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TextIO

import msgspec

from gatherer.cli.arguments import (
    DONE,
    HOLES,
    CommandError,
    add_captures,
    add_json,
    add_period,
    check_period,
    market_ticker,
)
from gatherer.cli.progress import Progress
from gatherer.coverage import Coverage, State, coverage_of
from gatherer.coverage.report import as_json, as_text

DESCRIPTION = """\
Tell when every order book and every channel was captured without a hole, and
why not. Name the capture directories of several gatherers to join them: a
feed is complete where one of them has all of it. Without --ticker and
--channel everything is judged.
Exit status: 0 complete, 1 there are holes, or nothing was captured, or not a
market that --ticker names, 2 bad input."""
EXAMPLE = """\
  gatherer coverage capture
  gatherer coverage capture --ticker KXBTC-26NOV2317-B90000 \\
      --from 2026-11-23T20:00:00Z --to 2026-11-23T21:00:00Z
  gatherer coverage /mnt/a/capture /mnt/b/capture --plot coverage.png"""


def add_arguments(parser: ArgumentParser) -> None:
    """See `SubcommandModule`."""
    add_captures(parser)
    parser.add_argument("--ticker", metavar="T", action="append", type=market_ticker, help="judge the book of a market")
    parser.add_argument("--channel", metavar="C", action="append", help="judge a channel, for example trade")
    add_period(parser)
    add_json(parser)
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw a picture (.png, .svg or .pdf) as well")
    parser.add_argument("--skip-damaged", action="store_true", help="take a damaged segment for a hole")


def run(options: Namespace, out: TextIO) -> int:
    """See `SubcommandModule`."""
    check_period(options)
    if options.plot is not None:
        import matplotlib  # noqa: F401  # before the work, not after it
    with Progress(sys.stderr, "judged") as progress:
        coverage = coverage_of(
            options.captures, tickers=options.ticker, channels=options.channel, start=options.start, end=options.end,
            skip_damaged=options.skip_damaged, progress=progress.show,
        )  # fmt: skip
    if options.plot is not None:
        _draw(coverage, options.plot)
    out.write(msgspec.json.encode(as_json(coverage)).decode() + "\n" if options.json else as_text(coverage))
    return DONE if _is_complete(coverage, options.ticker or []) else HOLES


def _is_complete(coverage: Coverage, tickers: list[str]) -> bool:
    """Whether there is no hole, and something is complete: each of the markets, if there are any."""
    needed = [coverage.book(ticker) for ticker in tickers]
    captured = [feed.length(State.COMPLETE) > 0 for feed in needed or coverage.feeds]
    return not coverage.has_holes and (all(captured) if needed else any(captured))


def _draw(coverage: Coverage, path: Path) -> None:
    from gatherer.coverage.plot import draw

    try:
        draw(coverage, path)
    except ValueError as error:
        raise CommandError(f"{path}: {error}") from None
