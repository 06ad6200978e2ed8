"""The console script `gatherer`.

`program` has the table of subcommands; each subcommand is one thin module here, and `arguments` has the arguments that
they share. A module reads its arguments, calls one package below and prints the answer. No decision about data lives
here, and nothing else in gatherer imports this package.
"""

from gatherer.cli.program import main

__all__ = ["main"]
