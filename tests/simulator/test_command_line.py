"""`twistd kalshi-simulator` as a user meets it: in a process of its own."""

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec
import treq
from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent
from zope.interface.verify import verifyObject

from gatherer.errors import ConfigError
from gatherer.simulator.options import SimulatorOptions
from gatherer.simulator.service import SimulatorService
from gatherer.simulator.tap import build
from tests.simulator.keys import ed25519_key, public_pem
from tests.simulator.server.test_websocket import coroutine

ROOT = str(Path(__file__).parents[2])
NEEDED = ["--key-id", "k", "--public-key", "pem"]


def parsed(*arguments: str) -> SimulatorOptions:
    """Options from a command line."""
    options = SimulatorOptions()
    options.parseOptions([*NEEDED, *arguments])
    return options


class OptionsTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Only the key is needed; numbers are numbers."""
        options = parsed()
        self.assertEqual((options["markets"], options["rate"], options["seed"], options.faults), (5000, 100.0, 1, []))

    def test_values_and_faults(self) -> None:
        """Numbers are converted, faults add up."""
        options = parsed("--markets", "7", "--rate=2.5", "--fault", "cut=1@3", "--fault=lose_replies=2", "--rest-auth")
        self.assertEqual((options["markets"], options["rate"], options["rest-auth"]), (7, 2.5, 1))
        self.assertEqual((options["compression"], parsed("--compression")["compression"]), (0, 1))
        self.assertEqual([fault.after for fault in options.faults], [3.0, 0.0])

    def test_mistakes_name_the_option(self) -> None:
        """UsageError in one line."""
        for arguments, said in (
            (["--markets", "many"], "--markets: 'many' is not a whole number"),
            (["--rate", "-1"], "--rate: -1 is not between 0 and 1e+06"),
            (["--rate", "nan"], "--rate: nan is not between"),
            (["--fault", "tea=1"], "there are refuse_upgrade"),
            (["stray"], "what is 'stray'?"),
            (["--nonsense"], "option --nonsense not recognized"),
        ):
            error = self.assertRaises(UsageError, parsed, *arguments)
            self.assertIn(said, str(error))
            self.assertEqual(len(str(error).splitlines()), 1)
        self.assertRaises(UsageError, SimulatorOptions().parseOptions, ["--key-id", "k"])
        self.assertRaises(UsageError, SimulatorOptions().parseOptions, ["--public-key", "k"])

    def test_every_option_is_in_the_help(self) -> None:
        """And every fault, with its form."""
        text = SimulatorOptions().getUsage(width=100)
        for word in ("--websocket", "--rate", "--churn", "--rest-tokens", "--fault", "late_replies=TIMES[:SECONDS]"):
            self.assertIn(word, text)


class BuildTests(SynchronousTestCase):
    def options(self, *arguments: str) -> SimulatorOptions:
        path = self.mktemp()
        Path(path).write_bytes(public_pem(ed25519_key()))
        return parsed("--public-key", path, "--markets", "3", *arguments)

    def test_builds_what_was_asked_for(self) -> None:
        """A service with an exchange of that size; nothing listens before it starts."""
        reactor = MemoryReactorClock()
        service = build(self.options("--unopened", "2", "--multivariate", "0"), reactor)
        verifyObject(IService, service)
        self.assertIsInstance(service, SimulatorService)
        self.assertEqual((len(service.exchange.listing.markets), reactor.tcpServers), (5, []))

    def test_bad_endpoint_and_bad_key(self) -> None:
        """ConfigError that names the option or the file."""
        for arguments, said in ((["--rest", "carrier:pigeon"], "--rest: "), (["--public-key", "/nowhere"], "/nowhere")):
            error = self.assertRaises(ConfigError, build, self.options(*arguments), MemoryReactorClock())
            self.assertIn(said, str(error))


class Run(ProcessProtocol):
    """One run of the program."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.done: Deferred[tuple[int | None, str, str]] = Deferred()
        self._waiting: list[tuple[bytes, Deferred[None]]] = []

    def outReceived(self, data: bytes) -> None:
        """Its log."""
        self.out += data
        for text, waiter in list(self._waiting):
            if text in self.out:
                self._waiting.remove((text, waiter))
                waiter.callback(None)

    def errReceived(self, data: bytes) -> None:
        """What it says to the user."""
        self.err += data

    def processEnded(self, reason: Failure) -> None:
        """(exit status, log, message)."""
        status = 0 if reason.check(ProcessDone) else getattr(reason.value, "exitCode", None)
        waiting, self._waiting = self._waiting, []
        for _, waiter in waiting:
            waiter.errback(AssertionError(self.out + self.err))
        self.done.callback((status, self.out.decode(), self.err.decode()))

    def until(self, text: bytes) -> Deferred[None]:
        """Fires when the log has it; fails when the program ends without."""
        waiter: Deferred[None] = Deferred()
        self._waiting.append((text, waiter))
        self.outReceived(b"")
        return waiter


class ProgramTests(TestCase):
    timeout = 30

    def setUp(self) -> None:
        """A key file."""
        self.pem = self.mktemp()
        Path(self.pem).write_bytes(public_pem(ed25519_key()))
        self.pidfile = os.path.abspath(self.mktemp())

    def run_program(self, *arguments: str, key: bool = True) -> Run:
        """Start `twistd kalshi-simulator` on free ports, unless told otherwise."""
        from twisted.internet import reactor

        own = ["--key-id", "k", "--public-key", os.path.abspath(self.pem)] if key else []
        ports = [f"--{name}=tcp:0:interface=127.0.0.1" for name in ("websocket", "rest")]
        command = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
        twistd = ["--nodaemon", f"--pidfile={self.pidfile}", "kalshi-simulator"]
        run = Run()
        process: Any = reactor
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])}
        process.spawnProcess(run, sys.executable, [*command, *twistd, *own, *ports, *arguments], environment)
        return run

    @coroutine
    async def test_starts_serves_and_stops_with_status_0(self) -> None:
        """SIGTERM is no failure, nor is Ctrl-C; no pid file stays behind."""
        for number in (signal.SIGTERM, signal.SIGINT):
            run = self.run_program("--markets", "20")
            await run.until(b"exchange open")
            self.assertEqual(await self.count_markets(int(run.out.split(b"REST port ")[1].split()[0])), 20)
            run.transport.signalProcess(number)  # type: ignore[union-attr]
            status, _, message = await run.done
            self.assertEqual((status, message, os.path.exists(self.pidfile)), (0, "", False))

    async def count_markets(self, port: int) -> int:
        """Ask the program itself: when it answers, its reactor runs, and signals are caught."""
        from twisted.internet import reactor

        url = f"http://127.0.0.1:{port}/trade-api/v2/markets?mve_filter=exclude"
        response: Any = await treq.get(url, agent=Agent(reactor), unbuffered=True)
        return len(msgspec.json.decode(await treq.content(response))["markets"])

    @coroutine
    async def test_port_in_use(self) -> None:
        """One line, status 1, nothing left."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            run = self.run_program(f"--rest=tcp:{taken.getsockname()[1]}:interface=127.0.0.1")
            status, _, message = await run.done
        self.assertEqual((status, len(message.splitlines()), os.path.exists(self.pidfile)), (1, 1, False), message)
        self.assertIn("Address already in use", message)

    @coroutine
    async def test_mistakes_cost_one_line(self) -> None:
        """Bad option, bad fault, no key, unreadable key: one line on stderr that names it, status 1, no traceback."""
        runs = {
            "--bogus": self.run_program("--bogus"),
            "'tea'": self.run_program("--fault", "tea=1"),
            "--key-id is missing": self.run_program(key=False),
            "/nowhere/key.pem": self.run_program("--public-key", "/nowhere/key.pem"),
        }
        for said, run in runs.items():
            status, log, message = await run.done
            self.assertEqual((status, len(message.splitlines()), "Traceback" in log), (1, 1, False), message)
            self.assertIn(said, message)
            self.assertTrue(message.startswith("kalshi-simulator: "), message)

    @coroutine
    async def test_help(self) -> None:
        """--help prints every option and ends with status 0."""
        status, text, message = await self.run_program("--help").done
        self.assertEqual((status, message), (0, ""))
        self.assertIn("--rest-tokens=", text)
