"""The console script: finding a subcommand, its help, and how errors end it."""

import io
import os
import subprocess
import sys
import sysconfig
from argparse import ArgumentParser, Namespace
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TextIO

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import gatherer
from gatherer.cli import main
from gatherer.cli.arguments import CommandError
from gatherer.cli.program import COMMANDS, Subcommand
from gatherer.errors import GathererError

ROOT = str(Path(gatherer.__file__).parent.parent)
MAIN = "import sys; from gatherer.cli import main; status = main(); "


def run(*words: str, commands: dict[str, Subcommand] = COMMANDS) -> tuple[int, str, str]:
    """Exit status, output and errors of `gatherer ...` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(words, commands)
    return status, out.getvalue(), err.getvalue()


class HelpTests(SynchronousTestCase):
    """What a user reads first."""

    def test_it_fits_one_screen(self) -> None:
        """`gatherer --help` has at most 24 lines of 80 columns, and names every command."""
        status, out, err = run("--help")
        self.assertEqual((status, err), (0, ""))
        lines = out.splitlines()
        self.assertLessEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 80)
        for name, command in COMMANDS.items():
            self.assertIn(f"  {name:<10} {command.summary}", lines)

    def test_each_command_has_an_example(self) -> None:
        """`gatherer COMMAND --help` describes the command and ends with an example of it."""
        for name in COMMANDS:
            status, out, err = run(name, "--help")
            self.assertEqual((status, err), (0, ""))
            self.assertIn(f"\nexample:\n  gatherer {name}", out)
            self.assertIn("Exit status", out)

    def test_version(self) -> None:
        """`gatherer --version` prints the version of the package."""
        self.assertEqual(run("--version"), (0, f"gatherer {gatherer.__version__}\n", ""))

    def test_help_imports_no_command(self) -> None:
        """Help is fast: it imports neither Twisted nor a command, and a command does not import the others."""
        for words, absent in ((["--help"], ["twisted", "msgspec", "gatherer.cli.top"]), (["top", "-h"], ["twisted"])):
            script = MAIN + "print([name for name in sys.argv[-1].split(',') if name in sys.modules])"
            script = script.replace("main()", f"main({words!r})")
            done = subprocess.run(
                [sys.executable, "-c", script, ",".join(absent)], capture_output=True, text=True, check=True,
                env={**os.environ, "PYTHONPATH": ROOT},
            )  # fmt: skip
            self.assertEqual(done.stdout.splitlines()[-1], "[]")


class ErrorTests(SynchronousTestCase):
    """Each error costs one line, and no traceback."""

    def make(self, error: BaseException, extra: str = "") -> dict[str, Subcommand]:
        """A table with one command, which raises `error`."""

        def fail(options: Namespace, out: TextIO) -> int:
            raise error

        def add_arguments(parser: ArgumentParser) -> None:
            parser.add_argument("--number", type=int)

        module = ModuleType("made_up_command")
        vars(module).update(DESCRIPTION="", EXAMPLE="", add_arguments=add_arguments, run=fail)
        self.patch(sys, "modules", {**sys.modules, module.__name__: module})
        return {"try": Subcommand(module.__name__, "", extra)}

    def test_errors_of_a_command(self) -> None:
        """The line names the command and the cause; the status is 2, or the one that the command chose."""
        cases: list[tuple[BaseException, int, str]] = [
            (GathererError("the file\nis damaged"), 2, "gatherer try: the file is damaged\n"),
            (CommandError("no answer", 1), 1, "gatherer try: no answer\n"),
            (FileNotFoundError(2, "No such file or directory", "x"), 2, "gatherer try: x: No such file or directory\n"),
            (KeyboardInterrupt(), 130, ""),
        ]
        for error, status, line in cases:
            self.assertEqual(run("try", commands=self.make(error)), (status, "", line))

    def test_a_missing_extra(self) -> None:
        """A library that is not installed is named by the extra that brings it; a bug of ours stays a traceback."""
        missing = ModuleNotFoundError("No module named 'duckdb'", name="duckdb")
        self.assertEqual(
            run("try", commands=self.make(missing, "data")),
            (2, "", "gatherer try: needs pip install 'gatherer[data]'\n"),
        )
        for error, extra in ((missing, ""), (ModuleNotFoundError("", name="gatherer.nothing"), "data")):
            self.assertRaises(ModuleNotFoundError, run, "try", commands=self.make(error, extra))

    def test_wrong_arguments(self) -> None:
        """A wrong argument is named, with the way to the help."""
        commands = self.make(GathererError("not reached"))
        for words, text in ((["--number", "x"], "--number"), (["--nothing"], "--nothing"), (["more"], "more")):
            status, out, err = run("try", *words, commands=commands)
            self.assertEqual((status, out, err.count("\n")), (2, "", 1))
            self.assertTrue(err.startswith("gatherer try: ") and err.endswith("; see gatherer try --help\n"), err)
            self.assertIn(text, err)

    def test_no_such_command(self) -> None:
        """An unknown command is answered with the closest name; no command at all with the way to the help."""
        self.assertEqual(run("covrage")[2], "gatherer: there is no command 'covrage'; did you mean coverage?\n")
        self.assertEqual(run(), (2, "", "gatherer: a command is missing; see gatherer --help\n"))

    @given(st.text(max_size=60))
    def test_any_word(self, word: str) -> None:
        """No first word leads to a traceback or to more than one line of errors."""
        if word in COMMANDS or word.startswith("-"):
            return
        status, out, err = run(word)
        self.assertEqual((status, out, err.count("\n")), (2, "", 1))


class ProcessTests(SynchronousTestCase):
    """The script as a process."""

    def test_the_installed_script(self) -> None:
        """The installed `gatherer` runs."""
        script = Path(sysconfig.get_path("scripts"), "gatherer")
        if not script.exists():
            raise SkipTest("gatherer is not installed, or was installed before it had this script")
        done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, f"gatherer {gatherer.__version__}\n"))

    def test_a_closed_pipe(self) -> None:
        """A reader that leaves early, as `head` does, costs no traceback."""
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-c", f"{MAIN}sys.exit(status)", "--help"], stdout=writer, stderr=subprocess.PIPE,
            text=True, check=False, env={**os.environ, "PYTHONPATH": ROOT},
        )  # fmt: skip
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
