"""One gatherer as a program runs it: with its settings, and with what signals and systemd may ask of it."""

import os
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from gatherer.app.builder import Builder
from gatherer.app.reload import Reloader
from gatherer.config.settings import Settings
from gatherer.exchange.auth import Signer
from gatherer.log.levels import LevelControl
from gatherer.ops import NotifySocket, StateDump, SystemdService, notify_address, watchdog_seconds


class Application:
    """Holds what belongs to one gatherer. `gatherer` is the service; the methods are what it can be asked to do."""

    def __init__(
        self, settings: Settings, signer: Signer, load: Callable[[], Settings],
        make_signer: Callable[[Settings], Signer], reactor: Any, failed: Callable[[str], None],
        levels: LevelControl, environ: Mapping[str, str] = os.environ,
    ) -> None:  # fmt: skip
        """`load` and `make_signer` give both anew at a reload. `failed` gets the reason when it cannot do its job.
        Raises ConfigError; nothing is opened yet."""
        builder = Builder(settings, signer, reactor, random.random, failed, levels)
        self.gatherer = builder.gatherer()

        def run(work: Callable[[], Any]) -> Deferred[Any]:
            return deferToThreadPool(reactor, reactor.getThreadPool(), work)

        self._reloader = Reloader(settings, load, make_signer, partial(builder.apply, self.gatherer), run)
        self._dump = StateDump(
            lambda: self._reloader.settings,
            self.gatherer.manager,
            builder.health.status,
            builder.events,
            reactor,
            time.time_ns,
            run,
        )
        self._systemd: SystemdService | None = None
        if address := notify_address(environ):
            send, watchdog = NotifySocket(address, reactor), watchdog_seconds(environ, os.getpid())
            self._systemd = SystemdService(
                send, watchdog, self.gatherer.manager, self.gatherer.router, builder.health.status, reactor,
                time.monotonic_ns,
            )  # fmt: skip
            self.gatherer.addService(self._systemd)

    def hurry(self) -> None:
        """Stop faster: wait for the capture only."""
        self.gatherer.hurry()

    async def reload(self) -> None:
        """Read the settings and the key anew; the log says what became of each change."""
        if self._systemd is None:
            await self._reloader.reload()
        else:
            await self._systemd.around(self._reloader.reload)

    async def dump(self) -> Path | None:
        """Write the state into a file; see `StateDump.write`."""
        return await self._dump.write()
