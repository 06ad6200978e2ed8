"""gatherer and an exchange as two processes, with pages and prompt, for tests that need whole processes."""

import re
import signal
import socket
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.processes import START, Run, python, write_key

ENDPOINT = "tcp:{}:interface=127.0.0.1"
CONNECTIONS = 16


class Pair:
    """Both work in `folder`; the capture is in `capture` there, the key in `key`."""

    exchange: Run
    gatherer: Run

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder.resolve()
        self.web, self.manhole = free_port(), free_port()
        self._runs: list[Run] = []
        private = Ed25519PrivateKey.generate()
        self.key = write_key(self.folder, private)
        public = private.public_key()
        (self.folder / "public.pem").write_bytes(
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )  # fmt: skip
        keys = self.folder / "authorized_keys"
        keys.write_bytes(public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
        keys.chmod(0o600)

    async def open(self, *arguments: str, **environment: str) -> None:
        """Return when every market has its book; `arguments` and `environment` are gatherer's."""
        await self.open_exchange()
        self.gatherer = self.start(*arguments, **environment)
        await self.gatherer.saw("complete after")

    async def open_exchange(self) -> None:
        """Open the prompt for the key."""
        self.exchange = python(
            str(self.folder), START, "--nodaemon", "--pidfile=", "kalshi-simulator", "--key-id", "k", "--public-key",
            "public.pem", "--markets", "200", "--websocket", ENDPOINT.format(0), "--rest", ENDPOINT.format(0),
        )  # fmt: skip
        self._runs.append(self.exchange)
        await self.exchange.saw("exchange open")

    def start(self, *arguments: str, script: str = START, **environment: str) -> Run:
        """Start gatherer with these additional options and variables; `script` runs twistd."""
        websocket, rest = re.findall(r"port (\d+)", self.exchange.output)
        own = {
            "POOL_ORDERBOOK": str(CONNECTIONS - 6), "POOL_MIN_HEALTHY": str(CONNECTIONS), "POOL_DIAL_RATE": "50",
            "EXCHANGE_KEY_ID": "k", "EXCHANGE_PRIVATE_KEY_FILE": str(self.key),
            "EXCHANGE_WEBSOCKET_URL": f"ws://127.0.0.1:{websocket}/trade-api/ws/v2",
            "EXCHANGE_REST_URL": f"http://127.0.0.1:{rest}/trade-api/v2",
            "WEB_LISTEN": ENDPOINT.format(self.web), "MANHOLE_LISTEN": ENDPOINT.format(self.manhole),
            "MANHOLE_AUTHORIZED_KEYS_FILE": "authorized_keys", "MANHOLE_HOST_KEY_DIRECTORY": "host-key",
        }  # fmt: skip
        variables = {f"GATHERER_{name}": value for name, value in own.items()} | environment
        run = python(str(self.folder), script, "--nodaemon", "--pidfile=", "gatherer", *arguments, **variables)
        self._runs.append(run)
        return run

    async def end(self) -> None:
        """Kill both processes if they still run."""
        for run in self._runs:
            if not run.ended.called:
                run.transport.signalProcess(signal.SIGKILL)
                await run.ended


def free_port() -> int:
    """A port that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
