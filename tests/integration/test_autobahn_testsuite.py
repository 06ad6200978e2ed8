"""The Autobahn Testsuite against our client. It runs on Python 2.7 only, so it is skipped where there is no `wstest`.

To have it: `virtualenv -p python2.7 wstest && wstest/bin/pip install autobahntestsuite`, then put `wstest/bin/wstest`
on the path. `.ci/run` does that where there is a Python 2.7.
"""

import json
import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, TestCase
from zope.interface import implementer

from gatherer.core.backoff import Backoff
from gatherer.exchange.interfaces import IWebSocketListener
from gatherer.exchange.websocket.client import WebSocketClient
from gatherer.exchange.websocket.dialing import Dialing, DialPacer

PROGRAM = shutil.which("wstest")
PLAIN = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
LARGE = ["9.1.*", "9.2.*", "9.3.1", "9.3.5", "9.4.1", "9.4.5", "9.5.1", "9.6.1", "9.7.1", "9.8.1"]
DEFLATED = ["12.1.1", "12.1.8", "12.2.3", "12.3.3", "12.4.3", "12.5.3", *(f"13.{i}.3" for i in range(1, 8))]
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
"""We are non-strict where a violation follows messages in one read: we hand them on too late for an echo."""


class Server(ProcessProtocol):
    """The suite's fuzzing server, a separate process."""

    def __init__(self) -> None:
        self.ready: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.said = b""

    def outReceived(self, data: bytes) -> None:
        self.said += data
        if b"Ok, will run" in self.said and not self.ready.called:
            self.ready.callback(None)

    errReceived = outReceived

    def processEnded(self, reason: Any) -> None:
        if not self.ready.called:
            self.ready.errback(RuntimeError(self.said.decode(errors="replace")))
        self.ended.callback(None)


@implementer(IWebSocketListener)
class Echo:
    """Sends back what it gets, text or binary."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.over: Deferred[None] = Deferred()
        self.client: Any = None

    def opened(self) -> None: ...

    def received(self, payloads: list[bytes], received_at: int) -> None:
        self.texts += payloads
        for payload in payloads:
            self._send(payload, False)

    def undecodable(self, payload: bytes, reason: str, received_at: int) -> None:
        self._send(payload, True)

    def pinged(self) -> None: ...

    def closed(self, reason: Any) -> None:
        self.over.callback(None)

    def _send(self, payload: bytes, binary: bool) -> None:
        protocol = self.client._socket
        if protocol.state == protocol.STATE_OPEN:
            protocol.sendMessage(payload, isBinary=binary)


class AutobahnTestsuiteTests(TestCase):
    """Every case that applies. The suite decides."""

    timeout = 300

    def setUp(self) -> None:
        if PROGRAM is None:
            raise SkipTest("the Autobahn Testsuite is not installed: no wstest on the path, see this module")
        from twisted.internet import reactor

        self.reactor: Any = reactor

    async def serve(self, cases: list[str]) -> None:
        """Start the server with these cases."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.reports = Path(self.mktemp()).absolute()
        spec = {"url": f"ws://127.0.0.1:{self.port}", "outdir": str(self.reports), "cases": cases, "exclude-cases": []}
        file = Path(self.mktemp())
        file.write_text(json.dumps(spec))
        server = Server()
        command = [PROGRAM, "-m", "fuzzingserver", "-s", str(file.absolute())]
        process = self.reactor.spawnProcess(server, PROGRAM, command, {**os.environ, "PYTHONUNBUFFERED": "1"})

        def end() -> Deferred[None]:
            if not server.ended.called:
                process.signalProcess("KILL")
            return server.ended

        self.addCleanup(end)
        await server.ready

    async def dial(self, path: str, compression: bool = False) -> list[bytes]:
        """One connection, until the server has closed it. Returns its texts."""
        echo = Echo()
        dialing = Dialing(
            f"ws://127.0.0.1:{self.port}{path}",
            lambda factory: self.reactor.connectTCP("127.0.0.1", self.port, factory, timeout=5),
            lambda: succeed({}), DialPacer(self.reactor, 1e6), self.reactor, time.time_ns, 5.0, compression,
        )  # fmt: skip
        echo.client = WebSocketClient(echo, dialing, Backoff(300.0, 300.0, 2.0, 0.0, lambda: 0.5))
        echo.client.start()
        await echo.over
        await echo.client.stop()
        return echo.texts

    async def judge(self, cases: list[str], least: int, compression: bool = False) -> None:
        """Run the cases and read the verdicts."""
        await self.serve(cases)
        told: list[bytes] = []
        while not told:  # the server is ready a moment after its message
            await deferLater(self.reactor, 0.05)
            told = await self.dial("/getCaseCount")
        count = int(told[0])
        self.assertGreaterEqual(count, least)
        for case in range(1, count + 1):
            await self.dial(f"/runCase?case={case}&agent=gatherer", compression)
        await self.dial("/updateReports?agent=gatherer")
        verdicts = json.loads((self.reports / "index.json").read_text())["gatherer"]
        self.assertEqual(len(verdicts), count)
        bad = {name: each for name, each in verdicts.items() if not {each["behavior"], each["behaviorClose"]} <= GOOD}
        self.assertEqual(bad, {})

    async def test_plain(self) -> None:
        """Framing, pings, reserved bits and opcodes, fragments, UTF-8, close handshake, odd chops."""
        await self.judge(PLAIN, 247)

    async def test_large_and_compressed(self) -> None:
        """Messages of megabytes, and permessage-deflate with a sample of sizes and all sets of parameters."""
        await self.judge(LARGE + DEFLATED, 30, compression=True)
