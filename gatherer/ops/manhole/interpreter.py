"""Runs what operators type: in a terminal with editing, history and TAB, or as a script that ends with a status.

Twisted's manhole, with answers as they are instead of their `repr`, errors as one line in the shell and nowhere else,
and Deferreds whose result is shown when it comes. `Any` stands for what operators type, and for conch, which has no
types.
"""

import ast
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from twisted.conch.manhole import ColoredManhole, ManholeInterpreter
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from gatherer.errors import GathererError
from gatherer.ops.manhole.completion import complete
from gatherer.text import one_line

NAMES_KNOWN = ("exit", "quit")
"""Python's own names that TAB knows."""


class Interpreter(ManholeInterpreter):
    """`handler` has `addOutput(text, is_late)` for output, and `leave()`, which ends the session."""

    def __init__(self, handler: Any, names: Mapping[str, Any]) -> None:
        super().__init__(handler, {**dict.fromkeys(NAMES_KNOWN, _leave), **names}, "<manhole>")
        quiet: Any = _without_warnings(self.compile)
        self.compile = quiet
        self.failed = False
        """Whether anything went wrong so far."""
        self._waiting: set[Deferred[Any]] = set()

    def push(self, line: bytes) -> bool:
        """A line of input; whether it needs another. Bytes that are not text are an error of the line only."""
        return bool(super().push(line.decode("utf-8", "replace").encode("utf-8", "replace")))

    async def script(self, source: str) -> bool:
        """Run statement by statement, each after the answer of the one before, up to the first that fails.

        Whether all went well.
        """
        try:
            statements = _without_warnings(ast.parse)(source, self.filename).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self.showsyntaxerror()
            return False
        for statement in statements:
            self.runcode(_without_warnings(compile)(ast.Interactive([statement]), self.filename, "single"))
            while self._waiting:
                await DeferredList(list(self._waiting))
            if self.failed:
                return False
        return True

    def cancel(self) -> None:
        """Cancel everything that is waited for."""
        for promise in list(self._waiting):
            promise.cancel()

    def runcode(self, code: Any) -> None:
        """Run it; leaving ends the session, not the reactor."""
        try:
            super().runcode(code)
        except SystemExit:
            self.handler.leave()

    def displayhook(self, obj: Any) -> None:
        """Show a value, or the result of a Deferred once it is there."""
        self.locals["_"] = obj
        if isinstance(obj, Deferred):
            self._display_deferred(obj)
        elif obj is not None:
            self._show(_shown(obj))

    def showtraceback(self) -> None:
        """One line."""
        self._show_error(sys.exc_info()[1])

    def showsyntaxerror(self, filename: str | None = None, **details: Any) -> None:
        """One line as well."""
        self._show_error(sys.exc_info()[1])

    def _display_deferred(self, promise: Deferred[Any]) -> None:
        late = False

        def came(result: Any) -> Any:
            self._waiting.discard(promise)
            if result is not None:
                self._show(_shown(result), late)
            return result

        def failed(failure: Failure) -> None:
            self._waiting.discard(promise)
            self._show_error(failure.value, late)

        self._waiting.add(promise)
        promise.addCallbacks(came, failed)
        late = True

    def _show_error(self, error: BaseException | None, late: bool = False) -> None:
        self.failed = True
        self._show(describe_error(error), late)

    def _show(self, text: str, late: bool = False) -> None:
        self.handler.addOutput(text + "\n", late)


class Terminal(ColoredManhole):
    """The prompt of a user at a terminal."""

    ps = (b"gatherer> ", b"     ...> ")

    def __init__(
        self, names: Mapping[str, Any], tickers: Callable[[str], list[str]], greeting: str, goodbye: Callable[[], None]
    ) -> None:
        """`goodbye` is called when the user leaves, before the connection ends."""
        super().__init__()
        self._goodbye = goodbye
        self._names = names
        self._tickers = tickers
        self._greeting = greeting

    def connectionMade(self) -> None:
        """The terminal is there."""
        super().connectionMade()
        self.interpreter = self._mine = Interpreter(self, self._names)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """The user is gone: cancel what is still waited for."""
        self._mine.handler = NoUser()
        self._mine.cancel()

    def terminalSize(self, width: int, height: int) -> None:
        """Its size is known, or has changed. The first time clears the screen and shows the greeting."""
        greeting, self._greeting = self._greeting, ""
        if greeting:
            self.terminal.eraseDisplay()
            self.terminal.cursorHome()
            self.width, self.height = width, height
            self.terminal.write(greeting + "\n")
            self.drawInputLine()
        else:
            super().terminalSize(width, height)

    def keystrokeReceived(self, keyID: bytes, modifier: object) -> None:
        """A key. Those without a meaning ring the bell: Twisted would write them to the log."""
        if keyID in self.keyHandlers or keyID in self._printableChars:
            super().keystrokeReceived(keyID, modifier)
        else:
            self.terminal.write(b"\a")

    def characterReceived(self, ch: bytes, moreCharactersComing: bool) -> None:
        """A character. Code that cannot be coloured, because it is incomplete, stays without colour."""
        try:
            super().characterReceived(ch, moreCharactersComing)
        except (SyntaxError, ValueError):
            self.terminal.write(ch)

    def handle_INT(self) -> None:
        """Ctrl-C: forget the line, and cancel what is waited for."""
        self._mine.cancel()
        super().handle_INT()

    def handle_TAB(self) -> None:
        """Complete what stands before the cursor."""
        before = b"".join(self.lineBuffer[: self.lineBufferIndex]).decode("utf-8", "replace")
        if not before.strip():
            for _ in range(4):  # what Python indents by
                self.characterReceived(b" ", False)
            return
        found = complete(before, self._visible(), self._tickers)
        for letter in found.insert.encode("ascii", "ignore"):
            self.characterReceived(bytes([letter]), False)
        if found.choices:
            self.addOutput("  ".join(found.choices) + "\n", True)
        elif not found.insert:
            self.terminal.write(b"\a")

    def handle_QUIT(self) -> None:
        """Ctrl-D on an empty line, or Ctrl-backslash."""
        self._goodbye()
        super().handle_QUIT()

    def leave(self) -> None:
        """The user wants to go."""
        self.handle_QUIT()

    def addOutput(self, data: str, isAsync: bool | None = None) -> None:
        """Show a text; a late one above the line that is being typed, which comes again below it.

        Twisted's way to bring it again breaks the line: it takes the list of its characters for bytes.
        """
        if not isAsync:
            self.terminal.write(data)
            return
        typed = len(self.lineBuffer)
        self.terminal.eraseLine()
        self.terminal.cursorBackward(typed + len(self.ps[self.pn]))
        self.terminal.write(data)
        self.drawInputLine()
        if typed > self.lineBufferIndex:
            self.terminal.cursorBackward(typed - self.lineBufferIndex)

    def _visible(self) -> dict[str, str]:
        """The names at the prompt, each with what follows it."""
        visible = ((name, value) for name, value in self._mine.locals.items() if not name.startswith("_"))
        return {name: getattr(value, "opening", "") for name, value in visible}


class NoUser:
    """Stands in for a user who is gone: drops all answers."""

    def addOutput(self, text: str, is_late: bool = False) -> None:
        """Not shown."""

    def leave(self) -> None:
        """Gone already."""


def describe_error(error: BaseException | None) -> str:
    """One line for an operator."""
    if isinstance(error, GathererError):
        return f"error: {one_line(error)}"
    if isinstance(error, SyntaxError):
        return f"error: this is not Python: {one_line(error.msg)}"
    if isinstance(error, NameError):
        return f"error: {one_line(error)}; help() lists the commands, and tickers go in quotes"
    text = one_line(_message_of(error))
    return f"error: {type(error).__name__}{f': {text}' if text else ''}"


def _message_of(error: BaseException | None) -> str:
    try:
        return str(error)
    except Exception:  # whatever a foreign __str__ may raise
        return "it cannot be printed"


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # whatever a foreign __repr__ may raise
        return f"a {type(value).__name__} that cannot be printed: {type(error).__name__}"


def _without_warnings(compiles: Callable[..., Any]) -> Callable[..., Any]:
    """Python warns of odd code on the stderr of the service."""

    def silently(*arguments: Any, **named: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compiles(*arguments, **named)

    return silently


def _leave(code: object = None) -> None:
    raise SystemExit(code)
