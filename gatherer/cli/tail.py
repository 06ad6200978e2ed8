"""`gatherer tail`: the messages of a running capture, as they come."""

import time
from argparse import ArgumentParser, Namespace
from typing import TextIO

from gatherer.cli.arguments import DONE, add_capture, market_ticker
from gatherer.data import Filter, follow

POLL_SECONDS = 0.2
DESCRIPTION = """\
Follow a running capture: print each message from now on as one line of JSON,
the record as it stands in the capture. It goes on from segment to segment.
Ctrl-C ends it.
Exit status: 0 ended, 2 bad input."""
EXAMPLE = """\
  gatherer tail capture --channel trade
  gatherer tail capture --ticker KXBTC-26NOV2317-B90000 --markers | jq -c .data.msg"""


def add_arguments(parser: ArgumentParser) -> None:
    """See `SubcommandModule`."""
    add_capture(parser)
    parser.add_argument("--channel", metavar="C", help="only this channel, for example trade")
    parser.add_argument("--ticker", metavar="T", type=market_ticker, help="only this market")
    parser.add_argument("--markers", action="store_true", help="print markers as well: gaps, sessions, drops")


def run(options: Namespace, out: TextIO) -> int:
    """See `SubcommandModule`."""
    wanted = Filter(options.channel, options.ticker, options.markers)

    def wait() -> bool:
        out.flush()
        time.sleep(POLL_SECONDS)
        return True

    try:
        for line in follow(options.capture, wait):
            if wanted.wants(line):
                out.write(line.decode("utf-8", "replace") + "\n")
    except KeyboardInterrupt:
        return DONE
    return DONE
