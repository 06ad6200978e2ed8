"""SIGTERM when everything hangs: the exchange is dead, clients of pages and prompt neither read nor close."""

import signal
import socket
from pathlib import Path
from time import monotonic

from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from gatherer.capture_format.reading import read_capture
from tests.support.pair import CONNECTIONS, Pair
from tests.support.processes import Run, python, write_key

MOST = 10.0
"""Seconds. A supervisor kills after that."""


class DeadExchangeTests(TestCase):
    """SIGSTOP stops the exchange: the kernel still accepts data for it, and no answer ever comes."""

    timeout = 120

    def setUp(self) -> None:
        self.pair = Pair(Path(self.mktemp()))
        self.addCleanup(self.pair.end)

    def hang(self) -> None:
        """A client with half a request, two that never read their answers, one at the prompt's port."""
        for port, request in (
            (self.pair.web, b"GET /metrics HTT"), (self.pair.web, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 500),
            (self.pair.web, b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"), (self.pair.manhole, b"SSH-2.0-nobody\r\n"),
        ):  # fmt: skip
            client = socket.socket()
            self.addCleanup(client.close)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.setblocking(False)
            client.send(request)

    async def stopped(self, *signals: tuple[float, signal.Signals]) -> float:
        """Freeze the exchange, let clients hang, send the signals at their seconds. Returns the time to the end."""
        from twisted.internet import reactor

        await self.pair.open()
        self.hang()
        self.pair.exchange.transport.signalProcess(signal.SIGSTOP)
        await deferLater(reactor, 0.5)  # type: ignore[arg-type]
        began = monotonic()
        for seconds, number in signals:
            await deferLater(reactor, max(0.0, began + seconds - monotonic()))  # type: ignore[arg-type]
            self.pair.gatherer.transport.signalProcess(number)
        self.assertEqual(await self.pair.gatherer.ended, 0, self.pair.gatherer.output)
        took = monotonic() - began
        self.assertEqual(list(self.pair.folder.glob("capture/*.open")), [])
        self.assertIn("the capture is complete on disk", self.pair.gatherer.output)
        self.assertNotIn("Traceback", self.pair.gatherer.output)
        return took

    async def test_it_ends_in_time(self) -> None:
        """Status 0 within 10 s, with every session's end in the capture."""
        self.assertLess(await self.stopped((0.0, signal.SIGTERM)), MOST)
        markers = [record.get("marker") for record in read_capture(self.pair.folder / "capture")]
        self.assertEqual(markers.count("session_down"), CONNECTIONS)

    async def test_a_second_signal_hurries(self) -> None:
        """It waits for the capture and not for closing handshakes, because no answer can come."""
        await self.stopped((0.0, signal.SIGTERM), (0.3, signal.SIGTERM))
        self.assertIn("sockets and ports do not end in time: going on without them", self.pair.gatherer.output)


NO_NAMES = """
import socket, time
socket.getaddrinfo = lambda *a, **k: time.sleep(600)
from twisted.scripts.twistd import run; run()
"""


class NoNamesTests(TestCase):
    """The network is away, so every look-up of a name hangs in its thread."""

    timeout = 60

    async def test_threads_are_not_waited_for(self) -> None:
        """The reactor waits for its threads, and they wait for the name server. Status 0 within 10 s."""
        folder = Path(self.mktemp())
        folder.mkdir()
        key = write_key(folder).resolve()
        run = python(
            str(folder.resolve()), NO_NAMES, "--nodaemon", "--pidfile=", "gatherer", GATHERER_EXCHANGE_KEY_ID="k",
            GATHERER_EXCHANGE_PRIVATE_KEY_FILE=str(key), GATHERER_WEB_LISTEN="",
        )  # fmt: skip
        self.addCleanup(kill, run)
        await run.saw("0 of 150 connections live")
        began = monotonic()
        run.transport.signalProcess(signal.SIGTERM)
        self.assertEqual(await run.ended, 0, run.output)
        self.assertLess(monotonic() - began, MOST)


async def kill(run: Run) -> None:
    """Unless it has ended."""
    if not run.ended.called:
        run.transport.signalProcess(signal.SIGKILL)
        await run.ended
