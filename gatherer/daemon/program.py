"""What both twistd programs share: a wrong option or setting costs one line and ends the program."""

import os
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.python.usage import UsageError

from gatherer.daemon.signals import give_up
from gatherer.errors import ConfigError


class OneLineUsageErrors:
    """Mix in before `usage.Options`: a wrong command line costs one line instead of twistd's page of help."""

    program = ""
    """The name with which the line begins."""

    def parseOptions(self, options: Any = None) -> None:
        """Parse the options, or end the program."""
        try:
            super().parseOptions(options)  # type: ignore[misc]
        except UsageError as error:
            give_up(self.program, error)


class Program(MultiService):
    """The service of a program. A ConfigError at its start ends the program before the reactor runs."""

    def __init__(self, program: str, options: Any) -> None:
        """`options` are twistd's own, a mapping."""
        super().__init__()
        self._program = program
        self._options = options

    def startService(self) -> None:
        """Start the services, or end with one line."""
        try:
            super().startService()
        except ConfigError as error:
            self.give_up(error)

    def give_up(self, reason: object) -> NoReturn:
        """End before the reactor runs. Removes the pidfile: twistd does that only after the reactor has run."""
        pidfile = self._options.get("pidfile")
        if pidfile and os.path.exists(pidfile):
            os.remove(pidfile)
        give_up(self._program, reason)
