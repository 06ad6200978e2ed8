"""Arguments that several subcommands share, and the exit statuses. A wrong value costs one line."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from gatherer.errors import GathererError

DONE, HOLES, BAD_INPUT = 0, 1, 2
"""Exit statuses: done or complete; done, and there are holes; bad input."""
TIME_HELP = "ISO-8601 (UTC if it names no zone) or Unix seconds"
MAX_SECONDS = 10**12
_LATEST_NS = 253_402_300_799_000_000_000


class CommandError(GathererError):
    """A command cannot do what it was asked to do; the text is the line on standard error."""

    def __init__(self, text: str, status: int = BAD_INPUT) -> None:
        super().__init__(text)
        self.status = status


def add_capture(parser: ArgumentParser) -> None:
    """CAPTURE, as `options.capture`: one path."""
    parser.add_argument("capture", metavar="CAPTURE", type=Path, help="a capture directory, or one segment of it")


def add_captures(parser: ArgumentParser) -> None:
    """CAPTURE ..., as `options.captures`: one path or several."""
    parser.add_argument(
        "captures", metavar="CAPTURE", type=Path, nargs="+", help="capture directories, or single segments"
    )


def add_period(parser: ArgumentParser) -> None:
    """`--from` and `--to`, as `options.start` and `options.end`: Unix ns, or None. `check_period` afterwards."""
    parser.add_argument("--from", dest="start", metavar="T", type=unix_ns, help=f"begin at this time: {TIME_HELP}")
    parser.add_argument("--to", dest="end", metavar="T", type=unix_ns, help="end at this time")


def check_period(options: Namespace) -> None:
    """Raise `CommandError` if the period ends before it starts."""
    if options.start is not None and options.end is not None and options.start > options.end:
        raise CommandError("--from is later than --to")


def add_json(parser: ArgumentParser) -> None:
    """`--json`, as `options.json`."""
    parser.add_argument("--json", action="store_true", help="answer in JSON, for programs")


def unix_ns(text: str) -> int:
    """A time of the command line in Unix ns: ISO-8601, UTC if it names no zone, or Unix seconds."""
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        at = _iso_ns(text)
    else:  # the size is checked first: 1e999999999 as an int takes all memory
        at = int(seconds * 1_000_000_000) if seconds.is_finite() and -1 < seconds < MAX_SECONDS else -1
    if not 0 <= at <= _LATEST_NS:
        raise ArgumentTypeError(f"{text!r} is not a time between 1970 and 9999 (seconds, not milliseconds?)")
    return at


def _iso_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is neither an ISO-8601 time like 2026-11-23T20:00:00Z nor Unix seconds"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def market_ticker(text: str) -> str:
    """A market ticker of the command line."""
    if not (text.isascii() and text.isprintable() and text) or set(text) & set('"\\ '):
        raise ArgumentTypeError(f"{text!r} is not a market ticker")
    return text
