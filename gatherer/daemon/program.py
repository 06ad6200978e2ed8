"""What both of our twistd plugins do the same way: a mistake costs one line, and what cannot start must not stay."""

import os
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.python.usage import UsageError

from gatherer.daemon.signals import give_up
from gatherer.errors import ConfigError


class OneLineUsageErrors:
    """Mix in before `usage.Options`: a wrong command line costs one line instead of twistd's page of help."""

    program = ""
    """What the line begins with."""

    def parseOptions(self, options: Any = None) -> None:
        """Parse, or end the program."""
        try:
            super().parseOptions(options)  # type: ignore[misc]
        except UsageError as error:
            give_up(self.program, error)


class Program(MultiService):
    """A service as a program: a ConfigError at its start ends it, before its reactor runs."""

    def __init__(self, program: str, options: Any) -> None:
        """`options` are twistd's own, a mapping."""
        super().__init__()
        self._program = program
        self._options = options

    def startService(self) -> None:
        """Start, or give up in one line."""
        try:
            super().startService()
        except ConfigError as error:
            self.give_up(error)

    def give_up(self, reason: object) -> NoReturn:
        """End before the reactor runs; leave no pidfile, which twistd removes only after a reactor that ran."""
        pidfile = self._options.get("pidfile")
        if pidfile and os.path.exists(pidfile):
            os.remove(pidfile)
        give_up(self._program, reason)
