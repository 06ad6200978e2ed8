"""`gatherer top` as a process: in a terminal, in a pipe, with and without a gatherer."""

import fcntl
import os
import signal
import struct
import sys
import termios
from collections.abc import Callable
from importlib.util import find_spec
from time import time_ns
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase

from gatherer.ops.web.service import WebService
from tests.ops.support import (
    StubConnection,
    StubManager,
    StubRegistry,
    StubRouter,
    connection,
    make_events,
    make_health,
)

MAIN = "import sys; from gatherer.cli import main; sys.exit(main())"
TIMEOUT = 60.0


class TopProcess(ProcessProtocol):
    """A running `gatherer top`. In a pipe it has `out` and `err`, in a terminal `screen`."""

    def __init__(self, screen: Any = None) -> None:
        self.out = self.err = b""
        self.screen = screen
        self.ended: Deferred[int] = Deferred()

    def outReceived(self, data: bytes) -> None:
        self.out += data
        if self.screen is not None:
            self.screen.feed(data)

    def errReceived(self, data: bytes) -> None:
        self.err += data

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(reason.value.status if reason.check(ProcessTerminated) else 0)


class Terminal:
    """A terminal emulator."""

    def __init__(self, columns: int, rows: int) -> None:
        import pyte

        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)

    def feed(self, data: bytes) -> None:
        """Output of the program."""
        self._stream.feed(data)

    @property
    def text(self) -> str:
        """The lines."""
        return "\n".join(self.screen.display)

    def colour_of(self, char: str) -> set[str]:
        """The colours in which a character is shown."""
        cells = (cell for row in self.screen.buffer.values() for cell in row.values())
        return {cell.fg for cell in cells if cell.data == char}


class ProgramTests(TestCase):
    """Against the real web service with a made-up pool."""

    timeout = 180

    async def serve(self, port: int = 0) -> WebService:
        """Serve the pages on loopback."""
        self.manager = StubManager()
        self.manager.figures["connections"] = [
            connection(i, "orderbook_delta", wanted=35, held=35) for i in range(1, 31)
        ]
        self.manager.figures.update(markets=1050, held=1050, healthy=30, min_healthy=30)
        self.manager.known = {"KXKNOWN"}
        self.manager.parts = [StubConnection(7, ["KXA"])]
        health = make_health(self.manager, StubRegistry(), StubRouter())
        endpoint = TCP4ServerEndpoint(reactor, port, interface="127.0.0.1")
        service = WebService(endpoint, self.manager, health, make_events(), reactor, time_ns)
        service.startService()
        self.addCleanup(lambda: service.stopService() if service.running else None)
        address: Any = await service.when_listening()
        self.url = f"http://127.0.0.1:{address.port}"
        return service

    def start(self, *arguments: str, screen: Any = None, **environment: str) -> TopProcess:
        """Run it."""
        program = TopProcess(screen)
        env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment}
        command = [sys.executable, "-c", MAIN, "top", *arguments]
        size = (screen.screen.lines, screen.screen.columns, 0, 0) if screen is not None else None
        process: Any = reactor.spawnProcess(program, sys.executable, command, env, usePTY=size is not None)  # type: ignore[attr-defined]
        if size is not None:
            fcntl.ioctl(process.fd, termios.TIOCSWINSZ, struct.pack("4H", *size))
        self.addCleanup(self.end, program)
        return program

    async def end(self, program: TopProcess) -> None:
        """Kill it if it still runs."""
        if not program.ended.called:
            program.transport.signalProcess("KILL")
            await program.ended

    async def until(self, condition: Callable[[], bool], program: TopProcess) -> None:
        """Wait until the condition holds."""
        deadline = reactor.seconds() + TIMEOUT  # type: ignore[attr-defined]
        while not condition():
            if reactor.seconds() > deadline:  # type: ignore[attr-defined]
                text = program.screen.text if program.screen else program.out.decode()
                raise AssertionError(f"not within {TIMEOUT} s:\n{text}")
            await deferLater(reactor, 0.02)

    async def sees(self, program: TopProcess, *texts: str) -> None:
        """Wait until the screen shows all of it."""
        await self.until(lambda: all(text in program.screen.text for text in texts), program)

    async def open(self, columns: int = 90, rows: int = 30) -> TopProcess:
        """Start it in a terminal and wait for the first tick."""
        if find_spec("pyte") is None:
            raise SkipTest("no pyte: pip install -e '.[test]'")
        program = self.start(self.url, screen=Terminal(columns, rows))
        await self.sees(program, "up to date", "q quit")
        return program

    async def test_once(self) -> None:
        """In a pipe, or with --once, it prints one frame as plain text and ends with 0."""
        await self.serve()
        for arguments in ([self.url], [self.url, "--once"], [self.url.removeprefix("http://")]):
            program = self.start(*arguments)
            self.assertEqual((await program.ended, program.err), (0, b""))
            text = program.out.decode()
            self.assertIn("30 of 30 live", text)
            self.assertIn("● 30    35", text)
            self.assertNotIn("\x1b", text)

    async def test_no_gatherer(self) -> None:
        """No server, another server and a wrong URL each cost one line and a status that is not 0."""
        service = await self.serve()
        cases = [("http://127.0.0.1:1", 1, b"refused"), (f"{self.url}/page", 1, b"404"), ("ftp://x", 2, b"not an http")]
        for url, status, text in cases:
            program = self.start(url, "--once")
            self.assertEqual(await program.ended >> 8, status, url)
            self.assertIn(text, program.err)
            self.assertEqual(program.err.count(b"\n"), 1)
        await service.stopService()

    async def test_an_unknown_terminal(self) -> None:
        """It prints one line that names --once, and no traceback."""
        await self.serve()
        if find_spec("pyte") is None:
            raise SkipTest("no pyte: pip install -e '.[test]'")
        program = self.start(self.url, screen=Terminal(80, 24), TERM="no-such-terminal")
        await program.ended
        self.assertIn("--once", program.screen.text)
        self.assertNotIn(b"Traceback", program.out)

    async def test_it_updates_itself(self) -> None:
        """A connection that is lost turns red and counts down without a key being pressed."""
        await self.serve()
        program = await self.open()
        # the head arrives first: the cells may still be on their way
        await self.until(lambda: program.screen.colour_of("●") == {"green"}, program)
        self.manager.figures["connections"][16].update(state="backoff", next_dial_in=42.0)
        await self.sees(program, "29 of 30 live", "✕ 17  -42s")
        await self.until(lambda: program.screen.colour_of("✕") == {"red"}, program)

    async def test_search_and_details(self) -> None:
        """The keys of the last line show the explanation of a ticker and the details of a connection; q ends with 0."""
        await self.serve()
        program = await self.open()
        program.transport.write(b"/kxknown\r")
        await self.sees(program, "KXKNOWN", "unplaced: wanted, but no connection")
        program.transport.write(b"\x1b")
        await self.sees(program, "30 of 30 live", "● 30")
        program.transport.write(b"/kxnever\r")
        await self.sees(program, "no market 'KXNEVER'")
        program.transport.write(b"q")
        await self.sees(program, "● 30")
        program.transport.write(b"\x1bOC" * 7)
        await self.sees(program, "orderbook_delta-7: live")
        program.transport.write(b"\r")
        await self.sees(program, "connection 7", "last error: cut", "KXA")
        program.transport.write(b"qq")
        self.assertEqual(await program.ended, 0)
        self.assertNotIn(b"Traceback", program.out)

    async def test_resizing(self) -> None:
        """It uses a window that grows, and survives one that shrinks to almost nothing."""
        await self.serve()
        program = await self.open(40, 10)
        for columns, rows in ((200, 50), (3, 2), (90, 30)):
            program.screen.screen.resize(rows, columns)
            fcntl.ioctl(program.transport.fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
            os.kill(program.transport.pid, signal.SIGWINCH)
            if columns > 3:
                last = rows - 1
                await self.until(lambda last=last: program.screen.screen.display[last].startswith("q quit"), program)  # type: ignore[misc]
        program.transport.write(b"q")
        self.assertEqual(await program.ended, 0)

    async def test_the_gatherer_goes_and_comes_back(self) -> None:
        """It shows that the gatherer is gone, tries again, and continues when it is back."""
        service = await self.serve()
        port = int(self.url.rpartition(":")[2])
        program = await self.open()
        await service.stopService()
        await self.sees(program, "trying again", "no data for")
        await self.serve(port)
        await self.until(lambda: "trying again" not in program.screen.text, program)
        await self.sees(program, "up to date")

    async def test_interrupted(self) -> None:
        """Ctrl-C ends it with 0, SIGTERM with 143. Both restore the terminal and print no traceback."""
        await self.serve()
        for number, status in ((signal.SIGINT, 0), (signal.SIGTERM, 143)):
            program = await self.open()
            if number == signal.SIGINT:
                program.transport.write(b"\x03")
            else:
                program.transport.signalProcess(number)
            self.assertEqual(await program.ended, status << 8)
            self.assertTrue(program.out.rstrip().endswith((b"\x1b[?1l\x1b>", b"\x1b[?1049l")), program.out[-60:])
            self.assertNotIn(b"Traceback", program.out)
