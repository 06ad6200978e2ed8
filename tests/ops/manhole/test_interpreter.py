"""What is typed and what is shown, without SSH."""

import re
import warnings
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.conch.insults.insults import ServerProtocol
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from gatherer.errors import AdminError
from gatherer.ops.manhole.commands import PromptCommand, Text
from gatherer.ops.manhole.interpreter import Interpreter, Terminal

KEYS = [b"\t", b"\r", b"\x1b[A", b"\x1b[D", b"\x7f", "é".encode(), b"if 1:\r", b"'", b"\x03", b"promise\r"]


class Shown:
    """Remembers what was shown."""

    def __init__(self) -> None:
        self.now: list[str] = []
        self.late: list[str] = []
        self.left = False

    def addOutput(self, text: str, is_late: bool = False) -> None:
        """A text."""
        (self.late if is_late else self.now).append(text)

    def leave(self) -> None:
        """The user wants to go."""
        self.left = True


class Unprintable:
    """Raises when somebody looks at it."""

    def __repr__(self) -> str:
        raise ValueError("no")


class UnprintableError(Exception):
    """So does this one."""

    def __str__(self) -> str:
        raise ValueError("no")


class InterpreterTests(SynchronousTestCase):
    """Interpreter."""

    def setUp(self) -> None:
        self.shown = Shown()
        self.promise: Deferred[Any] = Deferred()
        self.interpreter = Interpreter(self.shown, {
            "text": Text("two\nlines"), "promise": self.promise, "refuse": PromptCommand(self.refuse),
            "Unprintable": Unprintable, "UnprintableError": UnprintableError, "succeed": succeed, "fail": fail,
        })  # fmt: skip

    def refuse(self) -> None:
        """Never works."""
        raise AdminError("no connection 171:\nids are 1 to 150")

    def push(self, *lines: str) -> str:
        """Type some lines; what is shown at once."""
        self.shown.now.clear()
        for line in lines:
            self.interpreter.push(line.encode())
        return "".join(self.shown.now)

    def test_odd_code_is_not_warned_of(self) -> None:
        """Python's warnings would go to the stderr of the service, once for each way to run something."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.assertEqual(self.push("1if 1 else 2"), "1\n")
            self.successResultOf(Deferred.fromCoroutine(self.interpreter.script("1 is 1")))
        self.assertEqual(caught, [])

    def test_answers_are_shown_as_they_are(self) -> None:
        """A text of ours with its line breaks, other values as Python shows them, None not at all."""
        self.assertEqual(self.push("text"), "two\nlines\n")
        self.assertEqual(self.push("'a\\nb'"), "'a\\nb'\n")
        self.assertEqual(self.push("1; 2"), "1\n2\n")
        self.assertEqual(self.push("None"), "")
        self.assertEqual(self.push("print('hello')"), "hello\n")

    def test_mistakes_are_one_line(self) -> None:
        """Whatever goes wrong: no traceback, not here and not in the log."""
        with capturedLogs() as events:
            for typed, answer in (
                ("refuse()", "error: no connection 171: ids are 1 to 150"),
                ("foo", "error: name 'foo' is not defined; help() lists the commands, and tickers go in quotes"),
                ("1/0", "error: ZeroDivisionError: division by zero"),
                ("raise KeyboardInterrupt", "error: KeyboardInterrupt"),
                ("raise UnprintableError()", "error: UnprintableError: it cannot be printed"),
                ("Unprintable()", "a Unprintable that cannot be printed: ValueError"),
                ("x = )", "error: this is not Python: unmatched ')'"),
                ("fail(ValueError('late'))", "error: ValueError: late"),
                ("def f(): return f()", None),
            ):
                said = self.push(typed, "") if answer is None else self.push(typed)
                self.assertEqual(said, "" if answer is None else f"{answer}\n")
            self.assertEqual(self.push("f()"), "error: RecursionError: maximum recursion depth exceeded\n")
        self.assertEqual(events, [])

    def test_a_result_that_comes_later(self) -> None:
        """Is shown when it comes, as it is; meanwhile the prompt works."""
        self.assertEqual(self.push("promise"), "")
        self.assertEqual(self.push("1 + 1"), "2\n")
        self.promise.callback(Text("it came"))
        self.assertEqual(self.shown.late, ["it came\n"])

    def test_a_failure_that_comes_later(self) -> None:
        """Is a line as well, and handled: it is not logged as unhandled."""
        self.push("promise")
        self.promise.errback(Failure(AdminError("too late")))
        self.assertEqual(self.shown.late, ["error: too late\n"])
        self.assertIsNone(self.successResultOf(self.promise))

    def test_one_result_that_is_there(self) -> None:
        """Is shown at once."""
        self.assertEqual(self.push("succeed(5)"), "5\n")

    def test_leaving(self) -> None:
        """exit(), quit() and SystemExit end the session, not the reactor."""
        for way in ("exit()", "quit()", "raise SystemExit"):
            self.shown.left = False
            self.push(way)
            self.assertTrue(self.shown.left, way)

    def test_bytes_that_are_no_text(self) -> None:
        """Are a mistake in the line, not one of ours."""
        self.assertFalse(self.interpreter.push(b"\xff\xfe"))
        self.assertIn("this is not Python", "".join(self.shown.now))

    def test_a_script_waits_for_each_answer(self) -> None:
        """The second statement runs when the first has its result; the outcome tells whether all went well."""
        outcome = Deferred.fromCoroutine(self.interpreter.script("promise\n1 + 1"))
        self.assertEqual(self.shown.now, [])
        self.promise.callback(Text("first"))
        self.assertEqual((self.shown.late, self.shown.now), (["first\n"], ["2\n"]))
        self.assertTrue(self.successResultOf(outcome))

    def test_a_script_ends_at_its_first_mistake(self) -> None:
        """Also at one that shows only later, and at one of grammar before anything is done."""
        for source, shown in (("1\n1/0\n2", ["1\n"]), ("1\n2 +", []), ("\0", []), ("(" * 1000, [])):
            self.shown.now.clear()
            self.interpreter.failed = False
            self.assertFalse(self.successResultOf(Deferred.fromCoroutine(self.interpreter.script(source))), source)
            self.assertEqual([text for text in self.shown.now if not text.startswith("error")], shown)
        self.interpreter.failed = False
        outcome = Deferred.fromCoroutine(self.interpreter.script("promise\n3"))
        self.shown.now.clear()
        self.promise.errback(Failure(AdminError("no")))
        self.assertEqual((self.successResultOf(outcome), self.shown.now), (False, []))

    def test_nobody_waits_any_longer(self) -> None:
        """What is cancelled shows so, once."""
        self.push("promise")
        self.interpreter.cancel()
        self.assertEqual(self.shown.late, ["error: CancelledError\n"])


class TerminalTests(SynchronousTestCase):
    """Terminal."""

    def setUp(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Somebody sits down."""
        self.promise: Deferred[Any] = Deferred()
        self.gone = 0
        self.wire = StringTransport()
        names = {"promise": self.promise, "status": PromptCommand(self.status)}
        self.server = ServerProtocol(Terminal, names, lambda prefix: ["KX-1", "KX-2"], "hello", self.goodbye)
        self.server.makeConnection(self.wire)
        self.server.terminalProtocol.terminalSize(80, 24)

    def status(self) -> Text:
        """All is well."""
        return Text("fine")

    def goodbye(self) -> None:
        """It ends."""
        self.gone += 1

    def type(self, keys: bytes) -> str:
        """Press some keys; what the terminal gets, without colours."""
        self.wire.clear()
        self.server.dataReceived(keys)
        return self.said()

    def said(self) -> str:
        """What the terminal got since."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.wire.value().decode("utf-8", "replace")).replace("\r", "")

    def test_the_greeting_survives(self) -> None:
        """It is shown after the screen was cleared, once, and the prompt below it."""
        self.assertTrue(self.said().endswith("hello\ngatherer> "))
        self.wire.clear()
        self.server.terminalProtocol.terminalSize(100, 24)
        self.assertNotIn("hello", self.said())

    def test_tab(self) -> None:
        """Completes a name, offers what there is, rings the bell when there is nothing, and indents."""
        self.assertTrue(self.type(b"sta\t\r").endswith("status()\nfine\ngatherer> "))
        self.assertIn("KX-1  KX-2\ngatherer> where('KX-", self.type(b"where('KX-\t"))
        self.type(b"\x03")
        self.assertTrue(self.type(b"zzz\t").endswith("\a"))
        self.type(b"\x03")
        self.type(b"if 1:\r\tprint(6 * 7)\r")
        self.assertIn("42", self.type(b"\r"))

    def test_a_late_answer_does_not_spoil_the_line(self) -> None:
        """What is being typed comes again below it, whole, and can be edited and run."""
        self.type(b"promise\r")
        self.type(b"40 + 3\x1b[D")
        self.wire.clear()
        self.promise.callback(Text("it came"))
        self.assertEqual(self.said(), "it came\ngatherer> 40 + 3")
        self.assertIn("42", self.type(b"\x1b[3~2\r"))

    def test_keys_without_a_meaning_ring_the_bell(self) -> None:
        """They are no news for the log."""
        with capturedLogs() as events:
            self.assertEqual(self.type(b"\x12\x1b[15~\xff"), "\a\a\a")
        self.assertEqual(events, [])

    def test_control_d(self) -> None:
        """Rings the bell on a line with something in it, ends the session on an empty one."""
        self.assertEqual(self.type(b"x\x04")[-1], "\a")
        self.assertEqual(self.gone, 0)
        self.type(b"\x03\x04")
        self.assertEqual(self.gone, 1)

    def test_control_c_waits_no_longer(self) -> None:
        """And a user who is gone is not waited for either; nothing is shown."""
        self.type(b"promise\r")
        self.assertIn("error: CancelledError", self.type(b"\x03"))
        self.begin()
        self.type(b"promise\r")
        self.wire.clear()
        self.server.connectionLost(Failure(AdminError("gone")))
        self.assertEqual(self.wire.value(), b"")
        self.assertIsNone(self.successResultOf(self.promise))

    @settings(deadline=None)
    @given(st.lists(st.binary(max_size=6) | st.sampled_from(KEYS), max_size=25))
    def test_no_key_breaks_the_session(self, keys: list[bytes]) -> None:
        """Whatever is typed, nothing is raised and nothing logged."""
        self.begin()
        with capturedLogs() as events:
            for key in keys:
                if b"\x04" not in key and b"\x1c" not in key:
                    self.server.dataReceived(key)
        self.assertEqual([event for event in events if "log_failure" in event], [])
