"""`gatherer top`: the status page of a running gatherer in the terminal."""

from argparse import ArgumentParser, Namespace
from typing import TextIO

from gatherer.cli.arguments import DONE, CommandError
from gatherer.errors import GathererError

URL = "http://127.0.0.1:9090"
NO_ANSWER = 1
"""Exit status when no gatherer answers, or the terminal cannot be used."""
DESCRIPTION = """\
Show the status page of a running gatherer in this terminal. In a pipe it
prints the page once. Keys: / searches for a ticker, arrows choose a
connection, Enter opens it, q quits.
Exit status: 0 done, 1 no gatherer answers, 2 bad input."""
EXAMPLE = """\
  gatherer top
  gatherer top http://10.0.0.7:9090
  gatherer top --once | head -3"""


def add_arguments(parser: ArgumentParser) -> None:
    """See `SubcommandModule`."""
    parser.add_argument("url", nargs="?", default=URL, metavar="URL", help=f"the web port of a gatherer ({URL})")
    parser.add_argument("--once", action="store_true", help="print the page once and exit")


def run(options: Namespace, out: TextIO) -> int:
    """See `SubcommandModule`. Ctrl-C ends it with status 0."""
    from gatherer.top import Site  # curses is missing from some builds of Python
    from gatherer.top import run as run_dashboard

    try:
        site = Site(options.url)
    except ValueError as error:
        raise CommandError(str(error)) from None
    try:
        run_dashboard(site, options.once)
    except GathererError as error:
        raise CommandError(str(error), NO_ANSWER) from None
    except KeyboardInterrupt:
        return DONE
    return DONE
