"""`gatherer check`: is what is on disk what was written?"""

import sys
from argparse import ArgumentParser, Namespace
from typing import TextIO

from gatherer.cli.arguments import DONE, HOLES, CommandError, add_capture
from gatherer.cli.progress import Progress
from gatherer.data import check, repair
from gatherer.text import counted, size

DESCRIPTION = """\
Read every byte of a capture: the checksum of each frame, each line, the numbers
of the segments, and whether the clock goes back. Each damaged segment is named,
with the place where its good part ends. With --repair what follows the good
part of a finished segment is moved into a file <segment>.damaged; nothing is
deleted, and the other commands count it as a loss.
Exit status: 0 sound, 1 damaged, 2 bad input."""
EXAMPLE = """\
  gatherer check capture
  gatherer check --repair capture"""


def add_arguments(parser: ArgumentParser) -> None:
    """See `SubcommandModule`."""
    add_capture(parser)
    parser.add_argument("--repair", action="store_true", help="cut damaged ends off into <segment>.damaged")


def run(options: Namespace, out: TextIO) -> int:
    """See `SubcommandModule`."""
    capture = options.capture
    if not capture.exists():
        raise CommandError(f"{capture}: no such file or directory")
    segments = lines = damaged = 0
    with Progress(sys.stderr, "checked") as progress:
        for finding in check(capture, progress.show):
            name = finding.segment.name
            segments, lines, damaged = segments + 1, lines + finding.lines, damaged + bool(finding.damage)
            for text in finding.damage:
                out.write(f"{name}: damaged: {text}\n")
            if finding.damage and finding.torn_bytes:
                good = f"line {finding.lines}, byte {finding.good_bytes:,}" if finding.lines else "no line"
                out.write(f"{name}: good until {good}; {size(finding.torn_bytes)} follow\n")
            for text in finding.notes:
                out.write(f"{name}: {text}\n")
            if options.repair and finding.damage and (rest := repair(finding)) is not None:
                out.write(f"{name}: {size(finding.torn_bytes)} moved to {rest.name}\n")
    if not segments:
        raise CommandError(f"{capture}: no segments (*.jsonl.zst) in this directory")
    verdict = f"{counted(damaged, 'segment')} damaged" if damaged else "sound"
    out.write(f"{counted(segments, 'segment')}, {counted(lines, 'line')}: {verdict}\n")
    return HOLES if damaged else DONE
