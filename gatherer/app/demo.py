"""`--demo`: the main job on an exchange of our own, in the same process, on loopback."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.application.service import MultiService
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from gatherer.app.service import Gatherer
from gatherer.config.settings import Settings
from gatherer.exchange.auth import Signer
from gatherer.simulator.exchange import Exchange
from gatherer.simulator.service import SimulatorService

KEY_ID = "demo"
DIAL_RATE = 50.0
"""Dials per second: this exchange is ours, so it needs no pacing."""

MakeGatherer = Callable[[Settings, Signer, Callable[[], Settings], Callable[[Settings], Signer]], Gatherer]
"""Settings and key, and what gives both anew at a reload."""


class Demo(MultiService):
    """The exchange, and a gatherer that is made once the exchange's ports are known."""

    _log = Logger()

    def __init__(
        self, reactor: Any, settings: Settings, markets: int, rate: float, churn: float,
        load: Callable[[], Settings], make_gatherer: MakeGatherer,
    ) -> None:  # fmt: skip
        """`load` gives the settings anew."""
        super().__init__()
        self._settings = settings
        self._load = load
        self._make_gatherer = make_gatherer
        self._key = Ed25519PrivateKey.generate()  # never leaves this process
        now = time()
        exchange = Exchange(markets, seed=int(now), now=now, unopened=markets // 50, churn=churn, clock=reactor)
        websocket, rest = (TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1") for _ in range(2))
        keys = {KEY_ID: self._key.public_key()}
        self.simulator = SimulatorService(
            reactor, exchange, websocket, rest, keys, rate, rest_tokens=20_000.0, now=time
        )
        self.gatherer: Gatherer | None = None

    def startService(self) -> None:
        """Open the exchange, then the gatherer. ConfigError for what either cannot have: loopback answers at once."""
        self.simulator.setServiceParent(self)
        super().startService()
        refused: list[Failure] = []
        self.simulator.when_listening().addCallback(self._open).addErrback(refused.append)
        if refused:
            refused[0].raiseException()

    def _open(self, ports: tuple[int, int]) -> None:
        settings, signer = _aimed(self._settings, *ports), Signer(KEY_ID, self._key)
        self.gatherer = self._make_gatherer(
            settings, signer, lambda: _aimed(self._load(), *ports), lambda settings: signer
        )
        self.gatherer.setServiceParent(self)
        directory = Path(settings.router.directory).absolute()
        self._log.info("the capture is in {directory}; read it with:", directory=directory)
        self._log.info("    zstdcat {directory}/*.jsonl.zst* | jq .", directory=directory)


def _aimed(settings: Settings, websocket: int, rest: int) -> Settings:
    """The settings with our own exchange in them, on these ports."""
    exchange = replace(
        settings.exchange,
        websocket_url=f"ws://127.0.0.1:{websocket}/trade-api/ws/v2",
        rest_url=f"http://127.0.0.1:{rest}/trade-api/v2",
        key_id=KEY_ID,
    )
    return replace(settings, exchange=exchange, pool=replace(settings.pool, dial_rate=DIAL_RATE))
