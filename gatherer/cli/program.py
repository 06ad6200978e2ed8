"""`gatherer COMMAND ...`: find the subcommand, import only that one, run it, and turn every error into one line.

To add a subcommand, write a module of this package with what `SubcommandModule` names, and add a row to `COMMANDS`.
"""

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import NoReturn, Protocol, TextIO, cast

from gatherer import __version__
from gatherer.cli.arguments import BAD_INPUT, DONE, CommandError
from gatherer.errors import GathererError
from gatherer.text import one_line

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""
MAX_ERROR = 1000
"""Characters of an error line."""


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One row of the table."""

    module: str
    summary: str
    """For `gatherer --help`, so that no module must be imported for it."""
    extra: str = ""
    """The extra of `pip install 'gatherer[extra]'` that brings the libraries of this command."""


COMMANDS = {
    "top": Subcommand("gatherer.cli.top", "show a running gatherer in this terminal"),
    "coverage": Subcommand(
        "gatherer.cli.coverage", "show when each market and channel was captured without a hole", "data"
    ),
    "tables": Subcommand("gatherer.cli.tables", "write what was captured as Parquet tables, each message once", "data"),
    "book": Subcommand("gatherer.cli.book", "show an order book at a time, with its verdict", "data"),
    "tail": Subcommand("gatherer.cli.tail", "follow the messages of a running capture"),
    "check": Subcommand("gatherer.cli.check", "read every byte of a capture and name what is damaged"),
}


class SubcommandModule(Protocol):
    """What the module of a subcommand has. It imports the libraries of an extra in `run` or later."""

    DESCRIPTION: str
    """The first sentences of its help."""
    EXAMPLE: str
    """The end of its help: a few command lines."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments."""

    def run(self, options: Namespace, out: TextIO) -> int:
        """Do it, write the answer to `out` and return the exit status. A `GathererError` costs one line."""


class OneLineParser(ArgumentParser):
    """Raises `CommandError` for a wrong command line; argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        """See `ArgumentParser`."""
        raise CommandError(f"{message}; see {self.prog} --help")


def main(arguments: Sequence[str] | None = None, commands: Mapping[str, Subcommand] = COMMANDS) -> int:
    """The console script. Returns the exit status: 0 done, 1 done and there are holes, 2 bad input."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    name = words[0] if words and words[0] in commands else ""
    program = f"gatherer {name}".rstrip()
    try:
        status = _run(name, commands[name], words[1:]) if name else _run_without_command(words, commands)
        sys.stdout.flush()
    except BrokenPipeError:  # for example `| head`: the reader has left
        _discard_output()
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as end:  # argparse has printed the help or the version
        _flush_output()
        return end.code if isinstance(end.code, int) else DONE
    except ModuleNotFoundError as error:
        extra = commands[name].extra if name else ""
        if not extra or (error.name or "").startswith("gatherer"):
            raise
        return _fail(program, f"needs pip install 'gatherer[{extra}]'")
    except CommandError as error:
        return _fail(program, error, error.status)
    except OSError as error:
        return _fail(program, f"{error.filename}: {error.strerror}" if error.filename else error)
    except GathererError as error:
        return _fail(program, error)
    return status


def _run(name: str, command: Subcommand, words: Sequence[str]) -> int:
    module = cast(SubcommandModule, import_module(command.module))
    parser = OneLineParser(
        f"gatherer {name}", description=module.DESCRIPTION, epilog=f"example:\n{module.EXAMPLE}",
        formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    module.add_arguments(parser)
    return module.run(parser.parse_args(words), sys.stdout)


def _run_without_command(words: Sequence[str], commands: Mapping[str, Subcommand]) -> int:
    """`--help` and `--version`; everything else is an error."""
    rows = "\n".join(f"  {name:<10} {command.summary}" for name, command in commands.items())
    parser = OneLineParser(
        "gatherer", usage="gatherer COMMAND ...", add_help=False, allow_abbrev=False,
        description="Look at a running gatherer and at what it captured.",
        epilog=f"commands:\n{rows}\n\n`gatherer COMMAND --help` explains one of them, with an example.\n"
        "`twistd gatherer` starts the service itself.",
        formatter_class=RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("-h", "--help", action="help", help="show this help and exit")
    parser.add_argument("--version", action="version", version=f"gatherer {__version__}", help="show the version")
    if words and not words[0].startswith("-"):
        close = get_close_matches(words[0], commands, 1)
        hint = f"did you mean {close[0]}?" if close else "see gatherer --help"
        raise CommandError(f"there is no command {one_line(words[0], 40)!r}; {hint}")
    parser.parse_args(words)
    raise CommandError("a command is missing; see gatherer --help")


def _fail(program: str, reason: object, status: int = BAD_INPUT) -> int:
    sys.stderr.write(f"{one_line(f'{program}: {reason}', MAX_ERROR)}\n")
    return status


def _flush_output() -> None:
    """Write what is buffered now: at the end of the interpreter a reader that has left would cost a traceback."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()


def _discard_output() -> None:
    """Python flushes standard output at its end, and would complain about the closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
