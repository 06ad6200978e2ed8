"""`python -m gatherer.cli.coverage CAPTURE TICKER [FROM TO]`: was this order book complete, and if not, where not?

Exit status: 0 complete, 1 holes (or not carried at all), 2 bad input.
"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TextIO

import msgspec
from twisted.python.usage import Options, UsageError

from gatherer.coverage.judge import judge
from gatherer.coverage.report import as_json, as_text
from gatherer.errors import GathererError

COMPLETE, HOLES, BAD_INPUT = 0, 1, 2
_LATEST_NS = 253_402_300_799_000_000_000


def unix_ns(text: str) -> int:
    """A time of the command line: ISO-8601, UTC if it names no zone, or Unix seconds. Raises `UsageError`."""
    try:
        at = int(Decimal(text) * 1_000_000_000)
    except (InvalidOperation, ValueError, OverflowError):
        at = _iso_ns(text)
    if not 0 <= at <= _LATEST_NS:
        raise UsageError(f"{text!r} is not a time between 1970 and 9999 (seconds, not milliseconds?)")
    return at


def _iso_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is neither an ISO-8601 time like 2026-11-23T20:00:00Z nor Unix seconds") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


class CompletenessOptions(Options):
    """What to look at."""

    synopsis = "Usage: python -m gatherer.cli.coverage [--json] CAPTURE TICKER [FROM TO]"
    longdesc = (
        "CAPTURE is a directory or one segment. FROM and TO are ISO-8601 (UTC if no zone is named) or Unix seconds; "
        "without them the whole capture is judged. Only order books are: trades, tickers and lifecycle are not. "
        "Exit status: 0 complete, 1 holes or not carried, 2 bad input."
    )
    optFlags = [["json", "j", "Answer in JSON."]]  # noqa: RUF012 - the name and shape Twisted asks for

    def parseArgs(self, *args: str) -> None:
        """Two or four."""
        if len(args) not in (2, 4):
            raise UsageError(f"CAPTURE TICKER [FROM TO] expected, {len(args)} arguments given")
        self["capture"], self["ticker"] = Path(args[0]), args[1]
        self["from"], self["to"] = map(unix_ns, args[2:]) if len(args) == 4 else (None, None)

    def postOptions(self) -> None:
        """Check what depends on each other."""
        ticker = self["ticker"]
        if not (ticker.isascii() and ticker.isprintable() and ticker) or set(ticker) & set('"\\ '):
            raise UsageError(f"{ticker!r} is no market ticker")
        if self["from"] is not None and self["from"] > self["to"]:
            raise UsageError("FROM is later than TO")


def main(arguments: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Do it; the exit status."""
    options: Any = CompletenessOptions()
    try:
        options.parseOptions(list(arguments))
        verdict = judge(options["capture"], options["ticker"], options["from"], options["to"])
    except (UsageError, GathererError) as error:
        err.write(f"completeness: {error}\n")
        return BAD_INPUT
    except OSError as error:
        err.write(f"completeness: {error.filename or options.get('capture')}: {error.strerror}\n")
        return BAD_INPUT
    out.write(msgspec.json.encode(as_json(verdict)).decode() + "\n" if options["json"] else as_text(verdict))
    return COMPLETE if verdict.is_complete else HOLES


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout, sys.stderr))
