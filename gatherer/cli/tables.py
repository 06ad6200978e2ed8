"""`gatherer tables`: captures to Parquet."""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from gatherer.cli.arguments import DONE, HOLES, add_captures, add_period, check_period
from gatherer.cli.progress import Progress
from gatherer.data import MEMORY_MB, Written, write_tables
from gatherer.text import counted, one_line

POLL_SECONDS = 5.0
DESCRIPTION = """\
Write the tables trades, tickers, lifecycle, book_snapshots, book_deltas,
top_of_book, coverage and markets as Parquet files, DIR/<table>/date=.../...
Several captures are joined: each message is there once, and one gatherer fills
the holes of another. Only finished segments are read, each once; run it again
to add what is new.
Exit status: 0 done and complete, 1 done and there are holes, 2 bad input."""
EXAMPLE = """\
  gatherer tables capture --out tables
  gatherer tables /data/a /data/b --out tables --from 2026-11-23 --to 2026-11-24
  gatherer tables capture --out tables --follow"""


def add_arguments(parser: ArgumentParser) -> None:
    """See `SubcommandModule`."""
    add_captures(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="the directory to write to")
    add_period(parser)
    parser.add_argument("--follow", action="store_true", help="go on as segments finish, until Ctrl-C")
    parser.add_argument("--memory", metavar="MB", type=int, default=MEMORY_MB, help=f"for DuckDB ({MEMORY_MB})")
    parser.add_argument("--skip-damaged", action="store_true", help="leave damaged segments out: they become holes")


def run(options: Namespace, out: TextIO) -> int:
    """See `SubcommandModule`."""
    check_period(options)

    def wait() -> bool:
        time.sleep(POLL_SECONDS)
        return True

    following: Callable[[], bool] | None = wait if options.follow else None
    with Progress(sys.stderr) as progress:
        try:
            written = write_tables(
                options.captures, options.out, start=options.start, end=options.end, wait=following,
                skip_damaged=options.skip_damaged, memory_mb=options.memory, progress=progress.doing,
            )  # fmt: skip
        except KeyboardInterrupt:
            if not options.follow:
                raise
            return DONE
    out.write(describe(written, options.out))
    return HOLES if written.has_holes or written.damaged else DONE


def describe(written: Written, out: Path) -> str:
    """What a run did, for people."""
    again = f", {written.again} written again" if written.again else ""
    holes = "there are holes: see the table coverage" if written.has_holes else "complete"
    left_out = "".join(f"left out: {one_line(text)}\n" for text in written.damaged)
    return f"{left_out}{out}: {counted(written.segments, 'new segment')}{again}; {holes}\n"
