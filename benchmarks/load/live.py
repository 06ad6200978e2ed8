"""The generator as an exchange. Its rate can change while it runs."""

from dataclasses import dataclass
from pathlib import Path
from time import monotonic, process_time, sleep
from typing import Any

from benchmarks.load.exchange import Exchange
from benchmarks.load.jobs import open_server

TICK = 0.005
"""Seconds between two looks at what is due."""
CATCH_UP = 4
"""Times its usual share a tick may send after one that came late."""


@dataclass(frozen=True, slots=True)
class Live:
    """An exchange with this many markets. The command ("rate", n) makes it send n deltas a second, "report" asks for
    its counts."""

    markets: int
    certificates: Path | None = None

    def run(self, pipe: Any) -> None:
        """Run until the parent closes its end."""
        server = open_server(self.certificates, pipe)
        exchange = Exchange(server, self.markets)
        rate, began, cpu = 0, monotonic(), process_time()
        while True:
            while pipe.poll():
                word = pipe.recv()
                if word == "report":
                    seconds = monotonic() - began
                    due, busy = int(rate * seconds), (process_time() - cpu) / seconds
                    pipe.send({"due": due, "sent": exchange.sent, "waiting": exchange.waiting, "busy": busy})
                else:
                    rate, began, cpu, exchange.sent = word[1], monotonic(), process_time(), 0
            missing = int((monotonic() - began) * rate) - exchange.sent
            if missing > 0:
                exchange.deltas(min(missing, int(rate * TICK * CATCH_UP) + 1))
            exchange.heartbeat(monotonic())
            server.poll(0.0)
            sleep(max(0.0, TICK - (monotonic() - began) % TICK))
