"""The manhole without a terminal: a command or a script comes, its answers go to stdout, its mistakes to stderr.

`Any` stands for objects of conch, which has no types.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.ops.manhole.commands import Prompt
from gatherer.ops.manhole.interpreter import Interpreter, NoUser

MAX_BYTES = 65_536
"""Of a script."""


class Script:
    """One channel of an SSH connection. `channel` is conch's process protocol: what it receives goes to the user."""

    _log = Logger()

    def __init__(self, channel: Any, make_prompt: Callable[[Callable[[str], None]], Prompt]) -> None:
        self._channel = channel
        self._source = b""
        self._running: Deferred[None] | None = None
        self._interpreter = Interpreter(self, make_prompt(self._say).namespace())
        channel.makeConnection(self)

    # -- what the user sends --------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """A piece of the script; while one runs, the input is dropped."""
        if self._running is None:
            self._source += data
            if len(self._source) > MAX_BYTES:
                self._end(False, f"error: a script may be {MAX_BYTES:,} bytes long\n")

    def end_of_input(self) -> None:
        """The script is complete."""
        if self._running is None:
            self.run(self._source)

    def run(self, source: bytes) -> None:
        """Run it to its end."""
        text = source.decode("utf-8", "replace")
        self._running = running = Deferred.fromCoroutine(self._run(text))
        running.addErrback(lambda failure: self._log.failure("a bug in the manhole", failure))

    def cancel(self) -> None:
        """The user is gone."""
        self._interpreter.handler = NoUser()
        self._interpreter.cancel()

    # -- ITransport towards conch ---------------------------------------------------------------------

    def loseConnection(self) -> None:
        """Conch closes its side; there is nothing to close here."""

    # -- the interpreter's handler --------------------------------------------------------------------

    def addOutput(self, text: str, is_late: bool = False) -> None:
        """An answer, or with `failed` set what went wrong."""
        data = text.encode("utf-8", "replace")
        (self._channel.errReceived if self._interpreter.failed else self._channel.outReceived)(data)

    def leave(self) -> None:
        """Leaving ends the script after the current statement."""

    # -- helpers --------------------------------------------------------------------------------------

    async def _run(self, source: str) -> None:
        self._end(await self._interpreter.script(source))

    def _say(self, text: str) -> None:
        self._interpreter.handler.addOutput(text + "\n", True)

    def _end(self, well: bool, text: str = "") -> None:
        if text:
            self._channel.errReceived(text.encode())
        self._channel.processEnded(Failure(ProcessDone(0) if well else ProcessTerminated(1)))
