"""`gatherer coverage`: was this order book captured without a hole, and if not, where are the holes?"""

from argparse import ArgumentParser, Namespace
from typing import TextIO

import msgspec

from gatherer.cli.arguments import (
    DONE,
    HOLES,
    CommandError,
    add_capture,
    add_json,
    add_period,
    check_period,
    market_ticker,
)
from gatherer.coverage.judge import judge
from gatherer.coverage.report import as_json, as_text

DESCRIPTION = """\
Show whether the order book of a market was captured without a hole, and name
each hole with its causes. The whole capture is judged unless --from and --to
are given. Trades, tickers and lifecycle messages are not judged.
Exit status: 0 complete, 1 holes or not captured, 2 bad input."""
EXAMPLE = """\
  gatherer coverage capture --ticker KXBTC-26NOV2317-B90000 \\
      --from 2026-11-23T20:00:00Z --to 2026-11-23T21:00:00Z"""


def add_arguments(parser: ArgumentParser) -> None:
    """See `SubcommandModule`."""
    add_capture(parser)
    parser.add_argument("--ticker", metavar="T", type=market_ticker, required=True, help="the market")
    add_period(parser)
    add_json(parser)


def run(options: Namespace, out: TextIO) -> int:
    """See `SubcommandModule`."""
    if (options.start is None) != (options.end is None):
        raise CommandError("--from and --to are given together, or not at all")
    check_period(options)
    verdict = judge(options.capture, options.ticker, options.start, options.end)
    out.write(msgspec.json.encode(as_json(verdict)).decode() + "\n" if options.json else as_text(verdict))
    return DONE if verdict.is_complete else HOLES
