"""Steps of CLOCK_REALTIME under a running gatherer: no socket is lost, and the capture has the step.

libfaketime moves the wall clock of one process alone. The exchange is another process and keeps its own time.
"""

import json
import signal
from glob import glob
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, TestCase
from twisted.web.client import Agent, readBody

from gatherer.capture import read_capture
from tests.support.pair import Pair

LIBRARY = next(iter(glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), "")
SECONDS = {"+31": 31.0, "-3600": -3631.0, "+86400": 90_000.0}
"""What libfaketime adds to the real time, and the step that this makes after the one before it."""


class ClockStepTests(TestCase):
    """`faketime` moves CLOCK_REALTIME and leaves CLOCK_MONOTONIC alone, as a careless NTP client does."""

    timeout = 120

    def setUp(self) -> None:
        if not LIBRARY:
            raise SkipTest("libfaketime is not installed (Debian: faketime)")
        self.pair = Pair(Path(self.mktemp()))
        self.addCleanup(self.pair.end)
        self.offset = self.pair.folder / "offset"

    async def after(self, seconds: float) -> None:
        """Let real time pass."""
        from twisted.internet import reactor

        await deferLater(reactor, seconds)  # type: ignore[arg-type]

    async def connections(self) -> list[dict[str, Any]]:
        """What the status page says of each connection."""
        from twisted.internet import reactor

        response: Any = await Agent(reactor).request(b"GET", f"http://127.0.0.1:{self.pair.web}/status".encode())
        status = json.loads(await readBody(response))
        return list(status["manager"]["connections"])

    def step(self, offset: str) -> None:
        """The wall clock is real time and this much from now on."""
        self.offset.write_text(offset)

    async def test_a_step_costs_no_socket(self) -> None:
        """31 s forwards, an hour back, a day forwards: no reconnect, no dial that waits, and a marker for each step."""
        self.step("+0")
        await self.pair.open(
            LD_PRELOAD=LIBRARY, FAKETIME_TIMESTAMP_FILE=str(self.offset), FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )  # fmt: skip
        for offset in SECONDS:
            self.step(offset)
            await self.after(3.0)
        connections = await self.connections()
        self.assertEqual({each["state"] for each in connections}, {"live"})
        self.assertEqual(sum(each["reconnects"] for each in connections), 0)
        self.pair.gatherer.transport.signalProcess(signal.SIGTERM)
        self.assertEqual(await self.pair.gatherer.ended, 0, self.pair.gatherer.output)
        self.assert_told()

    def assert_told(self) -> None:
        """The capture explains its times: between two records that are not in order stands a marker with the step."""
        records = list(read_capture(self.pair.folder / "capture"))
        steps = [record for record in records if record.get("marker") == "clock_step"]
        self.assertEqual(len(steps), len(SECONDS), steps)
        for found, expected in zip(steps, SECONDS.values(), strict=True):
            self.assertLess(abs(found["facts"]["seconds"] - expected), 0.5)
