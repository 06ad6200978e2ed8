"""The pulse in the log: progress until every market has its book, then a line every ten seconds."""

from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from gatherer.interfaces import IConnectionManager, IMarketRegistry, IMessageRouter

PROGRESS_INTERVAL = 2.0
"""Seconds between two lines while coverage is growing."""
INTERVAL = 10.0
"""Seconds between two lines afterwards."""


MAX_STANDSTILL = 15
"""Progress lines without progress before the longer rhythm sets in."""


class Summary(Service):
    """One line for 150 connections, instead of a line for every message or connection."""

    _log = Logger()

    def __init__(self, clock: IReactorTime, manager: Any, registry: Any, router: Any) -> None:
        self._clock = clock
        self._manager = IConnectionManager(manager)
        self._registry = IMarketRegistry(registry)
        self._router = IMessageRouter(router)
        self._loop = LoopingCall(self._tick)
        self._loop.clock = clock
        self._last: tuple[float, int, int] = (0.0, 0, 0)
        self._started_at = 0.0
        self._told_at = 0.0
        self._complete = False
        self._standstill = 0
        self._books = 0

    def startService(self) -> None:
        """Begin to tell."""
        super().startService()
        self._started_at = self._told_at = self._clock.seconds()
        self._last = (self._started_at, 0, 0)
        self._loop.start(PROGRESS_INTERVAL, now=False).addErrback(self._stopped)

    def stopService(self) -> None:
        """Say no more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> None:
        manager, registry = self._manager.status(), self._registry.status()
        if not self._complete:
            self._progress(manager, registry)
        elif self._clock.seconds() - self._told_at >= INTERVAL - 0.5:
            self._pulse(manager, registry)

    def _progress(self, manager: dict[str, Any], registry: dict[str, Any]) -> None:
        now = self._clock.seconds()
        books, total = manager["held"] - manager["owed"], len(self._registry.active())
        rate = (books - self._books) / PROGRESS_INTERVAL
        left = f"{(total - books) / rate:.0f} s left" if rate > 0 and total else "waiting"
        self._books = books
        live, pool = manager["healthy"], len(manager["connections"])
        self._log.info(
            "{live} of {pool} connections live, {books} of {total} markets with a book ({rate:.0f}/s, {left})",
            live=live, pool=pool, books=books, total=total, rate=rate, left=left,
        )  # fmt: skip
        self._standstill = 0 if rate > 0 or registry["last_sync"] is None else self._standstill + 1
        if live == pool and registry["last_sync"] is not None and books >= total:
            self._finish("complete after {seconds:.1f} s", seconds=now - self._started_at)
        elif self._standstill >= MAX_STANDSTILL:
            self._finish("{missing} markets still without a book; they go on being asked for", missing=total - books)

    def _finish(self, format: str, **fields: Any) -> None:
        self._complete = True
        self._told_at = self._clock.seconds()
        self._log.info(format, **fields)

    def _pulse(self, manager: dict[str, Any], registry: dict[str, Any]) -> None:
        now = self._clock.seconds()
        then, messages, size = self._last
        received = sum(c["received"] for c in manager["connections"])
        volume = sum(c["bytes_received"] for c in manager["connections"])
        seconds = max(now - then, 1e-9)
        router = self._router.status()
        self._log.info(
            "{live}/{pool} live, {held} of {active} markets held ({owed} without a book), {rate:.0f} msg/s, "
            "{mb:.2f} MB/s, {gaps} gaps, {reconnects} reconnects, {backlog} waiting for the disk, {dropped} dropped",
            live=manager["healthy"], pool=len(manager["connections"]), held=manager["held"],
            active=registry["active_markets"], owed=manager["owed"], rate=(received - messages) / seconds,
            mb=(volume - size) / seconds / 1e6, gaps=sum(c["gaps"] for c in manager["connections"]),
            reconnects=sum(c["reconnects"] for c in manager["connections"]),
            backlog=router["backlog"], dropped=router["dropped"],
        )  # fmt: skip
        self._last = (now, received, volume)
        self._told_at = now

    def _stopped(self, failure: Any) -> None:
        self._log.failure("the summary broke off", failure)
